import { expect, it } from 'vitest'
import { faultyStorage } from '../../../src/testing/index.js'
import { createWorld, RUN_1, row, startPool, types } from './kit.js'

const MINUTE = 60_000

it('one pass frees what a dead holder kept, and ends it if it has expired meanwhile', async () => {
  const { pool, clock, storage, events } = await startPool({ reapIntervalMs: 10 * MINUTE })
  const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
  const leaseExpiresAt = new Date(clock.now().getTime() + 10_000)
  const dead = { ...RUN_1, leaseToken: 'x', leaseFence: 1, leaseHolder: 'host_dead', leaseExpiresAt }
  await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set: dead }])
  await clock.advance(10 * MINUTE)
  expect(await row(storage, browserSessionId)).toMatchObject({ status: 'timeout', closeReason: 'expired', leaseToken: null })
  expect(types(events).slice(-2)).toEqual(['session.released', 'session.closed'])
})

it('a session that is past its end and its idle time ends once, as expired', async () => {
  const { pool, clock, storage, events } = await startPool({ idleTimeoutMinutes: 5 })
  const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
  await clock.advance(5 * MINUTE + 6_000)
  expect((await row(storage, browserSessionId)).closeReason).toBe('expired')
  expect(types(events).filter((type) => type === 'session.closed')).toHaveLength(1)
})

it('a probe that hangs holds the pass up for its limit, and the rest is done', async () => {
  const { pool, driver, clock, storage } = await startPool()
  await pool.createOccupied({ runnable: RUN_1 })
  driver.handles[0]?.hang('probe')
  const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
  await clock.advance(5 * MINUTE + 10_000)
  expect((await row(storage, browserSessionId)).closeReason).toBe('expired')
})

it('is jittered, and one pass begins when the one before has ended', async () => {
  const world = createWorld()
  const storage = faultyStorage(world.storage, { calls: ['find'] })
  const { clock, pool } = await startPool(
    { storage, reapIntervalMs: 1_000, random: { bytes: (size) => Buffer.alloc(size, 1), fraction: () => 0 } },
    world,
  )
  storage.reset({ calls: ['find'] })
  await clock.advance(899)
  const before = storage.calls
  await clock.advance(1)
  const perPass = storage.calls - before
  expect([before, perPass > 0]).toEqual([0, true])
  await pool.createOccupied({ runnable: RUN_1 })
  storage.reset({ calls: ['find'] })
  await clock.advance(9_000)
  expect(storage.calls / perPass).toBeLessThanOrEqual(10)
})
