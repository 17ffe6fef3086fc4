import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { PageFacade } from '../../src/actions/index.js'
import { WorkflowEngine } from '../../src/engine/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { type SessionLease, SessionPool, type SessionPoolOptions } from '../../src/sessions/index.js'
import { FilesystemArtifactStore, MemoryStorage } from '../../src/storage/index.js'
import { missingBrowser, startSite, within } from '../integration/playwright-kit.js'
import { describeUnless } from '../support/skips.js'

const HOLDER = { runnableType: 'test', runnableId: 't_1' }

/** Signs in, and keeps something in each place where sites do. */
const SIGN_IN = `(async (user) => {
  await fetch('/sign-in?user=' + user, { method: 'POST' })
  localStorage.setItem('theme', user)
  sessionStorage.setItem('draft', user + "'s \\u2028 draft")
  const open = indexedDB.open('mail', 3)
  open.onupgradeneeded = () => open.result.createObjectStore('letters', { keyPath: 'id' }).createIndex('by-date', 'date')
  const db = await new Promise((resolve, reject) => { open.onsuccess = () => resolve(open.result); open.onerror = reject })
  const write = db.transaction('letters', 'readwrite')
  write.objectStore('letters').put({ id: 1, user, date: new Date(86400000), bytes: new Uint8Array([1, 2, 255]) })
  await new Promise((resolve) => { write.oncomplete = resolve })
  db.close()
})`

const READ = `(async () => {
  const open = indexedDB.open('mail')
  const db = await new Promise((resolve, reject) => { open.onsuccess = () => resolve(open.result); open.onerror = reject })
  const read = db.transaction('letters').objectStore('letters').index('by-date').get(new Date(86400000))
  const letter = await new Promise((resolve) => { read.onsuccess = () => resolve(read.result) })
  db.close()
  return {
    who: await (await fetch('/who')).text(),
    local: Object.entries(localStorage), session: Object.entries(sessionStorage), cookie: document.cookie,
    letter: { user: letter.user, isDate: letter.date instanceof Date, bytes: [...letter.bytes], version: db.version },
  }
})()`

const kept = (user: string) => ({
  who: `${user}, ${user}`,
  local: [['theme', user]],
  session: [['draft', `${user}'s \u2028 draft`]],
  cookie: '', // HttpOnly
  letter: { user, isDate: true, bytes: [1, 2, 255], version: 3 },
})

/** Two cookies say who it is: one that lasts, one that ends with the browser. */
function who(request: IncomingMessage, response: ServerResponse): void {
  const cookies = new Map((request.headers.cookie ?? '').split('; ').map((pair) => pair.split('=') as [string, string]))
  const found = ['stay', 'session'].map((name) => cookies.get(name) ?? 'nobody').join(', ')
  response.setHeader('content-type', 'text/html')
  response.end(request.url === '/home' ? `<title>${found}</title>` : found)
}

function signIn(request: IncomingMessage, response: ServerResponse): void {
  const user = new URL(request.url ?? '', 'http://x').searchParams.get('user')
  response.setHeader('set-cookie', [`stay=${user}; Max-Age=86400; Path=/; HttpOnly`, `session=${user}; Path=/; HttpOnly; SameSite=Strict`])
  response.end()
}

/** Why no small disk can be had here; undefined when one can. */
function cannotMount(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'rw-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder], { stdio: 'ignore' })
    execFileSync('umount', [folder])
    return undefined
  } catch {
    return 'a small disk cannot be mounted here: that needs Linux and root'
  } finally {
    rmdirSync(folder)
  }
}

describeUnless(missingBrowser, 'profiles of real browsers', () => {
  let site: Awaited<ReturnType<typeof startSite>>
  let folder: string
  const pools: SessionPool[] = []
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rw-')) // short: Chromium's sockets lie below it, and their paths have 107 bytes
    site = await startSite({ '/': '<title>Mail</title>', '/who': who, '/home': who, '/sign-in': signIn })
  })
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.stop()))
    await site.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const startPool = async (options: Partial<SessionPoolOptions> = {}) => {
    const pool = new SessionPool({
      storage: new MemoryStorage(),
      driver: new PlaywrightDriver(),
      artifacts: new FilesystemArtifactStore({ directory: join(folder, 'artifacts') }),
      baseDirectory: join(folder, 's'),
      organizationId: 'acme',
      ...options,
    })
    await pool.start()
    pools.push(pool)
    return pool
  }
  const signedIn = async (pool: SessionPool, user: string): Promise<SessionLease> => {
    const lease = await pool.createOccupied({ runnable: HOLDER, url: `${site.base}/`, private: true })
    const page = await lease.page()
    await page.evaluate(`${SIGN_IN}(${JSON.stringify(user)})`, undefined, within())
    return lease
  }
  /** What a new session of a profile finds, and what is behind its first page. */
  const read = async (pool: SessionPool, browserProfileId: string) => {
    const lease = await pool.createOccupied({ runnable: HOLDER, browserProfileId, private: true })
    const page = await lease.page()
    const before = page.url()
    const historyLength = await page.evaluate('history.length', undefined, within())
    await page.navigate(`${site.base}/`, within())
    return { lease, found: await page.evaluate(READ, undefined, within()), before, historyLength }
  }

  it('keep a user signed in: cookies of both kinds, localStorage, IndexedDB, sessionStorage', async () => {
    const pool = await startPool()
    const first = await signedIn(pool, 'ann')
    const startedAtMs = performance.now()
    const { browserProfileId, size } = await pool.saveProfile({ browserSessionId: first.browserSessionId, name: 'mail', lease: first })
    console.log(`snapshot: ${Math.round(performance.now() - startedAtMs)} ms, ${size} bytes`)
    await pool.close({ browserSessionId: first.browserSessionId, lease: first })

    // one that visits nothing and is saved again loses nothing
    const idle = await pool.createOccupied({ runnable: HOLDER, browserProfileId, private: true })
    await pool.saveProfile({ browserSessionId: idle.browserSessionId, name: 'mail', lease: idle })
    await pool.close({ browserSessionId: idle.browserSessionId, lease: idle })

    const { lease, found, before, historyLength } = await read(pool, browserProfileId)
    expect({ found, before, historyLength }).toEqual({ found: kept('ann'), before: 'about:blank', historyLength: 1 })

    // what a site clears stays cleared, in this tab and after the next save
    const page = await lease.page()
    await page.evaluate('sessionStorage.clear()', undefined, within())
    await page.reload(within())
    expect(await page.evaluate('sessionStorage.length', undefined, within())).toBe(0)
    await pool.saveProfile({ browserSessionId: lease.browserSessionId, name: 'mail', lease })
    await pool.close({ browserSessionId: lease.browserSessionId, lease })
    const last = await read(pool, browserProfileId)
    expect(last.found).toEqual({ ...kept('ann'), session: [] })
    await pool.close({ browserSessionId: last.lease.browserSessionId, lease: last.lease })
  })

  it('as whole folders hold the same, and are saved again from what they became', async () => {
    const pool = await startPool()
    const first = await signedIn(pool, 'bob')
    const startedAtMs = performance.now()
    const { browserSessionId } = first
    const saved = await pool.saveProfile({ browserSessionId, name: 'mail', lease: first, kind: 'directory' })
    console.log(`directory: ${Math.round(performance.now() - startedAtMs)} ms, ${saved.size} bytes`)
    expect(await pool.get({ browserSessionId })).toMatchObject({ status: 'completed' })
    const { lease, found } = await read(pool, saved.browserProfileId)
    expect(found).toEqual(kept('bob'))
    await pool.close({ browserSessionId: lease.browserSessionId, lease })

    // a snapshot of a browser that has visited nothing knows what lies in its folder
    const idle = await pool.createOccupied({ runnable: HOLDER, browserProfileId: saved.browserProfileId, private: true })
    const snapshot = await pool.createProfile({ fromBrowserSessionId: idle.browserSessionId, name: 'mail-snapshot', lease: idle })
    await pool.close({ browserSessionId: idle.browserSessionId, lease: idle })
    const again = await read(pool, snapshot.browserProfileId)
    expect(again.found).toEqual(kept('bob'))
    await pool.close({ browserSessionId: again.lease.browserSessionId, lease: again.lease })
  })

  it.each(['snapshot', 'directory'] as const)('outlast a browser that is killed before it has written anything down (%s)', async (kind) => {
    const pool = await startPool()
    const first = await signedIn(pool, 'fay')
    const { browserProfileId } = await pool.saveProfile({
      browserSessionId: first.browserSessionId,
      name: `early-${kind}`,
      lease: first,
      kind,
    })
    await pool.close({ browserSessionId: first.browserSessionId, lease: first, force: true })
    const { browserSessionId, pid } = await pool.create({ browserProfileId, onBrowserLost: 'relaunch', keepState: 'none' })
    let last = pid
    for (let round = 1; round <= 2; round += 1) {
      process.kill(last ?? 0, 'SIGKILL')
      while ((await pool.get({ browserSessionId })).pid === last || (await pool.get({ browserSessionId })).status !== 'running')
        await new Promise((resolve) => setTimeout(resolve, 50))
      const lease = await pool.occupy({ browserSessionId, ...HOLDER })
      const page = await lease.page()
      expect(page.url()).toBe('about:blank')
      await page.navigate(`${site.base}/`, within())
      expect(await page.evaluate(READ, undefined, within())).toEqual(kept('fay'))
      await lease.release()
      last = (await pool.get({ browserSessionId })).pid
    }
    await pool.close({ browserSessionId })
  })

  it('can be made of a session that has ended', async () => {
    const pool = await startPool()
    const { browserSessionId } = await pool.create({ url: `${site.base}/`, record: { trace: true, consoleLog: true } })
    const lease = await pool.occupy({ browserSessionId, ...HOLDER })
    const page = await lease.page()
    await page.evaluate(`${SIGN_IN}('cleo')`, undefined, within())
    await lease.release()
    await pool.close({ browserSessionId })
    const artifacts = await pool.listArtifacts({ browserSessionId })
    expect(artifacts.map(({ type }) => type).sort()).toEqual(['console_log', 'profile', 'trace'])
    const { browserProfileId } = await pool.createProfile({ fromBrowserSessionId: browserSessionId, name: 'cleo' })
    const next = await read(pool, browserProfileId)
    expect(next.found).toEqual(kept('cleo'))
    await pool.close({ browserSessionId: next.lease.browserSessionId, lease: next.lease })
    expect(await readdir(join(folder, 's'))).toEqual([])
  })

  it('are kept for a workflow from run to run, and serve a run that names one', async () => {
    const storage = new MemoryStorage()
    const pool = await startPool({ storage })
    const seen: unknown[] = []
    const visit = async ({ page }: { page: PageFacade }) => {
      seen.push((await page.goto(`${site.base}/home`)).title)
      await page.goto(`${site.base}/sign-in?user=eve`)
    }
    const engine = new WorkflowEngine({ storage, sessions: pool, organizationId: 'acme', handlers: { visit } })
    await engine.start()
    try {
      const definition = { blocks: [{ type: 'code' as const, label: 'visit', handler: 'visit' }] }
      const { workflowPermanentId } = await engine.createWorkflow({ title: 'Mail', persistBrowserSession: true, definition })
      const plain = await engine.createWorkflow({ title: 'Mail', definition })
      const run = async (params: Parameters<typeof engine.startRun>[0]) => {
        const { status, failureReason } = await (await engine.startRun(params)).result()
        return failureReason ?? status
      }
      expect(await run({ workflowPermanentId })).toBe('completed')
      expect(await run({ workflowPermanentId })).toBe('completed')
      const [profile] = await pool.listProfiles()
      expect(profile).toMatchObject({ name: `workflow:${workflowPermanentId}`, version: 2 })
      const { workflowPermanentId: other } = plain
      expect(await run({ workflowPermanentId: other, browserProfileId: profile?.browserProfileId })).toBe('completed')
      expect(seen).toEqual(['nobody, nobody', 'eve, eve', 'eve, eve'])
      expect(await pool.listProfiles()).toMatchObject([{ version: 2 }])
    } finally {
      await engine.stop()
    }
  })

  describeUnless(cannotMount(), 'on a disk that is full', () => {
    it('stay as they were', async () => {
      const disk = join(folder, 'disk')
      execFileSync('mkdir', [disk])
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk])
      try {
        const pool = await startPool({ artifacts: new FilesystemArtifactStore({ directory: disk }) })
        const failures: unknown[] = []
        pool.on('profile.failed', ({ code, reason }) => failures.push([code, reason]))
        const lease = await signedIn(pool, 'dan')
        const { browserSessionId } = lease
        const { browserProfileId } = await pool.saveProfile({ browserSessionId, name: 'mail', lease })
        const page = await lease.page()
        const random = 'localStorage.setItem("much", Array.from({ length: 60000 }, () => Math.random().toString(36)).join(""))'
        await page.evaluate(random, undefined, within())
        for (let time = 0; time < 2; time += 1) {
          const refused = pool.saveProfile({ browserSessionId, name: 'mail', lease })
          await expect(refused).rejects.toMatchObject({ code: 'PROFILE_SAVE_FAILED', message: expect.stringContaining('ENOSPC') })
        }
        expect(failures).toEqual(Array(2).fill(['PROFILE_SAVE_FAILED', expect.stringContaining('ENOSPC')]))
        await pool.close({ browserSessionId, lease })
        expect(await pool.getProfile({ browserProfileId })).toMatchObject({ version: 1 })
        const next = await read(pool, browserProfileId)
        expect(next.found).toEqual(kept('dan'))
        await pool.close({ browserSessionId: next.lease.browserSessionId, lease: next.lease })
      } finally {
        execFileSync('umount', [disk])
      }
    })
  })
})
