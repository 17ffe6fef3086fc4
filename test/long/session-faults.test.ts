import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type AnyEvent, MemoryStorage, SessionPool, type SessionPoolOptions, StreamingSupervisor } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { collectBrowserProcesses, isProcessAlive, type ProcessEntry } from '../../src/playwright/process-tree.js'
import type { BrowserHandle, SessionLease } from '../../src/sessions/index.js'
import { missingBrowser, startSite, within } from '../integration/playwright-kit.js'
import { describeUnless, missing } from '../support/skips.js'

const RUN_1 = { runnableType: 'workflow_run', runnableId: 'wr_1' }
const RUN_2 = { runnableType: 'workflow_run', runnableId: 'wr_2' }

/** Whether it was there to be signalled: what Chromium starts may end by itself. */
function kill(pid: number, signal: NodeJS.Signals): number {
  try {
    process.kill(pid, signal)
    return 1
  } catch {
    return 0
  }
}

describeUnless(missingBrowser, 'a browser that fails', () => {
  let baseDirectory: string
  let storage: MemoryStorage
  let pool: SessionPool
  let events: AnyEvent[]
  let site: Awaited<ReturnType<typeof startSite>>
  /** Every process that a browser of the test was seen to have. */
  let seen: Map<number, ProcessEntry>

  beforeEach(async () => {
    baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-faults-'))
    storage = new MemoryStorage()
    seen = new Map()
    site = await startSite({
      '/': '<title>Home</title><button>Buy</button>',
      '/slow': () => {}, // never answers
      '/store': '<script>localStorage.setItem("k", "v"); document.cookie = "c=1; max-age=9999"</script>',
    })
    await start()
  })
  afterEach(async () => {
    await pool.stop()
    await site.stop()
    for (const entry of await aliveOf([...seen.values()])) kill(entry.pid, 'SIGKILL') // a failed test leaves none behind
    rmSync(baseDirectory, { recursive: true, force: true })
  })

  async function start(options: Partial<SessionPoolOptions> = {}): Promise<void> {
    if (pool !== undefined) await pool.stop()
    pool = new SessionPool({
      storage,
      driver: new PlaywrightDriver(),
      organizationId: 'acme',
      baseDirectory,
      reapIntervalMs: 500,
      closeTimeoutMs: 2_000,
      ...options,
    })
    events = []
    pool.onAny((event) => events.push(event))
    await pool.start()
  }

  const aliveOf = async (entries: readonly ProcessEntry[]) => entries.filter(isProcessAlive)
  const row = async (browserSessionId: string) => {
    const found = await storage.get('browser_sessions', browserSessionId)
    if (found === undefined) throw new Error(`no row ${browserSessionId}`)
    return found
  }
  const directoryOf = async (browserSessionId: string) =>
    readdirSync(baseDirectory)
      .map((name) => join(baseDirectory, name))
      .find((path) => existsSync(path) && browserSessionId !== '') ?? ''

  /** Notes the processes of a session's browser. */
  async function note(lease: SessionLease): Promise<{ pid: number; processes: readonly ProcessEntry[] }> {
    const { browser, browserSessionId } = lease
    const processes = collectBrowserProcesses(browser.process, await directoryOf(browserSessionId))
    for (const entry of processes) seen.set(entry.pid, entry)
    expect(processes.length).toBeGreaterThan(2)
    return { pid: browser.process?.pid ?? 0, processes }
  }

  async function until(what: string, isSo: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!(await isSo())) {
      if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`)
      await sleep(10)
    }
  }

  const aborted = (lease: SessionLease) =>
    new Promise<number>((resolve) => {
      if (lease.signal.aborted) resolve(performance.now())
      lease.signal.addEventListener('abort', () => resolve(performance.now()), { once: true })
    })

  /** The session is over in every respect: row, processes, folders, places. */
  async function expectGone(browserSessionId: string, closeReason: string, folders = 0): Promise<void> {
    await until('nothing is left', async () => {
      const isLeft =
        pool.stats().ending > 0 || (await aliveOf([...seen.values()])).length > 0 || readdirSync(baseDirectory).length > folders
      return !isLeft
    })
    expect(await row(browserSessionId)).toMatchObject({ status: 'failed', closeReason, leaseToken: null, runnableId: null })
  }

  it('killed while it idles, in the middle of an action, or with others beside it: only its holder is told, within milliseconds', async () => {
    const took: number[] = []
    const bystander = await pool.createOccupied({ runnable: RUN_2 })
    for (const inAction of [false, true, false]) {
      const lease = await pool.createOccupied({ runnable: RUN_1 })
      const { pid } = { pid: lease.browser.process?.pid ?? 0 }
      for (const entry of collectBrowserProcesses(lease.browser.process, '/none')) seen.set(entry.pid, entry)
      const page = await lease.page()
      const action = inAction
        ? page.navigate(`${site.base}/slow`, within(30_000, lease.signal)).then(
            () => 'loaded',
            () => 'failed',
          )
        : Promise.resolve('none')
      if (inAction) await sleep(100)
      const killedAt = performance.now()
      process.kill(pid, 'SIGKILL')
      took.push((await aborted(lease)) - killedAt)
      expect(lease.signal.reason).toMatchObject({ code: 'SESSION_LOST' })
      expect(['none', 'failed']).toContain(await action)
      await expect(pool.occupy({ browserSessionId: lease.browserSessionId, ...RUN_2 })).rejects.toMatchObject({
        code: /^SESSION_(ENDED|HOST_UN)/,
      })
      await expectGone(lease.browserSessionId, 'crashed', 1)
    }
    took.sort((one, other) => one - other)
    console.info(`SIGKILL to aborted signal: median ${took[1]?.toFixed(0)} ms, of ${took.map((ms) => ms.toFixed(0)).join(', ')}`)
    expect(took[1]).toBeLessThan(600)
    expect([bystander.isHeld, bystander.signal.aborted]).toEqual([true, false])
    await (await bystander.page()).navigate(`${site.base}/`, within())
    expect(events.filter(({ type }) => type === 'session.lost')).toHaveLength(3)
  })

  it('killed while it is launched fails the launch, and leaves nothing', async () => {
    const failed = pool.create().then(
      () => 'created',
      (error: { code: string; category: string }) => error,
    )
    let killed = 0
    await until('a browser to kill', () => {
      for (const name of readdirSync(baseDirectory)) {
        for (const entry of collectBrowserProcesses(null, join(baseDirectory, name))) {
          seen.set(entry.pid, entry)
          killed += kill(entry.pid, 'SIGKILL')
        }
      }
      return killed > 0
    })
    expect(await failed).toMatchObject({ code: 'BROWSER_LAUNCH_FAILED' })
    const [session] = await pool.list()
    await expectGone(session?.browserSessionId ?? '', 'launch_failed')
    expect(await pool.create()).toMatchObject({ status: 'running' })
  })

  it('killed while it is closed is closed', async () => {
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const { pid } = await note(lease)
    const closing = pool.close({ browserSessionId: lease.browserSessionId, lease })
    process.kill(pid, 'SIGKILL')
    expect(await closing).toMatchObject({ status: 'completed', closeReason: 'user' })
    expect(await aliveOf([...seen.values()])).toEqual([])
    expect([readdirSync(baseDirectory), lease.signal.aborted, pool.stats().ending]).toEqual([[], false, 0])
    expect(events.some(({ type }) => type === 'session.lost')).toBe(false)
  })

  it('whose page crashes lives on with another page', async () => {
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    await note(lease)
    const page = await lease.page()
    await page.navigate(`${site.base}/`, within())
    await page.navigate('chrome://crash', within(3_000)).catch(() => {}) // the page is gone before it answers
    await until('the page is dropped', () => !lease.pages().some(({ pageId }) => pageId === page.pageId))
    const next = await lease.page()
    await next.navigate(`${site.base}/`, within())
    expect([await next.title(within()), lease.isHeld, (await row(lease.browserSessionId)).status]).toEqual(['Home', true, 'running'])
    await lease.release()
    await (await pool.occupy({ browserSessionId: lease.browserSessionId, ...RUN_2 })).release()
  })

  it('that is stopped is not handed out: its session ends after the probe, with every process', async () => {
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const { browserSessionId } = lease
    const { processes } = await note(lease)
    await lease.release()
    for (const { pid } of processes) kill(pid, 'SIGSTOP')
    const begun = performance.now()
    await expect(pool.occupy({ browserSessionId, ...RUN_2 })).rejects.toMatchObject({
      code: 'SESSION_ENDED',
      details: { closeReason: 'probe_failed' },
    })
    const ms = performance.now() - begun
    console.info(`a stopped browser was refused after ${ms.toFixed(0)} ms`)
    expect(ms).toBeLessThan(20_000)
    await expectGone(browserSessionId, 'probe_failed')
  })

  it('that is stopped under its holder is bounded in every call, and lost', async () => {
    await start({ probeTimeoutMs: 300 })
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const { browser, browserSessionId } = lease
    const { processes } = await note(lease)
    const page = await lease.page()
    const told = aborted(lease)
    for (const { pid } of processes) kill(pid, 'SIGSTOP')
    const limit = within(300)
    const calls: Readonly<Record<string, (handle: BrowserHandle) => Promise<unknown>>> = {
      probe: (handle) => handle.probe(limit),
      newPage: (handle) => handle.newPage(limit),
      sanitize: async (handle) => handle.sanitize?.({ cookies: true, storage: true, tabs: true, caches: true }, limit),
      navigate: () => page.navigate(`${site.base}/`, limit),
      title: () => page.title(limit),
      evaluate: () => page.evaluate('1', undefined, limit),
      screenshot: () => page.screenshot({}, limit),
      locate: () => page.locate({ css: 'button' }, limit),
    }
    const slow = await Promise.all(
      Object.entries(calls).map(async ([name, call]) => {
        const begun = performance.now()
        const outcome = await call(browser).then(
          () => 'answered',
          () => 'refused',
        )
        return outcome === 'refused' && performance.now() - begun < 6_000 ? [] : [`${name} ${outcome}`]
      }),
    )
    expect(slow.flat()).toEqual([])
    await told
    expect(lease.signal.reason).toMatchObject({ code: 'SESSION_LOST' })
    await expectGone(browserSessionId, 'probe_failed')
  })

  it('is replaced on its profile where that is wanted, and never while it lives', async () => {
    const lease = await pool.createOccupied({ runnable: RUN_1, onBrowserLost: 'relaunch' })
    const { browserSessionId } = lease
    const { pid } = await note(lease)
    const page = await lease.page()
    await page.navigate(`${site.base}/store`, within())
    const folders = readdirSync(baseDirectory)
    const begun = performance.now()
    process.kill(pid, 'SIGKILL')
    await aborted(lease)
    const next = await pool.occupy({ browserSessionId, ...RUN_2 })
    console.info(`relaunched and handed out ${(performance.now() - begun).toFixed(0)} ms after SIGKILL`)
    expect((await aliveOf([...seen.values()])).map((entry) => entry.pid)).toEqual([])
    await note(next)
    expect([next.fence, readdirSync(baseDirectory)]).toEqual([lease.fence + 2, folders])
    expect(await row(browserSessionId)).toMatchObject({ status: 'running', pid: next.browser.process?.pid })
    const again = await next.page()
    await again.navigate(`${site.base}/`, within())
    expect(await again.evaluate('document.title', undefined, within())).toBe('Home')
    await pool.close({ browserSessionId, lease: next })
    expect([await aliveOf([...seen.values()]), readdirSync(baseDirectory)]).toEqual([[], []])
  })
})

describeUnless(missingBrowser ?? missing('tigervnc'), 'an X server that is killed under a browser', () => {
  it('takes the session with it: its holder is told, and nothing is left', async () => {
    const baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-faults-'))
    const storage = new MemoryStorage()
    const streaming = new StreamingSupervisor({ storage, organizationId: 'acme' })
    const pool = new SessionPool({ storage, streaming, driver: new PlaywrightDriver(), organizationId: 'acme', baseDirectory })
    await pool.start()
    try {
      const lease = await pool.createOccupied({ runnable: RUN_1 })
      const { browserSessionId } = lease
      const processes = collectBrowserProcesses(lease.browser.process, '/none')
      const xvnc = streaming.list()[0]?.pids[0] ?? 0
      const killedAt = performance.now()
      process.kill(xvnc, 'SIGKILL')
      while (!lease.signal.aborted && performance.now() - killedAt < 10_000) await sleep(5)
      console.info(`SIGKILL of the X server to aborted signal: ${(performance.now() - killedAt).toFixed(0)} ms`)
      expect(lease.signal.reason).toMatchObject({ code: 'SESSION_LOST' })
      while (pool.stats().ending > 0 || readdirSync(baseDirectory).length > 0) await sleep(10)
      expect(processes.filter(isProcessAlive)).toEqual([])
      expect([isProcessAlive({ pid: xvnc, startTime: null }), streaming.list()]).toEqual([false, []])
      expect(await storage.get('browser_sessions', browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'crashed' })
    } finally {
      await pool.stop()
      rmSync(baseDirectory, { recursive: true, force: true })
    }
  })
})
