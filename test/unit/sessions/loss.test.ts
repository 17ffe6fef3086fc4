import { describe, expect, it } from 'vitest'
import { faultyStorage } from '../../../src/testing/index.js'
import { createWorld, FakeStreaming, failure, RUN_1, RUN_2, reasonCode, row, startPool, types } from './kit.js'

describe('a browser that dies', () => {
  it('aborts its holder in the same tick and is never handed out again', async () => {
    const { pool, driver } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const { browserSessionId } = lease
    driver.handleOf(browserSessionId)?.crash('process exited with SIGKILL')
    expect(lease.signal.aborted).toBe(true)
    expect(lease.signal.reason).toMatchObject({ code: 'SESSION_LOST', details: { reason: 'process exited with SIGKILL' } })
    expect(pool.stats().running).toBe(0)
    const error = await failure(pool.occupy({ browserSessionId, ...RUN_2 }))
    expect(['SESSION_ENDED', 'SESSION_HOST_UNAVAILABLE']).toContain(error.code)
  })

  it('ends as failed, with events in order, and leaves nothing', async () => {
    const streaming = new FakeStreaming()
    const { pool, driver, clock, events, storage, directories } = await startPool({ streaming })
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    driver.handles[0]?.crash('killed')
    while (directories().length > 0) await clock.advance(0)
    expect(await row(storage, lease.browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'crashed', leaseToken: null })
    expect(types(events).slice(-3)).toEqual(['session.lost', 'session.released', 'session.closed'])
    expect(events.at(-3)?.payload).toMatchObject({ reason: 'killed' })
    expect(streaming.calls.at(-1)).toBe(`stopDisplay ${lease.browserSessionId}`)
    expect([streaming.views.size, driver.handles[0]?.listenerCount]).toEqual([0, 0])
    await lease.release() // nothing to give back, and no error
  })

  it('spares the other sessions', async () => {
    const { pool, driver, clock } = await startPool()
    const lost = await pool.createOccupied({ runnable: RUN_1 })
    const other = await pool.createOccupied({ runnable: RUN_2 })
    driver.handleOf(lost.browserSessionId)?.crash()
    await clock.advance(60_000)
    expect([other.isHeld, other.signal.aborted]).toEqual([true, false])
  })

  it('is lost with its display', async () => {
    const streaming = new FakeStreaming()
    const { pool, driver, clock, storage } = await startPool({ streaming })
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    for (const listener of streaming.exits.get(lease.browserSessionId) ?? []) listener('X server exited')
    expect(reasonCode(lease)).toBe('SESSION_LOST')
    await clock.advance(0)
    expect(driver.liveHandles).toBe(0)
    expect(await row(storage, lease.browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'crashed' })
  })

  it('is recorded later when the storage fails just then', async () => {
    const world = createWorld()
    const storage = faultyStorage(world.storage)
    const { pool, driver, clock, directories } = await startPool({ storage }, world)
    const { browserSessionId } = await pool.create()
    storage.reset({ failAtCall: 1, fails: 'onwards' })
    driver.handles[0]?.crash()
    while (directories().length > 0) await clock.advance(0)
    expect((await row(world.storage, browserSessionId)).status).toBe('running')
    storage.reset()
    // a round of the reaper, or two where the first comes while the disk is still at work
    for (let round = 0; round < 3 && (await row(world.storage, browserSessionId)).status === 'running'; round += 1)
      await clock.advance(6_000)
    expect(await row(world.storage, browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'crashed' })
  })

  it('while it is being closed changes nothing', async () => {
    const { pool, driver, events } = await startPool()
    const { browserSessionId } = await pool.create()
    pool.on('session.closed', () => driver.handles[0]?.crash())
    expect(await pool.close({ browserSessionId })).toMatchObject({ status: 'completed', closeReason: 'user' })
    expect(types(events)).not.toContain('session.lost')
  })
})
