import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { StreamingError } from '../../../src/errors/index.js'
import { FakeBrowserDriver } from '../../../src/testing/fake-browser-driver.js'
import { createWorld, FakeStreaming, failure, RUN_1, row, startPool, types } from './kit.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('creating a session', () => {
  it('writes the row first, then launches, then says running', async () => {
    const { pool, driver, clock, storage, events } = await startPool()
    driver.scriptLaunch({ delayMs: 300 })
    const creating = pool.create({ timeoutMinutes: 30, viewport: { width: 800, height: 600 } })
    while (driver.pendingLaunches === 0) await turn()
    const [created] = await pool.list()
    expect(created).toMatchObject({ status: 'created', startedAt: null, expiresAt: null, hostId: pool.hostId })
    await clock.advance(300)
    const session = await creating
    const now = clock.now().getTime()
    expect(session).toMatchObject({ status: 'running', pid: driver.handles[0]?.process?.pid, timeoutMinutes: 30 })
    expect(session.pid).not.toBeNull()
    expect([session.startedAt?.getTime(), session.expiresAt?.getTime()]).toEqual([now, now + 30 * 60_000])
    expect((await row(storage, session.browserSessionId)).hostLeaseExpiresAt?.getTime()).toBe(now + 30_000)
    expect(types(events)).toEqual(['session.created', 'session.started'])
    expect(events[1]?.payload).toMatchObject({ launchMs: 300, displayBackend: null })
  })

  it('gives the browser a private folder of its own', async () => {
    const { pool, driver, baseDirectory } = await startPool()
    const { browserSessionId } = await pool.create()
    const spec = driver.specs[0]
    expect(spec?.directory.startsWith(join(baseDirectory, 'runwright-session-'))).toBe(true)
    expect(spec?.env.TMPDIR).toBe(join(spec?.directory ?? '', 'tmp'))
    expect(statSync(spec?.directory ?? '').mode & 0o777).toBe(0o700)
    for (const folder of ['tmp', 'profile', 'downloads']) expect(existsSync(join(spec?.directory ?? '', folder))).toBe(true)
    const owner = JSON.parse(readFileSync(join(spec?.directory ?? '', 'owner.json'), 'utf8'))
    expect(owner).toMatchObject({ pid: process.pid, browserSessionId, hostId: pool.hostId })
  })

  it.each([
    [{ timeoutMinutes: 4 }, 'timeoutMinutes'],
    [{ timeoutMinutes: 1_441 }, 'timeoutMinutes'],
    [{ url: 'javascript:alert(1)' }, 'url'],
    [{ viewport: { width: 1, height: 600 } }, 'viewport.width'],
    [{ colour: 'red' }, 'colour'],
  ])('refuses %j', async (params, path) => {
    const { pool, storage } = await startPool()
    const error = await failure(pool.create(params as never))
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { path } })
    expect(await storage.count('browser_sessions')).toBe(0)
  })

  it('refuses more than this host may have, with the figures', async () => {
    const { pool } = await startPool({ maxSessions: 2 })
    await Promise.all([pool.create(), pool.create()])
    const error = await failure(pool.create())
    expect(error).toMatchObject({ code: 'POOL_SATURATED', details: { maxSessions: 2, running: 2, starting: 0, ending: 0 } })
    expect(pool.health()).toMatchObject({ status: 'exhausted' })
  })

  it('launches in parallel', async () => {
    const { pool, driver, clock } = await startPool()
    driver.scriptLaunch(...Array(8).fill({ delayMs: 500 }))
    const creating = Promise.all(Array.from({ length: 8 }, () => pool.create()))
    while (driver.pendingLaunches < 8) await turn()
    await clock.advance(500)
    expect(await creating).toHaveLength(8)
  })
})

describe('a launch that fails', () => {
  it.each(['executable_missing', 'crashed', 'timeout'] as const)('(%s) ends the row as failed and leaves nothing', async (category) => {
    const { pool, driver, events, directories } = await startPool()
    driver.scriptLaunch({ fails: category })
    const error = await failure(pool.create())
    expect(error.code).toBe(category === 'executable_missing' ? 'BROWSER_NOT_FOUND' : 'BROWSER_LAUNCH_FAILED')
    const [session] = await pool.list()
    expect(session).toMatchObject({ status: 'failed', closeReason: 'launch_failed' })
    expect(types(events)).toEqual(['session.created', 'session.closed'])
    expect([driver.liveHandles, directories(), pool.stats().starting]).toEqual([0, [], 0])
  })

  it('is wrapped when the driver throws something else', async () => {
    const { pool, driver } = await startPool()
    const cause = new Error('EACCES')
    driver.scriptLaunch({ fails: cause })
    expect(await failure(pool.create())).toMatchObject({ code: 'BROWSER_LAUNCH_FAILED', category: 'unknown', cause })
  })

  it('by hanging frees its caller at the deadline, and is accounted for when it comes up late', async () => {
    const { pool, driver, clock, directories } = await startPool({ launchTimeoutMs: 10_000, maxSessions: 1 })
    driver.scriptLaunch({ delayMs: 60_000, ignoresDeadline: true })
    const creating = failure(pool.create())
    while (driver.pendingLaunches === 0) await turn()
    await clock.advance(11_000)
    expect(await creating).toMatchObject({ code: 'BROWSER_LAUNCH_FAILED', category: 'timeout' })
    expect([pool.stats().starting, directories().length]).toEqual([1, 1])
    expect(await failure(pool.create())).toMatchObject({ code: 'POOL_SATURATED' })
    await clock.advance(49_000)
    while (directories().length > 0 || pool.stats().starting > 0) await clock.advance(0)
    expect([driver.handles[0]?.calls.kill, driver.liveHandles, pool.stats().starting]).toEqual([1, 0, 0])
  })

  it('because its caller gave up rejects with that reason', async () => {
    const { pool, driver, clock, directories } = await startPool()
    driver.scriptLaunch({ delayMs: 5_000 })
    const abort = new AbortController()
    const creating = failure(pool.create({ signal: abort.signal }))
    while (driver.pendingLaunches === 0) await turn()
    abort.abort(new Error('never mind'))
    expect(await creating).toMatchObject({ message: 'never mind' })
    while (directories().length > 0) await clock.advance(0)
    expect([driver.liveHandles, (await pool.list())[0]?.closeReason]).toEqual([0, 'launch_failed'])
  })

  it('leaves a born-occupied session without a holder', async () => {
    const { pool, driver } = await startPool()
    driver.scriptLaunch({ fails: 'crashed' })
    expect(await failure(pool.createOccupied({ runnable: RUN_1 }))).toMatchObject({ code: 'BROWSER_LAUNCH_FAILED' })
    expect((await pool.list())[0]).toMatchObject({ status: 'failed', runnableId: null })
  })
})

describe('the display of a session', () => {
  it('comes before the browser, which runs headed on it', async () => {
    const streaming = new FakeStreaming()
    const { pool, driver } = await startPool({ streaming })
    const session = await pool.create()
    expect(session).toMatchObject({ displayBackend: 'xvnc', displayNumber: 7, displayDir: '/x', displayUnavailableReason: null })
    expect(driver.specs[0]).toMatchObject({ headless: false, launchArgs: ['--window-size=1280,720'], env: { DISPLAY: ':7' } })
    const view = streaming.views.get(session.browserSessionId)
    expect(await view?.pages()).toEqual([{ pageId: 'page-1', url: 'about:blank', title: expect.any(String) }])
  })

  it('when it is not to be had leaves the browser headless, and says why', async () => {
    const streaming = new FakeStreaming()
    streaming.failsWith = new StreamingError('Xtigervnc is missing: apt-get install tigervnc', { code: 'DISPLAY_PROGRAM_MISSING' })
    const { pool, driver, events } = await startPool({ streaming })
    const session = await pool.create()
    const reason = 'Xtigervnc is missing: apt-get install tigervnc'
    expect(session).toMatchObject({ status: 'running', displayBackend: null, displayUnavailableReason: reason })
    expect(driver.specs[0]).toMatchObject({ headless: true, launchArgs: [] })
    expect(types(events)).toEqual(['session.created', 'display.degraded', 'session.started'])
    expect(events[1]?.payload).toEqual({ browserSessionId: session.browserSessionId, reason })
  })

  it('when it hangs does not hang the session', async () => {
    const streaming = new FakeStreaming()
    streaming.hangs = true
    const { pool, clock } = await startPool({ streaming })
    const creating = pool.create()
    while (!streaming.calls.some((call) => call.startsWith('startDisplay'))) await turn()
    await clock.advance(15_000)
    expect(await creating).toMatchObject({ status: 'running', displayBackend: null })
  })

  it('is stopped when the browser does not come up', async () => {
    const streaming = new FakeStreaming()
    const { pool, driver } = await startPool({ streaming })
    driver.scriptLaunch({ fails: 'crashed' })
    await failure(pool.create())
    expect(streaming.calls.at(-1)).toMatch(/^stopDisplay/)
  })

  it('is not asked for when the session is to be headless', async () => {
    const streaming = new FakeStreaming()
    const { pool } = await startPool({ streaming })
    expect(await pool.create({ headless: true })).toMatchObject({ displayBackend: null, displayUnavailableReason: null })
    expect(streaming.calls).toEqual(['start'])
  })
})

describe('the url of a session', () => {
  it('is open when the session is handed out', async () => {
    const world = createWorld()
    const driver = new FakeBrowserDriver({ clock: world.clock, site: { 'https://shop.test/': { title: 'Shop' } } })
    const { pool } = await startPool({ driver }, world)
    const { browserSessionId } = await pool.create({ url: 'https://shop.test/' })
    expect(driver.handles[0]?.pages()[0]?.url()).toBe('https://shop.test/')
    expect(pool.urlFailure({ browserSessionId })).toBeNull()
  })

  it('that does not load fails nothing, and says why', async () => {
    const world = createWorld()
    const driver = new FakeBrowserDriver({ clock: world.clock, site: {} })
    const { pool } = await startPool({ driver }, world)
    const { browserSessionId, status } = await pool.create({ url: 'https://nowhere.test/' })
    expect(status).toBe('running')
    expect(pool.urlFailure({ browserSessionId })).toContain('nowhere.test')
  })
})
