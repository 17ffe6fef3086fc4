import { describe, expect, it } from 'vitest'
import { failure, RUN_1, RUN_2, reasonCode, row, startPool } from './kit.js'

describe('the probe on checkout', () => {
  it('asks every browser that is handed out', async () => {
    const { pool, driver } = await startPool()
    const { browserSessionId } = await pool.create()
    for (const run of [RUN_1, RUN_2]) await (await pool.occupy({ browserSessionId, ...run })).release()
    expect(driver.handles[0]?.calls.probe).toBe(2)
  })

  it('never hands out a browser that hangs: its session ends, and the caller is told', async () => {
    const { pool, driver, clock, storage, directories } = await startPool()
    const { browserSessionId } = await pool.create()
    driver.handles[0]?.hang('probe', 'close')
    const occupying = failure(pool.occupy({ browserSessionId, ...RUN_1 }))
    await clock.advance(1_999)
    expect(driver.liveHandles).toBe(1)
    await clock.advance(1)
    expect(await occupying).toMatchObject({ code: 'SESSION_ENDED', details: { status: 'failed', closeReason: 'probe_failed' } })
    while (directories().length > 0) await clock.advance(0)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'probe_failed', leaseToken: null })
    expect(driver.liveHandles).toBe(0)
  })

  it('never hands out a dead one that nobody has noticed', async () => {
    const { pool, driver, storage, clock } = await startPool()
    const { browserSessionId } = await pool.create()
    const handle = driver.handles[0]
    if (handle !== undefined) handle.probe = () => Promise.reject(new Error('Target closed'))
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_1 }))).toMatchObject({ code: 'SESSION_ENDED' })
    await clock.advance(0)
    expect((await row(storage, browserSessionId)).closeReason).toBe('probe_failed')
  })

  it('leaves no timer behind', async () => {
    const { pool, clock } = await startPool({ reapIntervalMs: 100_000_000 })
    const { browserSessionId } = await pool.create()
    const before = clock.pendingTimers
    await (await pool.occupy({ browserSessionId, ...RUN_1 })).release()
    await (await pool.occupy({ browserSessionId, ...RUN_1 })).release()
    expect(clock.pendingTimers).toBeLessThanOrEqual(before + 1) // the watch of the last lease's end
  })
})

describe('a held browser', () => {
  it('that hangs for three rounds of the reaper is lost, and its holder is told', async () => {
    const { pool, driver, clock, storage } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    driver.handles[0]?.hang('probe', 'close')
    await clock.advance(12_000)
    expect(lease.isHeld).toBe(true)
    await clock.advance(12_000)
    expect(reasonCode(lease)).toBe('SESSION_LOST')
    await clock.advance(0)
    expect(await row(storage, lease.browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'probe_failed' })
    expect(driver.liveHandles).toBe(0)
  })

  it('that answers again in time is kept', async () => {
    const { pool, driver, clock } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const handle = driver.handles[0]
    const answers = handle?.probe.bind(handle)
    for (let round = 0; round < 4; round += 1) {
      if (handle !== undefined) handle.probe = () => new Promise(() => {})
      await clock.advance(9_000) // one or two rounds: each is 5 s and the 2 s of the probe
      if (handle !== undefined && answers !== undefined) handle.probe = answers
      await clock.advance(9_000)
    }
    expect(lease.isHeld).toBe(true)
  })

  it('that refuses to answer is lost at once', async () => {
    const { pool, driver, clock } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const handle = driver.handles[0]
    if (handle !== undefined) handle.probe = () => Promise.reject(new Error('Target closed'))
    await clock.advance(5_000)
    expect(reasonCode(lease)).toBe('SESSION_LOST')
  })
})
