import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MemoryStorage, SessionPool, type SessionPoolOptions, StreamingSupervisor } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { isProcessAlive } from '../../src/playwright/process-tree.js'
import { missingBrowser, startSite } from '../integration/playwright-kit.js'
import { describeUnless, missing } from '../support/skips.js'

const RUN_1 = { runnableType: 'workflow_run', runnableId: 'wr_1' }

describeUnless(missingBrowser, 'giving sessions out', () => {
  let baseDirectory: string
  let storage: MemoryStorage
  let pool: SessionPool

  beforeEach(() => {
    baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-alloc-'))
    storage = new MemoryStorage()
  })
  afterEach(async () => {
    await pool.stop()
    expect(readdirSync(baseDirectory)).toEqual([])
    rmSync(baseDirectory, { recursive: true, force: true })
  })

  async function start(options: Partial<SessionPoolOptions> = {}): Promise<void> {
    pool = new SessionPool({ storage, driver: new PlaywrightDriver(), organizationId: 'acme', baseDirectory, ...options })
    await pool.start()
  }
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  it('hands a warm browser out in a moment, and it is a session like any other', async () => {
    const site = await startSite({ '/': '<title>Home</title>' })
    await start({ warm: { min: 1 } })
    await until(() => pool.stats().warm === 1)
    const beganMs = performance.now()
    const lease = await pool.acquire({ ...RUN_1 })
    expect(performance.now() - beganMs).toBeLessThan(100) // the target is 10 ms
    const page = await lease.page()
    await page.navigate(`${site.base}/`, { signal: lease.signal, timeoutMs: 5_000 })
    expect(await page.title({ signal: lease.signal, timeoutMs: 5_000 })).toBe('Home')
    const { pid } = lease.session
    expect(isProcessAlive({ pid: pid ?? 0, startTime: lease.session.pidStartTime })).toBe(true)
    await until(() => pool.stats().warm === 1)
    await pool.close({ browserSessionId: lease.browserSessionId, lease })
    expect(isProcessAlive({ pid: pid ?? 0, startTime: lease.session.pidStartTime })).toBe(false)
    await site.stop()
  })

  it('replaces a warm browser that is killed, and hands out none that is dead', async () => {
    const driver = new PlaywrightDriver()
    const pids: number[] = []
    const launch = driver.launch.bind(driver)
    driver.launch = async (...params) => {
      const browser = await launch(...params)
      pids.push(browser.process?.pid ?? 0)
      return browser
    }
    await start({ driver, warm: { min: 1 } })
    await until(() => pool.stats().warm === 1)
    process.kill(pids[0] ?? 0, 'SIGKILL')
    const lease = await pool.acquire({ ...RUN_1 }) // it may not have been heard of yet
    expect([lease.signal.aborted, lease.session.pid === pids[0]]).toEqual([false, false])
    await (await lease.page()).evaluate('1 + 1', undefined, { signal: lease.signal, timeoutMs: 5_000 })
    await until(() => pool.stats().warm === 1)
    expect(isProcessAlive({ pid: pids[0] ?? 0, startTime: null })).toBe(false)
  })

  it('lets several wait for one browser, and gives it to one after the other', async () => {
    await start({ maxSessions: 1 })
    const order: string[] = []
    await Promise.all(
      ['a', 'b', 'c'].map((runnableId) =>
        pool.use({ runnableType: 'workflow_run', runnableId }, async (lease) => {
          order.push(runnableId)
          await (await lease.page()).evaluate('document.title', undefined, { signal: lease.signal, timeoutMs: 5_000 })
          expect(pool.stats().held).toBe(1)
        }),
      ),
    )
    expect(order).toEqual(['a', 'b', 'c'])
    expect(await storage.count('browser_sessions')).toBe(1)
  })
})

describeUnless(missing('chromium', 'tigervnc'), 'a warm browser with a window', () => {
  it('has its display before it is anybody’s, and the session has it from its first moment', async () => {
    const baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-alloc-'))
    const storage = new MemoryStorage()
    const streaming = new StreamingSupervisor({ storage, organizationId: 'acme' })
    const types: string[] = []
    const pool = new SessionPool({
      storage,
      streaming,
      driver: new PlaywrightDriver(),
      organizationId: 'acme',
      baseDirectory,
      warm: { min: 1 },
    })
    for (const source of [pool, streaming]) source.onAny((event) => types.push(event.type))
    await pool.start()
    try {
      while (pool.stats().warm < 1) await new Promise((resolve) => setTimeout(resolve, 20))
      expect([streaming.list(), streaming.health().displays, types]).toEqual([[], 1, []])
      const session = await pool.create()
      expect(session).toMatchObject({ displayBackend: 'xvnc', displayUnavailableReason: null })
      expect(session.displayNumber).not.toBeNull()
      expect(types).toEqual(['session.created', 'session.started', 'display.started'])
      expect(streaming.list()).toMatchObject([{ organizationId: 'acme', browserSessionId: session.browserSessionId }])
      const { token } = await streaming.issueToken({ browserSessionId: session.browserSessionId, scope: 'view' })
      expect(token).toEqual(expect.any(String))
      expect((await streaming.screenshot({ browserSessionId: session.browserSessionId })).data.length).toBeGreaterThan(100)
      await pool.close({ browserSessionId: session.browserSessionId })
      expect(await storage.get('browser_sessions', session.browserSessionId)).toMatchObject({ displayNumber: null, displayDir: null })
    } finally {
      await pool.stop()
      rmSync(baseDirectory, { recursive: true, force: true })
    }
    expect(streaming.health().displays).toBe(0)
  })
})
