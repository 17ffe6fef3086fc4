import { describe, expect, it } from 'vitest'
import { faultyStorage } from '../../../src/testing/index.js'
import { createWorld, FakeStreaming, failure, RUN_1, RUN_2, reasonCode, row, startPool, types } from './kit.js'

const RELAUNCHED = { onBrowserLost: 'relaunch' } as const

describe('a lost browser that is to be relaunched', () => {
  it('is replaced on the same profile, under the same id, with a new fence', async () => {
    const { pool, driver, clock, storage, events } = await startPool()
    const lease = await pool.createOccupied({ ...RELAUNCHED, runnable: RUN_1, timeoutMinutes: 60 })
    const { browserSessionId } = lease
    const { expiresAt, startedAt } = await row(storage, browserSessionId)
    await clock.advance(1_000)
    driver.handles[0]?.crash('killed')
    expect([reasonCode(lease), pool.stats().running, pool.stats().starting]).toEqual(['SESSION_LOST', 0, 1])
    const next = await pool.occupy({ browserSessionId, ...RUN_2 })
    expect([next.fence, next.isHeld, driver.liveHandles, driver.maxLiveHandles]).toEqual([3, true, 1, 1])
    expect(next.browser).toBe(driver.handles[1])
    expect(driver.specs.map((spec) => (spec as { directory?: string }).directory)[1]).toBe(
      (driver.specs[0] as { directory?: string }).directory,
    )
    const after = await row(storage, browserSessionId)
    expect(after).toMatchObject({ status: 'running', expiresAt, startedAt, pid: driver.handles[1]?.process?.pid, runnableId: 'wr_2' })
    expect(types(events).filter((type) => /lost|released|relaunched|occupied/.test(type))).toEqual([
      'session.occupied',
      'session.lost',
      'session.released',
      'session.relaunched',
      'session.occupied',
    ])
    expect(events.find(({ type }) => type === 'session.relaunched')?.payload).toMatchObject({ browserSessionId, leaseFence: 2 })
    await lease.release() // nothing to give back, and no error
    expect(next.isHeld).toBe(true)
  })

  it('passes through retry, and nobody gets it meanwhile', async () => {
    const { pool, driver, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create(RELAUNCHED)
    driver.scriptLaunch({ delayMs: 5_000 })
    driver.handles[0]?.crash()
    await clock.advance(1_000)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'retry', pid: null })
    const waiting = pool.occupy({ browserSessionId, ...RUN_1 })
    await clock.advance(4_000)
    expect((await waiting).browser).toBe(driver.handles[1])
  })

  it('never has a second browser while the first may live', async () => {
    const { pool, driver, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create(RELAUNCHED)
    const first = driver.handles[0]
    first?.hang('kill')
    for (const listener of ['the browser disconnected']) first?.disconnect(listener)
    await clock.advance(6_000)
    expect([driver.handles.length, driver.liveHandles]).toEqual([1, 1])
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'crashed' })
    expect(pool.stats().ending).toBe(1) // its place is taken until it is gone
    if (first !== undefined) first.kill = async () => first.crash()
    while (pool.stats().ending > 0) await clock.advance(1_000)
    expect(driver.liveHandles).toBe(0)
  })

  it('and whose launch fails ends the session, with no latch and nothing left', async () => {
    const { pool, driver, clock, storage, directories } = await startPool({ maxSessions: 1 })
    const { browserSessionId } = await pool.create(RELAUNCHED)
    driver.scriptLaunch({ fails: 'crashed' })
    driver.handles[0]?.crash()
    const error = await failure(pool.occupy({ browserSessionId, ...RUN_1 }))
    expect(error.code).toMatch(/^SESSION_(ENDED|HOST_UNAVAILABLE)$/)
    while (directories().length > 0) await clock.advance(0)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'crashed' })
    expect([driver.liveHandles, pool.stats().starting, pool.stats().ending]).toEqual([0, 0, 0])
    expect(await pool.create()).toMatchObject({ status: 'running' })
  })

  it('and whose launch fails tells the end of its lease once', async () => {
    const { pool, driver, clock, storage, events } = await startPool()
    const { browserSessionId } = await pool.createOccupied({ ...RELAUNCHED, runnable: RUN_1 })
    driver.scriptLaunch({ fails: 'crashed' })
    driver.handles[0]?.crash()
    while ((await row(storage, browserSessionId)).status !== 'failed') await clock.advance(0)
    expect(types(events).filter((type) => /lost|released|closed/.test(type))).toEqual([
      'session.lost',
      'session.released',
      'session.closed',
    ])
  })

  it('is given up when it is lost a fourth time in ten minutes', async () => {
    const { pool, driver, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create(RELAUNCHED)
    for (let round = 1; round <= 3; round += 1) {
      driver.handles.at(-1)?.crash()
      while (driver.handles.length === round || (await row(storage, browserSessionId)).status !== 'running') await clock.advance(100)
    }
    driver.handles.at(-1)?.crash()
    await clock.advance(100)
    expect([driver.handles.length, (await row(storage, browserSessionId)).status]).toEqual([4, 'failed'])
  })

  it('is closed like any other while that is under way', async () => {
    const { pool, driver, clock, storage, directories } = await startPool()
    const { browserSessionId } = await pool.create(RELAUNCHED)
    driver.scriptLaunch({ delayMs: 60_000 })
    driver.handles[0]?.crash()
    await clock.advance(1_000)
    expect(await pool.close({ browserSessionId })).toMatchObject({ status: 'completed', closeReason: 'user' })
    while (directories().length > 0) await clock.advance(0)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'user' })
    expect([driver.liveHandles, driver.pendingLaunches, pool.stats().starting]).toEqual([0, 0, 0])
  })

  it('is ended by a stop of the pool', async () => {
    const { pool, driver, clock, storage, directories } = await startPool()
    const { browserSessionId } = await pool.create(RELAUNCHED)
    driver.scriptLaunch({ delayMs: 60_000 })
    driver.handles[0]?.crash()
    await clock.advance(1_000)
    await pool.stop()
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'shutdown' })
    expect([driver.liveHandles, driver.pendingLaunches, directories(), clock.pendingTimers]).toEqual([0, 0, [], 0])
  })

  it('survives a display that died with it, and one that died alone', async () => {
    const streaming = new FakeStreaming()
    const { pool, driver, clock, storage } = await startPool({ streaming })
    const { browserSessionId } = await pool.create(RELAUNCHED)
    for (const listener of streaming.exits.get(browserSessionId) ?? []) listener('X server exited')
    await clock.advance(1_000)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'running', displayNumber: 7 })
    expect([driver.liveHandles, driver.handles[0]?.isAlive, streaming.views.size]).toEqual([1, false, 1])
    expect(streaming.calls.filter((call) => call.startsWith('startDisplay'))).toHaveLength(2)
  })

  it('follows a hang that the probe has found', async () => {
    const { pool, driver, clock } = await startPool()
    const { browserSessionId } = await pool.create(RELAUNCHED)
    driver.handles[0]?.hang('probe')
    const occupying = pool.occupy({ browserSessionId, ...RUN_1 })
    await clock.advance(2_000)
    const lease = await occupying
    expect([lease.browser === driver.handles[1], driver.liveHandles, lease.isHeld]).toEqual([true, 1, true])
  })

  it('whose loss cannot be written is not replaced, and is recorded later', async () => {
    const world = createWorld()
    const storage = faultyStorage(world.storage)
    const { pool, driver, clock } = await startPool({ storage }, world)
    const { browserSessionId } = await pool.create(RELAUNCHED)
    storage.reset({ failAtCall: 1, fails: 'onwards' })
    driver.handles[0]?.crash()
    await clock.advance(1_000)
    expect([driver.handles.length, driver.liveHandles]).toEqual([1, 0])
    storage.reset()
    await clock.advance(12_000)
    expect(await row(world.storage, browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'crashed' })
  })

  it('that nobody can launch again: an ended one stays ended', async () => {
    const { pool, driver, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create(RELAUNCHED)
    await pool.close({ browserSessionId })
    driver.handles[0]?.crash()
    await clock.advance(1_000)
    expect([driver.handles.length, (await row(storage, browserSessionId)).status]).toEqual([1, 'completed'])
  })
})
