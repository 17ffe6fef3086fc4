import { describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/runtime/index.js'
import { MemoryStorage } from '../../../src/storage/index.js'
import { faultyStorage } from '../../../src/testing/index.js'
import { createWorld, failure, RUN_1, RUN_2, reasonCode, row, startPool } from './kit.js'

const MINUTE = 60_000

describe('the heartbeat', () => {
  it('keeps leases alive for hours, and the session of a holder beyond its own end', async () => {
    const { pool, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await clock.advance(3 * 60 * MINUTE)
    expect([lease.isHeld, lease.signal.aborted]).toEqual([true, false])
    const held = await row(storage, browserSessionId)
    expect(held.leaseExpiresAt?.getTime()).toBeGreaterThan(clock.now().getTime() + 15_000)
    expect(held.expiresAt?.getTime()).toBeGreaterThan(clock.now().getTime() + 15_000)
    expect(lease.expiresAt).toEqual(held.leaseExpiresAt)
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_2 }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
  })

  it('gives a session that is taken in its last seconds the time of a lease', async () => {
    const { pool, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
    await clock.advance(5 * MINUTE - 1_000)
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await clock.advance(60_000)
    expect([lease.isHeld, (await row(storage, browserSessionId)).status]).toEqual([true, 'running'])
  })

  it('renews all leases of a host in one statement', async () => {
    const world = createWorld()
    const storage = faultyStorage(world.storage, { calls: ['commit'] })
    const { pool, clock } = await startPool({ storage, reapIntervalMs: 100_000_000 }, world)
    for (let index = 0; index < 5; index += 1) await pool.createOccupied({ runnable: RUN_1 })
    storage.reset({ calls: ['commit'] })
    await clock.advance(10_000)
    expect(storage.calls).toBe(2) // leases, and sessions
  })

  it('aborts at the end of the lease when the storage cannot be reached, and frees the session later', async () => {
    const world = createWorld()
    const storage = faultyStorage(world.storage)
    const { pool, clock } = await startPool({ storage }, world)
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    storage.reset({ failAtCall: 1, fails: 'onwards' })
    await clock.advance(29_999)
    expect([lease.signal.aborted, pool.health().status]).toEqual([false, 'degraded'])
    await clock.advance(1)
    expect(reasonCode(lease)).toBe('LEASE_LOST')
    storage.reset()
    await clock.advance(20_000)
    expect(await row(world.storage, browserSessionId)).toMatchObject({ leaseToken: null, status: 'running' })
    expect(pool.health()).toEqual({ status: 'ok', reason: null })
    expect((await pool.occupy({ browserSessionId, ...RUN_2 })).fence).toBe(2)
  })

  it('aborts in time when the storage hangs, and beats again when it is back', async () => {
    const world = createWorld()
    let hangs = false
    class Hanging extends MemoryStorage {
      override commit(...args: Parameters<MemoryStorage['commit']>) {
        return hangs ? new Promise<never>(() => {}) : super.commit(...args)
      }
    }
    const { pool, clock } = await startPool({ storage: new Hanging({ clock: world.clock }) }, world)
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    hangs = true
    await clock.advance(30_000)
    expect(reasonCode(lease)).toBe('LEASE_LOST')
    hangs = false
    await clock.advance(120_000)
    const next = await pool.occupy({ browserSessionId, ...RUN_2 })
    await clock.advance(120_000)
    expect(next.isHeld).toBe(true)
  })

  it('tells a holder whose lease is somebody else’s by now', async () => {
    const { pool, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, where: {}, set: { leaseFence: 9 } }])
    await clock.advance(10_000)
    expect(reasonCode(lease)).toBe('LEASE_LOST')
  })

  it('is not misled by a wall clock that jumps', async () => {
    const world = createWorld()
    const { clock } = world
    const wrong: Clock = {
      now: () => new Date(0),
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs),
    }
    const { pool } = await startPool({ clock: wrong }, world)
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    await clock.advance(10 * MINUTE)
    expect(lease.isHeld).toBe(true)
  })

  it('closes the browser of a session that another host has ended', async () => {
    const first = await startPool({ hostId: 'host_a' })
    const second = await startPool({ hostId: 'host_b' }, first.world)
    const lease = await first.pool.createOccupied({ runnable: RUN_1 })
    const { browserSessionId } = lease
    expect(await failure(second.pool.close({ browserSessionId }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    await second.pool.close({ browserSessionId, force: true })
    await first.clock.advance(10_000)
    expect([reasonCode(lease), first.driver.liveHandles]).toEqual(['LEASE_LOST', 0])
    while (first.pool.stats().ending > 0) await first.clock.advance(0)
    expect([first.pool.stats().running, first.directories()]).toEqual([0, []])
  })
})
