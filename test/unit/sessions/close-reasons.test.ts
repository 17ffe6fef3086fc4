import { describe, expect, it } from 'vitest'
import { FakeBrowserDriver } from '../../../src/testing/index.js'
import { createWorld, failure, RUN_1, reasonCode, row, startPool, types } from './kit.js'

const lapsedAt = (now: Date) => ({ leaseExpiresAt: new Date(now.getTime() - 10_000) })

describe('a private session whose holder lets its lease lapse', () => {
  it('ends as lease_expired, and its holder is told', async () => {
    const { pool, storage, clock, events, driver } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1, private: true })
    const { browserSessionId } = lease
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set: lapsedAt(clock.now()) }])
    await clock.advance(6_000)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'lease_expired', leaseToken: null })
    expect([reasonCode(lease), driver.liveHandles]).toEqual(['LEASE_LOST', 0])
    expect(types(events).slice(-2)).toEqual(['session.released', 'session.closed'])
  })

  it('ends so by whichever host finds it first, if its own lives', async () => {
    const first = await startPool({ hostId: 'host_a', reapIntervalMs: 100_000_000 })
    await startPool({ hostId: 'host_b' }, first.world)
    const { browserSessionId } = await first.pool.createOccupied({ runnable: RUN_1, private: true })
    await first.storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set: lapsedAt(first.clock.now()) }])
    await first.clock.advance(6_000)
    expect(await row(first.storage, browserSessionId)).toMatchObject({ closeReason: 'lease_expired' })
    await first.clock.advance(10_000)
    expect(first.driver.liveHandles).toBe(0)
  })

  it('is an orphan if its host is dead', async () => {
    const { pool, storage, clock, world } = await startPool({ hostId: 'host_a', reapIntervalMs: 100_000_000 })
    await startPool({ hostId: 'host_b' }, world)
    const { browserSessionId } = await pool.createOccupied({ runnable: RUN_1, private: true })
    const dead = { hostId: 'host_dead', hostLeaseExpiresAt: new Date(clock.now().getTime() - 10_000) }
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set: { ...dead, ...lapsedAt(clock.now()) } }])
    await clock.advance(6_000)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'orphan' })
  })
})

describe('an attached browser that cannot be held to a policy', () => {
  it('ends its session as policy_violation', async () => {
    const world = createWorld()
    const driver = new FakeBrowserDriver({ clock: world.clock })
    const connect = driver.connect.bind(driver)
    driver.connect = async (...params) =>
      Object.assign(await connect(...params), {
        guardRequests: async () => {
          throw new Error('it does not listen')
        },
      })
    const { pool, storage } = await startPool({ driver }, world)
    const networkPolicy = { check: () => null, onBlocked: () => {} }
    const asked = { private: true, runnable: RUN_1, browserAddress: 'http://127.0.0.1:9222', networkPolicy }
    await failure(pool.createOccupied(asked))
    await world.clock.advance(0)
    const [session] = await pool.list({ includePrivate: true })
    expect(await row(storage, String(session?.browserSessionId))).toMatchObject({ status: 'failed', closeReason: 'policy_violation' })
  })
})
