import { describe, expect, it } from 'vitest'
import { failure, RUN_1, RUN_2, reasonCode, row, startPool, types } from './kit.js'

describe('forceRelease', () => {
  it('tells the holder, refuses its fence, and frees the session', async () => {
    const { pool, storage, events, driver } = await startPool()
    const { browserSessionId } = await pool.create()
    const stuck = await pool.occupy({ browserSessionId, ...RUN_1 })
    const writes = stuck.releaseWrites()
    stuck.markReleased(false)
    const freed = await pool.forceRelease({ browserSessionId })
    expect(freed).toMatchObject({ status: 'running', runnableId: null, leaseFence: 1 })
    expect([reasonCode(stuck), stuck.isHeld]).toEqual(['LEASE_LOST', false])
    expect((await storage.commit(writes)).ok).toBe(false)
    expect(events.at(-1)).toMatchObject({ type: 'session.released', payload: { ...RUN_1, leaseFence: 1 } })
    await stuck.release() // nothing to give back, and no error
    const next = await pool.occupy({ browserSessionId, ...RUN_2 })
    expect([next.fence, next.isHeld, driver.liveHandles]).toEqual([2, true, 1])
  })

  it('aborts the signal of the holder before the write', async () => {
    const { pool } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    let wasAborted = false
    pool.on('session.released', () => {
      wasAborted = lease.signal.aborted
    })
    await pool.forceRelease({ browserSessionId: lease.browserSessionId })
    expect(wasAborted).toBe(true)
  })

  it('does nothing where nobody holds it, and refuses what does not exist', async () => {
    const { pool, events } = await startPool()
    const { browserSessionId } = await pool.create()
    expect(await pool.forceRelease({ browserSessionId })).toMatchObject({ status: 'running', leaseFence: 0 })
    expect(types(events)).not.toContain('session.released')
    expect(await failure(pool.forceRelease({ browserSessionId: 'bs_none' }))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
    expect(await failure(pool.forceRelease({ organizationId: 'other', browserSessionId }))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })

  it('reaches a holder through another host at its next heartbeat', async () => {
    const first = await startPool({ hostId: 'host_a' })
    const second = await startPool({ hostId: 'host_b' }, first.world)
    const lease = await first.pool.createOccupied({ runnable: RUN_1 })
    await second.pool.forceRelease({ browserSessionId: lease.browserSessionId })
    expect((await row(first.storage, lease.browserSessionId)).leaseToken).toBeNull()
    await first.clock.advance(10_000)
    expect(reasonCode(lease)).toBe('LEASE_LOST')
  })

  it('ends only the lease that was there at the call', async () => {
    const { pool, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const first = await pool.occupy({ browserSessionId, ...RUN_1 })
    const forcing = pool.forceRelease({ browserSessionId })
    await first.release().catch(() => {}) // it may have been ended already
    const second = await pool.occupy({ browserSessionId, ...RUN_2 })
    await forcing
    expect([second.isHeld, (await row(storage, browserSessionId)).runnableId]).toEqual([true, 'wr_2'])
  })
})
