import { describe, expect, it } from 'vitest'
import { failure, RUN_1, RUN_2, reasonCode, row, startPool } from './kit.js'

describe('the same runnable under a newer fence', () => {
  it('takes the session over from itself at once, and the older one is told', async () => {
    const { pool, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const older = await pool.occupy({ browserSessionId, ...RUN_1, runnableFence: 1 })
    const newer = await pool.occupy({ browserSessionId, ...RUN_1, runnableFence: 2 })
    expect([newer.fence, newer.isHeld, reasonCode(older)]).toEqual([2, true, 'LEASE_LOST'])
    expect(await row(storage, browserSessionId)).toMatchObject({ runnableFence: 2, leaseFence: 2, leaseToken: newer.token })
    await older.release() // changes nothing
    expect((await row(storage, browserSessionId)).leaseToken).toBe(newer.token)
  })

  it('also from a dead host whose lease has not lapsed yet', async () => {
    const { pool, clock, storage } = await startPool({ reapIntervalMs: 100_000_000 })
    const { browserSessionId } = await pool.create()
    const leaseExpiresAt = new Date(clock.now().getTime() + 25_000)
    const dead = { ...RUN_1, runnableFence: 3, leaseToken: 'x', leaseFence: 7, leaseHolder: 'host_dead', leaseExpiresAt }
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set: dead }])
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_1, runnableFence: 3 }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    expect((await pool.occupy({ browserSessionId, ...RUN_1, runnableFence: 4 })).fence).toBe(8)
  })

  it('is nobody else: another runnable, an older or equal fence, or none, is refused', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1, runnableFence: 5 })
    for (const asked of [
      { ...RUN_2, runnableFence: 9 },
      { ...RUN_1, runnableType: 'task', runnableFence: 9 },
      { ...RUN_1, runnableFence: 5 },
      { ...RUN_1, runnableFence: 4 },
      RUN_1,
    ]) {
      expect(await failure(pool.occupy({ browserSessionId, ...asked }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    }
    expect(lease.isHeld).toBe(true)
  })

  it('does not take over from a holder that gave no fence', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create()
    await pool.occupy({ browserSessionId, ...RUN_1 })
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_1, runnableFence: 1 }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
  })

  it('of many at once has one winner: the newest that is not overtaken', async () => {
    const { pool, storage } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1, runnableFence: 1 })
    const { browserSessionId } = lease
    const asked = [4, 2, 5, 3].map((runnableFence) => pool.occupy({ browserSessionId, ...RUN_1, runnableFence }))
    const taken = (await Promise.allSettled(asked)).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    expect(taken.filter((one) => one.isHeld)).toHaveLength(1)
    expect([lease.isHeld, (await row(storage, browserSessionId)).runnableFence]).toEqual([false, 5])
  })
})
