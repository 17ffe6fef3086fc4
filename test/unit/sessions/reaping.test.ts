import { describe, expect, it } from 'vitest'
import { faultyStorage } from '../../../src/testing/index.js'
import { createWorld, failure, RUN_1, RUN_2, row, startPool, types } from './kit.js'

const MINUTE = 60_000

describe('the reaper', () => {
  it('ends a session that is past its end, as timed out', async () => {
    const { pool, clock, storage, events, driver } = await startPool()
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
    await clock.advance(5 * MINUTE - 1)
    expect((await row(storage, browserSessionId)).status).toBe('running')
    await clock.advance(6_000)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'timeout', closeReason: 'expired' })
    expect([driver.liveHandles, types(events).at(-1)]).toEqual([0, 'session.closed'])
  })

  it('never ends one with a live lease, and ends it once it is free', async () => {
    const { pool, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await clock.advance(30 * MINUTE)
    expect((await row(storage, browserSessionId)).status).toBe('running')
    await lease.release()
    await clock.advance(MINUTE)
    expect((await row(storage, browserSessionId)).status).toBe('timeout')
  })

  it('frees a session whose lease lapsed, after the grace', async () => {
    const { pool, clock, storage, events } = await startPool()
    const { browserSessionId } = await pool.create()
    const dead = { runnableType: 'workflow_run', runnableId: 'wr_dead', leaseToken: 'x', leaseFence: 1, leaseHolder: 'host_dead' }
    const leaseExpiresAt = new Date(clock.now().getTime() + 10_000)
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set: { ...dead, leaseExpiresAt } }])
    await clock.advance(12_500)
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_2 }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    await clock.advance(6_000)
    expect(await row(storage, browserSessionId)).toMatchObject({ leaseToken: null, runnableId: null, status: 'running' })
    expect(events.at(-1)).toMatchObject({ type: 'session.released', payload: { runnableId: 'wr_dead', leaseFence: 1 } })
    expect((await pool.occupy({ browserSessionId, ...RUN_2 })).fence).toBe(2)
  })

  it('lets the next holder in after the grace without waiting for a pass', async () => {
    const { pool, clock, storage } = await startPool({ reapIntervalMs: 100_000_000 })
    const { browserSessionId } = await pool.create()
    const leaseExpiresAt = new Date(clock.now().getTime() + 10_000)
    const set = { runnableType: 'workflow_run', runnableId: 'wr_dead', leaseToken: 'x', leaseFence: 4, leaseExpiresAt }
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set }])
    await clock.advance(13_001)
    expect((await pool.occupy({ browserSessionId, ...RUN_2 })).fence).toBe(5)
  })

  it('ends the sessions of a dead host, and leaves those of a live one alone', async () => {
    const first = await startPool({ hostId: 'host_a' })
    const second = await startPool({ hostId: 'host_b' }, first.world)
    const alive = await second.pool.create()
    const { browserSessionId } = await first.pool.create()
    const set = { hostId: 'host_dead', hostLeaseExpiresAt: first.clock.now() }
    await first.storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set }])
    await first.clock.advance(20_000)
    expect(await row(first.storage, browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'orphan' })
    expect((await row(first.storage, alive.browserSessionId)).status).toBe('running')
    expect(first.driver.liveHandles).toBe(0)
  })

  it('goes on with the others when one fails', async () => {
    const world = createWorld()
    const storage = faultyStorage(world.storage, { calls: ['commit'] })
    const { pool, clock } = await startPool({ storage, leaseTtlMs: 1_000_000_000 }, world)
    const sessions = [await pool.create({ timeoutMinutes: 5 }), await pool.create({ timeoutMinutes: 5 })]
    storage.reset({ calls: ['commit'], failAtCall: 1 })
    await clock.advance(5 * MINUTE + 6_000)
    const statuses = await Promise.all(sessions.map(async ({ browserSessionId }) => (await row(world.storage, browserSessionId)).status))
    expect(statuses.sort()).toEqual(['running', 'timeout'])
    await clock.advance(6_000)
    expect(await pool.list({ status: ['timeout'] })).toHaveLength(2)
  })
})

describe('renewing a session', () => {
  it('puts its end off, and never shortens it', async () => {
    const { pool, clock, events } = await startPool()
    const { browserSessionId, expiresAt } = await pool.create({ timeoutMinutes: 60 })
    const shorter = await pool.renew({ browserSessionId, minutes: 10 })
    expect(shorter.expiresAt).toEqual(expiresAt)
    expect(types(events)).not.toContain('session.renewed')
    await clock.advance(30 * MINUTE)
    const renewed = await pool.renew({ browserSessionId })
    expect(renewed.expiresAt?.getTime()).toBe(clock.now().getTime() + 60 * MINUTE)
    expect(events.at(-1)?.payload).toEqual({ browserSessionId, expiresAt: renewed.expiresAt?.toISOString() })
  })

  it('goes up to 24 hours after the start', async () => {
    const { pool, clock } = await startPool()
    const { browserSessionId, startedAt } = await pool.create({ timeoutMinutes: 120 })
    await clock.advance(60 * MINUTE)
    const latest = (startedAt?.getTime() ?? 0) + 24 * 60 * MINUTE
    expect((await pool.renew({ browserSessionId, minutes: 1_440 })).expiresAt?.getTime()).toBe(latest)
    expect((await pool.renew({ browserSessionId, minutes: 1_440 })).expiresAt?.getTime()).toBe(latest)
  })

  it('of many callers at once keeps the latest end', async () => {
    const { pool, clock } = await startPool()
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
    await Promise.all([10, 300, 20, 200, 30].map((minutes) => pool.renew({ browserSessionId, minutes })))
    expect((await pool.get({ browserSessionId })).expiresAt?.getTime()).toBe(clock.now().getTime() + 300 * MINUTE)
  })

  it('is refused, with the reason, for one that ended or expired, and closes nothing', async () => {
    const { pool, clock, storage } = await startPool({ reapIntervalMs: 100_000_000 })
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
    await clock.advance(5 * MINUTE)
    expect(await failure(pool.renew({ browserSessionId }))).toMatchObject({ code: 'SESSION_NOT_RENEWABLE', message: /expired at/ })
    expect((await row(storage, browserSessionId)).status).toBe('running')
    await pool.close({ browserSessionId })
    expect(await failure(pool.renew({ browserSessionId }))).toMatchObject({ code: 'SESSION_NOT_RENEWABLE', message: /has ended/ })
  })
})
