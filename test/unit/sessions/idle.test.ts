import { describe, expect, it } from 'vitest'
import { failure, RUN_1, RUN_2, row, startPool } from './kit.js'

const MINUTE = 60_000

describe('the idle clock', () => {
  it('runs from the launch even if no lease ever comes', async () => {
    const { pool, clock, storage, driver } = await startPool({ idleTimeoutMinutes: 10 })
    const { browserSessionId } = await pool.create()
    await clock.advance(10 * MINUTE - 1)
    expect((await row(storage, browserSessionId)).status).toBe('running')
    await clock.advance(6_000)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'timeout', closeReason: 'idle_ttl' })
    expect(driver.liveHandles).toBe(0)
  })

  it('stands still during leases, and begins anew at the end of each', async () => {
    const { pool, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create({ timeoutMinutes: 600, idleTimeoutMinutes: 10 })
    for (const run of [RUN_1, RUN_2]) {
      await clock.advance(9 * MINUTE)
      const lease = await pool.occupy({ browserSessionId, ...run })
      await clock.advance(30 * MINUTE)
      expect(await row(storage, browserSessionId)).toMatchObject({ status: 'running', idleExpiresAt: null })
      await lease.release()
    }
    await clock.advance(9 * MINUTE)
    expect((await row(storage, browserSessionId)).status).toBe('running')
    await clock.advance(2 * MINUTE)
    expect((await row(storage, browserSessionId)).closeReason).toBe('idle_ttl')
  })

  it('begins for a session that is born with a holder when that lets go', async () => {
    const { pool, clock, storage } = await startPool({ idleTimeoutMinutes: 5 })
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const { browserSessionId } = lease
    await clock.advance(20 * MINUTE)
    const result = await storage.commit(lease.releaseWrites())
    lease.markReleased(result.ok)
    await clock.advance(4 * MINUTE)
    expect((await row(storage, browserSessionId)).status).toBe('running')
    await clock.advance(2 * MINUTE)
    expect((await row(storage, browserSessionId)).closeReason).toBe('idle_ttl')
  })

  it('does not count the launch and its hooks', async () => {
    const { pool, clock, driver, storage } = await startPool({
      idleTimeoutMinutes: 1,
      launchTimeoutMs: 300_000,
      hookTimeoutMs: 300_000,
      hooks: { afterLaunch: () => new Promise((resolve) => clock.setTimer(() => resolve(undefined), 2 * MINUTE)) },
    })
    driver.scriptLaunch({ delayMs: 2 * MINUTE })
    const creating = pool.create()
    while (driver.pendingLaunches === 0) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(4 * MINUTE)
    const { browserSessionId } = await creating
    await clock.advance(MINUTE - 1)
    expect((await row(storage, browserSessionId)).status).toBe('running')
    await clock.advance(6_000)
    expect((await row(storage, browserSessionId)).closeReason).toBe('idle_ttl')
  })

  it('is not moved by reads, renewals and refused callers', async () => {
    const { pool, clock, storage } = await startPool({ idleTimeoutMinutes: 10 })
    const { browserSessionId } = await pool.create({ timeoutMinutes: 60 })
    for (let minute = 0; minute < 9; minute += 1) {
      await clock.advance(MINUTE)
      await pool.get({ browserSessionId })
      await pool.renew({ browserSessionId })
      await failure(pool.occupy({ organizationId: 'other', browserSessionId, ...RUN_1 }))
    }
    await clock.advance(MINUTE + 6_000)
    expect((await row(storage, browserSessionId)).closeReason).toBe('idle_ttl')
  })

  it('begins when a lapsed lease is cleared', async () => {
    const { pool, clock, storage } = await startPool({ idleTimeoutMinutes: 5 })
    const { browserSessionId } = await pool.create()
    const leaseExpiresAt = new Date(clock.now().getTime() + 10_000)
    const dead = { ...RUN_1, leaseToken: 'x', leaseFence: 1, leaseHolder: 'host_dead', leaseExpiresAt, idleExpiresAt: null }
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set: dead }])
    await clock.advance(20_000)
    const freed = await row(storage, browserSessionId)
    expect(freed.leaseToken).toBeNull()
    expect(freed.idleExpiresAt?.getTime()).toBeGreaterThan(clock.now().getTime() + 4 * MINUTE)
  })

  it('can be switched off for one session, and is off by default', async () => {
    const { pool, clock, storage } = await startPool({ idleTimeoutMinutes: 5 })
    const { browserSessionId } = await pool.create({ timeoutMinutes: 600, idleTimeoutMinutes: null })
    await clock.advance(300 * MINUTE)
    expect((await row(storage, browserSessionId)).status).toBe('running')
  })
})

describe('hooks', () => {
  it('are called after the launch and before the close, with the browser', async () => {
    const calls: string[] = []
    const { pool, driver } = await startPool({
      hooks: {
        afterLaunch: ({ browserSessionId, browser, signal }) =>
          calls.push(`after ${browserSessionId} ${browser === driver.handles[0]} ${signal.aborted}`),
        beforeClose: ({ organizationId }) => calls.push(`before ${organizationId} ${driver.liveHandles}`),
      },
    })
    const { browserSessionId } = await pool.create()
    await pool.close({ browserSessionId })
    expect(calls).toEqual([`after ${browserSessionId} true false`, 'before acme 1'])
  })

  it('that throw or hang change nothing', async () => {
    const { pool, clock, driver, directories } = await startPool({
      hooks: {
        afterLaunch: () => {
          throw new Error('mine')
        },
        beforeClose: () => new Promise(() => {}),
      },
    })
    const { browserSessionId } = await pool.create()
    const closing = pool.close({ browserSessionId })
    await clock.advance(9_999)
    expect(driver.liveHandles).toBe(1)
    await clock.advance(1)
    expect(await closing).toMatchObject({ status: 'completed', closeReason: 'user' })
    expect([driver.liveHandles, directories()]).toEqual([0, []])
  })

  it('before the close is not called for a browser that is lost', async () => {
    let calls = 0
    const { pool, clock, driver } = await startPool({
      hooks: {
        beforeClose: () => {
          calls += 1
        },
      },
    })
    await pool.create()
    driver.handles[0]?.crash()
    await clock.advance(1_000)
    expect(calls).toBe(0)
  })
})
