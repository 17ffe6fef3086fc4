import { describe, expect, it } from 'vitest'
import { failure, RUN_1, row, startPool, types } from './kit.js'

const MINUTE = 60_000
const NEVER_REAPED = { reapIntervalMs: 100_000_000 }

describe('renewOrClose', () => {
  it('renews what can be renewed', async () => {
    const { pool, clock, events } = await startPool()
    const { browserSessionId } = await pool.create({ timeoutMinutes: 10 })
    await clock.advance(5 * MINUTE)
    const renewed = await pool.renewOrClose({ browserSessionId })
    expect(renewed.expiresAt?.getTime()).toBe(clock.now().getTime() + 10 * MINUTE)
    expect(types(events).at(-1)).toBe('session.renewed')
  })

  it('closes an expired one that nobody holds, and says why it was not renewed', async () => {
    const { pool, clock, storage, driver } = await startPool(NEVER_REAPED)
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
    await clock.advance(5 * MINUTE)
    expect(await failure(pool.renewOrClose({ browserSessionId }))).toMatchObject({ code: 'SESSION_NOT_RENEWABLE', message: /expired at/ })
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'timeout', closeReason: 'expired' })
    expect(driver.liveHandles).toBe(0)
    expect(await failure(pool.renewOrClose({ browserSessionId }))).toMatchObject({ code: 'SESSION_NOT_RENEWABLE', message: /has ended/ })
  })

  it('leaves one alone that somebody holds', async () => {
    const { pool, clock, storage } = await startPool(NEVER_REAPED)
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    const past = new Date(clock.now().getTime() - 1)
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set: { expiresAt: past } }])
    expect(await failure(pool.renewOrClose({ browserSessionId }))).toMatchObject({ code: 'SESSION_NOT_RENEWABLE' })
    expect([lease.isHeld, (await row(storage, browserSessionId)).status]).toEqual([true, 'running'])
  })

  it('leaves a launch in progress to its caller', async () => {
    const { pool, driver, clock } = await startPool()
    driver.scriptLaunch({ delayMs: 1_000 })
    const creating = pool.create()
    while (driver.pendingLaunches === 0) await new Promise((resolve) => setImmediate(resolve))
    const [session] = await pool.list()
    const { browserSessionId = '' } = session ?? {}
    expect(await failure(pool.renewOrClose({ browserSessionId }))).toMatchObject({ code: 'SESSION_NOT_RENEWABLE', message: /not started/ })
    await clock.advance(1_000)
    expect(await creating).toMatchObject({ browserSessionId, status: 'running' })
  })
})

describe('the longest life', () => {
  it('is an option', async () => {
    const { pool, clock } = await startPool({ maxLifetimeMinutes: 30 })
    const { browserSessionId, startedAt } = await pool.create({ timeoutMinutes: 20 })
    await clock.advance(15 * MINUTE)
    const latest = (startedAt?.getTime() ?? 0) + 30 * MINUTE
    expect((await pool.renew({ browserSessionId, minutes: 100 })).expiresAt?.getTime()).toBe(latest)
  })
})

describe('the activity of a holder', () => {
  it('puts the end of the session off with the next heartbeat, and nothing else does', async () => {
    const { pool, clock, storage } = await startPool()
    const { browserSessionId, expiresAt } = await pool.create({ timeoutMinutes: 60 })
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await clock.advance(30 * MINUTE)
    await pool.get({ browserSessionId })
    expect((await row(storage, browserSessionId)).expiresAt).toEqual(expiresAt)
    lease.touch()
    await clock.advance(10_000)
    const touched = await row(storage, browserSessionId)
    expect(touched.expiresAt?.getTime()).toBe(clock.now().getTime() + 60 * MINUTE)
    expect([touched.lastActivityAt, lease.session.expiresAt]).toEqual([clock.now(), touched.expiresAt])
    await clock.advance(10 * MINUTE)
    expect((await row(storage, browserSessionId)).expiresAt).toEqual(touched.expiresAt)
  })

  it('does not reach beyond the longest life', async () => {
    const { pool, clock, storage } = await startPool({ maxLifetimeMinutes: 60 })
    const { browserSessionId, expiresAt } = await pool.create({ timeoutMinutes: 50 })
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await clock.advance(20 * MINUTE)
    lease.touch()
    await clock.advance(10_000)
    expect((await row(storage, browserSessionId)).expiresAt).toEqual(expiresAt)
  })

  it('costs no write while it would gain less than a minute', async () => {
    const { pool, clock, storage } = await startPool()
    const { browserSessionId, expiresAt } = await pool.create({ timeoutMinutes: 60 })
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    for (let beat = 0; beat < 5; beat += 1) {
      lease.touch()
      await clock.advance(10_000)
    }
    expect((await row(storage, browserSessionId)).expiresAt).toEqual(expiresAt)
  })
})
