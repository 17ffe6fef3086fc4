import { describe, expect, it } from 'vitest'
import { createWorld, FakeStreaming, failure, RUN_1, RUN_2, reasonCode, row, startPool, types } from './kit.js'

describe('closing a session', () => {
  it('ends row, view, viewers, browser, display and folder', async () => {
    const streaming = new FakeStreaming()
    const { pool, driver, storage, directories, events } = await startPool({ streaming })
    const { browserSessionId } = await pool.create()
    expect([streaming.views.size, directories().length]).toEqual([1, 1])
    const closed = await pool.close({ browserSessionId })
    expect(closed).toMatchObject({ status: 'completed', closeReason: 'user' })
    expect(closed.completedAt).not.toBeNull()
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'completed' })
    expect([streaming.views.size, driver.liveHandles, directories()]).toEqual([0, 0, []])
    expect(driver.handles[0]?.calls).toMatchObject({ close: 1, kill: 0 })
    expect(driver.handles[0]?.listenerCount).toBe(0)
    expect(streaming.calls.slice(-2)).toEqual([`endViewers ${browserSessionId}`, `stopDisplay ${browserSessionId}`])
    expect(types(events).at(-1)).toBe('session.closed')
  })

  it('is idempotent, also for callers at the same time', async () => {
    const { pool, driver, events } = await startPool()
    const { browserSessionId } = await pool.create()
    const closed = await Promise.all([1, 2, 3].map(() => pool.close({ browserSessionId })))
    closed.push(await pool.close({ browserSessionId, force: true, reason: 'drained' }))
    expect(closed.map(({ status, closeReason }) => [status, closeReason])).toEqual(Array(4).fill(['completed', 'user']))
    expect(driver.handles[0]?.calls.close).toBe(1)
    expect(types(events).filter((type) => type === 'session.closed')).toHaveLength(1)
  })

  it('is refused while somebody else holds it', async () => {
    const { pool, driver } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    expect(await failure(pool.close({ browserSessionId: lease.browserSessionId }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    expect([driver.liveHandles, lease.isHeld]).toEqual([1, true])
  })

  it('by force aborts the holder first', async () => {
    const { pool, events } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const closing = pool.close({ browserSessionId: lease.browserSessionId, force: true })
    expect(reasonCode(lease)).toBe('LEASE_LOST')
    await closing
    expect(types(events).slice(-2)).toEqual(['session.released', 'session.closed'])
    await lease.release()
  })

  it('is granted to the holder, whose signal does not abort', async () => {
    const { pool, driver } = await startPool()
    const lease = await pool.createOccupied({ private: true, runnable: RUN_1 })
    await pool.close({ browserSessionId: lease.browserSessionId, reason: 'released', lease })
    expect([lease.signal.aborted, lease.isHeld, driver.liveHandles, lease.releaseWrites()]).toEqual([false, false, 0, []])
  })

  it('is refused to a former holder', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create()
    const first = await pool.occupy({ browserSessionId, ...RUN_1 })
    await first.release()
    const second = await pool.occupy({ browserSessionId, ...RUN_2 })
    expect(await failure(pool.close({ browserSessionId, lease: first }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    expect(second.isHeld).toBe(true)
  })

  it('and occupying at the same time: one of them wins, and both agree on which', async () => {
    for (const order of ['close first', 'occupy first']) {
      const { pool, driver } = await startPool({}, createWorld())
      const { browserSessionId } = await pool.create()
      const calls = [() => pool.close({ browserSessionId }), () => pool.occupy({ browserSessionId, ...RUN_1 })]
      if (order === 'occupy first') calls.reverse()
      const [first, second] = await Promise.allSettled(calls.map((call) => call()))
      expect([first?.status, second?.status]).toEqual(['fulfilled', 'rejected'])
      expect(driver.liveHandles).toBe(order === 'close first' ? 0 : 1)
    }
  })

  it('kills a browser that does not close within its time', async () => {
    const { pool, driver, clock, directories } = await startPool()
    const { browserSessionId } = await pool.create()
    driver.handles[0]?.hang('close')
    const closing = pool.close({ browserSessionId })
    await clock.advance(5_000)
    expect(await closing).toMatchObject({ status: 'completed' })
    expect([driver.handles[0]?.calls.kill, driver.liveHandles, directories()]).toEqual([1, 0, []])
  })

  it('keeps the place and the folder of a browser that is not confirmed gone, and tries again', async () => {
    const { pool, driver, clock, directories } = await startPool({ maxSessions: 1 })
    const { browserSessionId } = await pool.create()
    const handle = driver.handles[0]
    handle?.hang('close', 'kill')
    const closing = pool.close({ browserSessionId })
    await clock.advance(10_000)
    await closing
    expect([pool.stats().ending, directories().length]).toEqual([1, 1])
    expect(await failure(pool.create())).toMatchObject({ code: 'POOL_SATURATED' })
    if (handle !== undefined) handle.kill = async () => handle.crash()
    while (pool.stats().ending > 0) await clock.advance(1_000)
    while (directories().length > 0) await clock.advance(0)
    expect(await pool.create()).toMatchObject({ status: 'running' })
  })

  it('ends a launch in progress', async () => {
    const { pool, driver, storage, directories } = await startPool()
    driver.scriptLaunch({ delayMs: 5_000 })
    const creating = failure(pool.create())
    while (driver.pendingLaunches === 0) await new Promise((resolve) => setImmediate(resolve))
    const [session] = await pool.list()
    await pool.close({ browserSessionId: session?.browserSessionId ?? '' })
    expect(await creating).toMatchObject({ code: 'SESSION_ENDED' })
    expect(await row(storage, session?.browserSessionId ?? '')).toMatchObject({ status: 'completed', closeReason: 'user' })
    expect([driver.liveHandles, directories(), pool.stats().starting]).toEqual([0, [], 0])
  })
})
