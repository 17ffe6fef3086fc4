import { describe, expect, it } from 'vitest'
import { FakeBrowserDriver, FakeClock } from '../../../src/testing/index.js'
import { createWorld, FakeStreaming, failure, RUN_1, row, startPool, types } from './kit.js'

const browserAddress = 'http://127.0.0.1:9222'
const attached = { private: true, runnable: RUN_1, browserAddress }

describe('a session on a browser that somebody else has started', () => {
  it('attaches to it, without a display, and says so on its row', async () => {
    const streaming = new FakeStreaming()
    const { pool, driver, storage, events, directories } = await startPool({ streaming })
    const lease = await pool.createOccupied(attached)
    expect(driver.specs).toEqual([])
    expect(driver.connections).toMatchObject([{ browserSessionId: lease.browserSessionId, browserAddress }])
    expect(await row(storage, lease.browserSessionId)).toMatchObject({
      status: 'running',
      browserAddress,
      pid: null,
      displayBackend: null,
      displayUnavailableReason: null,
      guarded: false,
      private: true,
    })
    expect(types(events)).toEqual(['session.created', 'session.started', 'session.occupied'])
    await pool.close({ browserSessionId: lease.browserSessionId, reason: 'released', lease })
    expect(driver.handles[0]?.calls).toMatchObject({ close: 1, kill: 0 })
    expect(driver.handles[0]?.listenerCount).toBe(0)
    expect(directories()).toEqual([])
  })

  it('ends as disconnected when the browser goes away', async () => {
    const { pool, driver, storage, clock } = await startPool()
    const lease = await pool.createOccupied(attached)
    driver.handles[0]?.crash('disconnected')
    expect(lease.signal.aborted).toBe(true)
    await clock.advance(0)
    expect(await row(storage, lease.browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'disconnected' })
  })

  it('fails like a launch when nothing answers, and leaves nothing', async () => {
    const { pool, driver, storage, directories } = await startPool()
    driver.scriptLaunch({ fails: 'timeout' })
    expect((await failure(pool.createOccupied(attached))).code).toBe('BROWSER_LAUNCH_FAILED')
    const [session] = await pool.list({ includePrivate: true })
    expect(await row(storage, String(session?.browserSessionId))).toMatchObject({
      status: 'failed',
      closeReason: 'launch_failed',
      browserAddress,
    })
    expect(directories()).toEqual([])
    expect(pool.stats()).toMatchObject({ running: 0 })
  })

  it('is given up on when it answers too late: what comes then is let go of', async () => {
    const world = createWorld()
    const driver = new FakeBrowserDriver({ clock: world.clock, launch: { delayMs: 60_000, ignoresDeadline: true } })
    const { pool } = await startPool({ driver, launchTimeoutMs: 1_000 }, world)
    const failed = failure(pool.createOccupied(attached))
    while (driver.pendingLaunches === 0) await new Promise(setImmediate)
    await world.clock.advance(2_000)
    expect(await failed).toMatchObject({ code: 'BROWSER_LAUNCH_FAILED', details: { category: 'timeout' } })
    await world.clock.advance(60_000)
    expect(driver.liveHandles).toBe(0)
  })

  it('cannot be guarded, and needs a driver that can attach', async () => {
    const { pool, storage } = await startPool()
    expect((await failure(pool.createOccupied({ ...attached, guarded: true }))).code).toBe('SCOPE_NOT_ENFORCEABLE')
    expect((await failure(pool.createOccupied({ ...attached, browserAddress: 'unix:/tmp/x' }))).code).toBe('INVALID_ARGUMENT')
    expect(await storage.count('browser_sessions')).toBe(0)
    const driver = Object.assign(new FakeBrowserDriver({ clock: new FakeClock() }), { connect: undefined }) as never
    const other = await startPool({ driver })
    expect(await failure(other.pool.createOccupied(attached))).toMatchObject({
      code: 'BROWSER_LAUNCH_FAILED',
      details: { category: 'unsupported', driver: 'fake' },
    })
  })
})
