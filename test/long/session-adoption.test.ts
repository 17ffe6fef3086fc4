import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { type BrowserSession, SessionPool, type SessionPoolOptions, StreamingSupervisor } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { collectBrowserProcesses, identify, isProcessAlive, type ProcessEntry } from '../../src/playwright/process-tree.js'
import { PostgresStorage } from '../../src/postgres/index.js'
import type { PageDownload } from '../../src/sessions/ports.js'
import { createSpec, missingBrowser, parsed, startSite, within } from '../integration/playwright-kit.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshSchema } from '../support/postgres-storages.js'
import { describeUnless, missing } from '../support/skips.js'

const program = fileURLToPath(new URL('./adoption-host.mts', import.meta.url))
const RUN = { runnableType: 'workflow_run', runnableId: 'wr_next' }
const displays = () => readdirSync(tmpdir()).filter((name) => name.startsWith('runwright-display-'))

const isListening = (address: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(Number(new URL(address).port), '127.0.0.1')
    socket.once('connect', () => socket.destroy() && resolve(true))
    socket.once('error', () => resolve(false))
  })

const exited = (child: ChildProcess) =>
  child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : once(child, 'exit').then(() => {})

async function until(what: string, isSo: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await sleep(20)
  }
}

describeUnless(missingBrowser ?? missing('tigervnc'), 'sessions that outlive their host', () => {
  let server: PostgresServer
  let site: Awaited<ReturnType<typeof startSite>>
  let schema: string
  let storage: PostgresStorage
  let baseDirectory: string
  let before: string[]
  const hosts: ChildProcess[] = []
  const seen: ProcessEntry[] = []

  beforeAll(async () => {
    server = await startPostgres()
    site = await startSite({
      '/login': (_request, response) => {
        response.setHeader('set-cookie', 'user=jo; max-age=9999')
        response.setHeader('content-type', 'text/html')
        response.end('<title>Signed in</title><script>sessionStorage.setItem("tab", "kept")</script>')
      },
      '/dialog': '<title>Dialog</title>',
      '/loop': '<title>Loop</title>',
      '/files': '<a id="file" href="/file">file</a>',
      '/file': (_request, response) => {
        response.setHeader('content-disposition', 'attachment; filename="bill.csv"')
        response.end('a,b')
      },
    })
  })
  afterAll(async () => {
    await site.stop()
    await server?.stop()
  })
  beforeEach(() => {
    before = displays()
    schema = freshSchema()
    storage = new PostgresStorage({ connectionString: server.connectionString, schema })
    baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-adoption-'))
  })
  afterEach(async () => {
    for (const host of hosts.splice(0)) if (host.exitCode === null && host.signalCode === null) host.kill('SIGKILL')
    for (const entry of seen.splice(0)) if (isProcessAlive(entry)) process.kill(entry.pid, 'SIGKILL') // a failed test leaves none
    await storage.close()
    rmSync(baseDirectory, { recursive: true, force: true })
    expect(displays()).toEqual(before)
  })

  function host(params: Record<string, unknown>): { readonly child: ChildProcess; readonly lines: Interface } {
    const argument = JSON.stringify({
      connectionString: server.connectionString,
      schema,
      baseDirectory,
      site: site.base,
      leaseTtlMs: 30_000,
      ...params,
    })
    const child = spawn(process.execPath, ['--import', 'tsx', program, argument], { stdio: ['ignore', 'pipe', 'inherit'] })
    hosts.push(child)
    return { child, lines: createInterface(child.stdout as NodeJS.ReadableStream) }
  }

  const makePool = (hostId: string, options: Partial<SessionPoolOptions> = {}) =>
    new SessionPool({ storage, driver: new PlaywrightDriver(), organizationId: 'acme', hostId, baseDirectory, ...options })

  const note = (session: Pick<BrowserSession, 'pid' | 'pidStartTime'>) => {
    const processes = collectBrowserProcesses({ pid: session.pid ?? 0, startTime: session.pidStartTime }, '/none')
    seen.push(...processes)
    return processes
  }

  it('are adopted by exactly one other with cookies, tabs and display, whatever their pages are up to; the plain ones are gone', async () => {
    const { child, lines } = host({ part: 'own', hostId: 'first', hasDisplay: true })
    const [plain, attachable, detached] = JSON.parse((await once(lines, 'line'))[0]) as BrowserSession[]
    if (plain === undefined || attachable === undefined || detached === undefined) throw new Error('the host told of too few sessions')
    expect(detached).toMatchObject({ attachable: true, detached: true, hostId: 'first', runnableId: 'wr_dead', displayBackend: 'xvnc' })
    expect(attachable).toMatchObject({ attachable: true, detached: false })
    expect([attachable, detached].map(({ browserAddress }) => browserAddress)).toEqual(
      Array(2).fill(expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+\/devtools\/browser\/[\w-]{36}$/)),
    )
    expect(plain.browserAddress).toBe(null)
    const mortal = [...note(plain), ...note(attachable)]
    note(detached)
    child.kill('SIGKILL')
    await exited(child)
    await until('the plain browsers are gone', () => !mortal.some(isProcessAlive))
    await sleep(2_000) // meanwhile one page opens a dialog, and another does not yield any more

    const pools = ['second', 'third'].map((hostId) => {
      const streaming = new StreamingSupervisor({ storage, organizationId: 'acme', hostId })
      return { pool: makePool(hostId, { streaming }), streaming }
    })
    const beganAt = performance.now()
    await Promise.all(pools.map(({ pool }) => pool.start()))
    console.info(`two hosts had started ${(performance.now() - beganAt).toFixed(0)} ms after they began, and one had adopted the session`)
    const reports = pools.map(({ pool }) => pool.reconciliation)
    expect(reports.flatMap((report) => report?.adopted)).toEqual([detached.browserSessionId])
    expect(reports.flatMap((report) => report?.marked)).toEqual([])
    const [winner, loser] = reports[0]?.adopted.length === 1 ? pools : pools.toReversed()
    if (winner === undefined || loser === undefined) throw new Error('there are two')
    const { browserSessionId } = detached
    const row = await winner.pool.get({ browserSessionId })
    expect(row).toMatchObject({
      status: 'running',
      hostId: winner.pool.hostId,
      pid: detached.pid,
      pidStartTime: detached.pidStartTime,
      runnableId: null,
      displayNumber: detached.displayNumber,
      displayDir: detached.displayDir,
    })
    expect(row.leaseFence).toBeGreaterThan(detached.leaseFence)
    expect(winner.streaming.list()).toMatchObject([{ browserSessionId }])
    await expect(loser.pool.occupy({ browserSessionId, ...RUN })).rejects.toMatchObject({ code: 'SESSION_HOST_UNAVAILABLE' })

    const lease = await winner.pool.occupy({ browserSessionId, ...RUN })
    const page = lease.pages().find((one) => one.url() === `${site.base}/login`)
    expect(lease.pages().map((one) => one.url())).not.toContain(`${site.base}/loop`)
    expect(await page?.evaluate('[document.cookie, sessionStorage.getItem("tab"), innerWidth]', undefined, within())).toEqual([
      'user=jo',
      'kept',
      900,
    ])
    const opened = await lease.browser.newPage(within())
    expect(await opened.navigate(`${site.base}/login`, within())).toMatchObject({ title: 'Signed in' })
    await lease.release()

    await loser.pool.stop()
    await winner.pool.stop()
    expect(await storage.get('browser_sessions', browserSessionId)).toMatchObject({ status: 'running', completedAt: null })
    expect(isProcessAlive({ pid: detached.pid ?? 0, startTime: detached.pidStartTime })).toBe(true)
    await loser.pool.start()
    expect(loser.pool.reconciliation?.adopted).toEqual([browserSessionId])
    note(detached)
    await loser.pool.destroy()
    await until('nothing runs', () => !seen.some(isProcessAlive))
    expect(await storage.get('browser_sessions', browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'shutdown' })
    expect(await isListening(detached.browserAddress ?? '')).toBe(false)
    expect(existsSync(detached.displayDir ?? '')).toBe(false)
    expect(readdirSync(baseDirectory)).toEqual([])
  })

  it('are ended and marked when their browser is gone, or another process has its number', async () => {
    const { child, lines } = host({ part: 'own', hostId: 'first' })
    const [, , detached] = JSON.parse((await once(lines, 'line'))[0]) as BrowserSession[]
    if (detached === undefined) throw new Error('the host told of too few sessions')
    const { browserSessionId } = detached
    const processes = note(detached)
    child.kill('SIGKILL')
    await exited(child)
    // as if its number had been given to another process since: our own, which lives on
    const other = identify(process.pid)
    await storage.open()
    await storage.commit([
      { op: 'update', table: 'browser_sessions', id: browserSessionId, where: {}, set: { pid: other.pid, pidStartTime: '1' } },
    ])
    const pool = makePool('second')
    await pool.start()
    expect(pool.reconciliation).toMatchObject({ adopted: [], marked: [{ browserSessionId }], failures: [] })
    // processes of the others may be on their way out still: they die with their host, but not in the same moment
    expect(pool.reconciliation?.killed).toContainEqual(expect.objectContaining({ browserSessionId }))
    expect(await pool.get({ browserSessionId })).toMatchObject({ status: 'failed', closeReason: 'orphan', displayDir: null })
    await until('its processes are gone', () => !processes.some(isProcessAlive))
    expect(isProcessAlive(other)).toBe(true)
    expect(readdirSync(baseDirectory)).toEqual([])
    await pool.stop()
  })

  it('are attached to by exactly one of two processes, which hears of a close by force and leaves the browser to its owner', async () => {
    const pool = makePool('owner')
    await pool.start()
    const { browserSessionId, ...session } = await pool.create({ attachable: true, url: `${site.base}/login` })
    note(session)
    const secret = await pool.create()
    await expect(makePool('owner').attach({ browserSessionId, ...RUN })).rejects.toMatchObject({ code: 'NOT_RUNNING' })
    const racers = ['a', 'b'].map((hostId) => host({ part: 'attach', hostId, browserSessionId }))
    const outcomes = await Promise.all(racers.map(async ({ lines }) => JSON.parse((await once(lines, 'line'))[0])))
    expect(outcomes.filter(({ held }) => held)).toEqual([{ held: true, url: `${site.base}/login` }])
    expect(outcomes.filter(({ held }) => !held)).toEqual([{ held: false, code: 'SESSION_OCCUPIED' }])
    const winner = racers[outcomes.findIndex(({ held }) => held)]
    if (winner === undefined) throw new Error('nobody won')
    await expect(pool.occupy({ browserSessionId, ...RUN })).rejects.toMatchObject({ code: 'SESSION_OCCUPIED' })
    const lost = once(winner.lines, 'line')
    await pool.close({ browserSessionId, force: true })
    expect(JSON.parse((await lost)[0])).toEqual({ lost: 'SESSION_LOST' })
    await exited(winner.child)
    await until('its processes are gone', () => !seen.some(isProcessAlive))
    const refused = host({ part: 'attach', hostId: 'c', browserSessionId: secret.browserSessionId })
    expect(JSON.parse((await once(refused.lines, 'line'))[0])).toEqual({ held: false, code: 'SESSION_NOT_ATTACHABLE' })
    await exited(refused.child)
    await pool.stop()
    expect(readdirSync(baseDirectory)).toEqual([])
  })

  it('keep language, time zone, viewport and downloads, and are refused to whoever takes them for another', async () => {
    const driver = new PlaywrightDriver()
    const spec = await createSpec({
      detached: true,
      locale: 'de-CH',
      timezoneId: 'Asia/Tokyo',
      viewport: { width: 777, height: 555 },
    })
    const browser = await driver.launch(spec, within(20_000))
    const processes = collectBrowserProcesses(browser.process, spec.directory)
    seen.push(...processes)
    const facts = '[navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone, innerWidth, innerHeight]'
    const page = await browser.newPage(within())
    expect(await page.evaluate(facts, undefined, within())).toEqual(['de-CH', 'Asia/Tokyo', 777, 555])
    await browser.detach?.()
    await expect(browser.probe(within(500))).rejects.toThrow()
    const identity = browser.process ?? { pid: 0, startTime: null }
    const adoptSpec = { ...spec, browserAddress: browser.browserAddress ?? '', process: identity }
    const guess = (changed: object) => driver.adopt({ ...adoptSpec, ...changed }, within(5_000))
    await expect(guess({ process: { ...identity, startTime: '1' } })).rejects.toMatchObject({ category: 'unreachable' })
    await expect(guess({ process: identify(process.pid) })).rejects.toMatchObject({ category: 'unreachable' })
    const otherGuid = adoptSpec.browserAddress.replace(/[\w-]{36}$/, '00000000-0000-0000-0000-000000000000')
    await expect(guess({ browserAddress: otherGuid })).rejects.toMatchObject({ code: 'BROWSER_LAUNCH_FAILED' })
    expect(isProcessAlive(identity)).toBe(true)
    const again = await driver.adopt(adoptSpec, within(10_000))
    expect(await (await again.activePage(within())).evaluate(facts, undefined, within())).toEqual(['de-CH', 'Asia/Tokyo', 777, 555])
    const download = new Promise<PageDownload>((resolve) => again.onDownload(resolve))
    const files = await again.newPage(within())
    await files.navigate(`${site.base}/files`, within())
    await files.perform({ type: 'click', target: { css: '#file' }, button: 'left', clickCount: 1, ...parsed }, within())
    expect(readFileSync(await (await download).path(within()), 'utf8')).toBe('a,b')
    expect(await again.snapshot?.(within())).toMatchObject({ cookies: [] })
    await again.close(within(5_000))
    expect(again.isClosedCleanly).toBe(true)
    await until('its processes are gone', () => !processes.some(isProcessAlive))
    rmSync(spec.directory, { recursive: true, force: true })
  })
})
