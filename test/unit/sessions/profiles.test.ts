import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import type { BrowserState } from '../../../src/sessions/browser-state.js'
import type { SessionPoolOptions } from '../../../src/sessions/index.js'
import { type ArtifactStore, MemoryArtifactStore } from '../../../src/storage/index.js'
import { FakeBrowserDriver } from '../../../src/testing/fake-browser-driver.js'
import { faultyStorage } from '../../../src/testing/index.js'
import { createWorld, failure, RUN_1, RUN_2, row, startPool, types, type World } from './kit.js'

const stateOf = (value: string): BrowserState => ({
  cookies: [
    { name: 'sid', value, domain: 'shop.test', path: '/', expires: 1_900_000_000, httpOnly: true, secure: true, sameSite: 'Lax' },
    { name: 'tab', value, domain: 'shop.test', path: '/', expires: -1, httpOnly: false, secure: false, sameSite: 'Strict' },
  ],
  origins: [{ origin: 'https://shop.test', localStorage: [{ name: 'token', value }] }],
  sessionStorage: [{ origin: 'https://shop.test', items: [['step', value]] }],
  knownOrigins: [],
})

/** A store that can be told to fail, and counts what it holds. */
class TestStore extends MemoryArtifactStore {
  readonly keys = new Set<string>()
  failsWith: Error | undefined
  override async put(...params: Parameters<ArtifactStore['put']>) {
    if (this.failsWith !== undefined) throw this.failsWith
    const stored = await super.put(...params)
    this.keys.add(params[0])
    return stored
  }
  override async delete(key: string) {
    this.keys.delete(key)
    return super.delete(key)
  }
}

async function start(options: Partial<SessionPoolOptions> = {}, world: World = createWorld()) {
  const artifacts = (options.artifacts as TestStore | undefined) ?? new TestStore()
  const driver = new FakeBrowserDriver({ clock: world.clock, keepsState: true })
  const started = await startPool({ ...options, driver, artifacts }, world)
  /** A session whose browser has this state. */
  const signedIn = async (value: string, params: Parameters<typeof started.pool.create>[0] = {}) => {
    const session = await started.pool.create(params)
    const handle = driver.handleOf(session.browserSessionId)
    if (handle === undefined) throw new Error('no browser')
    handle.state = stateOf(value)
    return { session, handle, browserSessionId: session.browserSessionId }
  }
  return { ...started, driver, artifacts, signedIn }
}

describe('saving a profile', () => {
  it('lets a new session begin with what the old one had', async () => {
    const { pool, driver, signedIn, events } = await start()
    const { browserSessionId } = await signedIn('ann')
    const profile = await pool.saveProfile({ browserSessionId, name: 'shop' })
    expect(profile).toMatchObject({ name: 'shop', kind: 'snapshot', version: 1, sourceBrowserSessionId: browserSessionId })
    expect(events.at(-1)).toMatchObject({ type: 'profile.saved', payload: { browserSessionId, name: 'shop', version: 1 } })
    const { browserProfileId } = profile
    const session = await pool.create({ browserProfileId })
    expect(session.browserProfileId).toBe(browserProfileId)
    expect(driver.specs.at(-1)).toMatchObject({ state: stateOf('ann'), ownsDirectory: true })
    expect(await pool.getProfile({ browserProfileId })).toEqual(profile)
    expect(await pool.listProfiles({ name: 'shop' })).toEqual([profile])
  })

  it('under the same name switches it over and deletes the former bytes', async () => {
    const { pool, driver, artifacts, signedIn } = await start()
    const one = await signedIn('ann')
    const first = await pool.saveProfile({ browserSessionId: one.browserSessionId, name: 'shop' })
    one.handle.state = stateOf('bob')
    const second = await pool.saveProfile({ browserSessionId: one.browserSessionId, name: 'shop' })
    expect([second.browserProfileId, second.version]).toEqual([first.browserProfileId, 2])
    expect(artifacts.keys.size).toBe(1)
    await pool.create({ browserProfileId: first.browserProfileId })
    expect(driver.specs.at(-1)?.state).toEqual(stateOf('bob'))
  })

  it('by many at once keeps one whole state, and no bytes of the others', async () => {
    const { pool, driver, artifacts, signedIn } = await start()
    const sessions = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((value) => signedIn(value)))
    const saved = await Promise.all(sessions.map(({ browserSessionId }) => pool.saveProfile({ browserSessionId, name: 'shop' })))
    expect(new Set(saved.map((profile) => profile.browserProfileId)).size).toBe(1)
    expect(saved.map((profile) => profile.version).sort()).toEqual([1, 2, 3, 4, 5])
    const last = saved.find((profile) => profile.version === 5)
    const winner = sessions[saved.indexOf(last as never)]
    await pool.create({ browserProfileId: last?.browserProfileId as string })
    expect(driver.specs.at(-1)?.state).toEqual(winner?.handle.state)
    expect(artifacts.keys.size).toBe(1)
  })

  it('is for the holder, and for others only when there is none', async () => {
    const { pool, clock, storage, signedIn } = await start()
    const { browserSessionId } = await signedIn('ann')
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    expect(await failure(pool.saveProfile({ browserSessionId, name: 'shop' }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    expect(await pool.saveProfile({ browserSessionId, name: 'shop', lease })).toMatchObject({ version: 1 })
    await lease.release()
    expect(await failure(pool.saveProfile({ browserSessionId, name: 'shop', lease }))).toMatchObject({ code: 'STALE_LEASE' })
    expect(await pool.saveProfile({ browserSessionId, name: 'shop' })).toMatchObject({ version: 2 })
    expect(await storage.count('browser_profiles')).toBe(1)
    await clock.advance(0)
  })

  it('under a lease that was lost meanwhile changes nothing', async () => {
    const { pool, artifacts, events, signedIn } = await start()
    const { browserSessionId, handle } = await signedIn('ann')
    await pool.saveProfile({ browserSessionId, name: 'shop' })
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    const snapshot = handle.snapshot?.bind(handle)
    Object.assign(handle, {
      snapshot: async (...params: Parameters<NonNullable<typeof snapshot>>) => {
        await lease.release()
        await pool.occupy({ browserSessionId, ...RUN_2 })
        return snapshot?.(...params)
      },
    })
    expect(await failure(pool.saveProfile({ browserSessionId, name: 'shop', lease }))).toMatchObject({ code: 'STALE_LEASE' })
    expect(events.at(-1)).toMatchObject({ type: 'profile.failed', payload: { name: 'shop', code: 'STALE_LEASE' } })
    expect((await pool.listProfiles())[0]).toMatchObject({ version: 1 })
    expect(artifacts.keys.size).toBe(1)
  })

  it.each([
    ['the store fails', 'store'],
    ['the browser hangs', 'hang'],
    ['the browser dies', 'crash'],
  ])('keeps the former profile when %s, and says so', async (_name, how) => {
    const { pool, driver, clock, artifacts, signedIn, storage } = await start()
    const { browserSessionId, handle } = await signedIn('ann', { keepState: 'none' })
    const { browserProfileId } = await pool.saveProfile({ browserSessionId, name: 'shop' })
    handle.state = stateOf('bob')
    if (how === 'store') artifacts.failsWith = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    if (how === 'hang') handle.hang('snapshot')
    const saving = failure(pool.saveProfile({ browserSessionId, name: 'shop' }))
    if (how === 'crash') handle.crash()
    if (how === 'hang')
      while ((await storage.readEvents({ stream: `session:${browserSessionId}` })).at(-1)?.type !== 'profile.failed')
        await clock.advance(1_000)
    const error = await saving
    expect(['PROFILE_SAVE_FAILED', 'SESSION_ENDED', 'SESSION_HOST_UNAVAILABLE']).toContain(error.code)
    const stored = await storage.readEvents({ stream: `session:${browserSessionId}` })
    if (how !== 'crash') expect(stored.at(-1)).toMatchObject({ type: 'profile.failed', payload: { name: 'shop', code: error.code } })
    artifacts.failsWith = undefined
    expect(await pool.getProfile({ browserProfileId })).toMatchObject({ version: 1 })
    await pool.create({ browserProfileId })
    expect(driver.specs.at(-1)?.state).toEqual(stateOf('ann'))
  })

  it('names a whole state whichever commit of the storage fails', async () => {
    for (let failAtCall = 1; ; failAtCall += 1) {
      const world = createWorld()
      const artifacts = new TestStore()
      const calm = await start({ artifacts }, world)
      const { browserSessionId } = await calm.signedIn('ann')
      const { browserProfileId } = await calm.pool.saveProfile({ browserSessionId, name: 'shop' })
      const storage = faultyStorage(world.storage)
      const faulty = await start({ artifacts, storage, hostId: 'host_faulty' }, world)
      const bob = await faulty.signedIn('bob')
      storage.reset({ failAtCall, when: failAtCall % 2 === 0 ? 'after' : 'before' })
      const outcome = await faulty.pool
        .saveProfile({ browserSessionId: bob.browserSessionId, name: 'shop' })
        .catch((error: unknown) => error)
      const isThrough = storage.calls < failAtCall
      storage.reset()
      const { version } = await calm.pool.getProfile({ browserProfileId })
      expect([1, 2]).toContain(version)
      if (!(outcome instanceof Error)) expect(version).toBe(2)
      await calm.pool.create({ browserProfileId })
      expect(calm.driver.specs.at(-1)?.state).toEqual(stateOf(version === 1 ? 'ann' : 'bob'))
      if (isThrough) break
    }
  })

  it.each([
    [{ name: '' }, 'name'],
    [{ name: ' x' }, 'name'],
    [{ name: 'x'.repeat(201) }, 'name'],
    [{ name: 'x', kind: 'both' }, 'kind'],
  ])('refuses %j', async (params, path) => {
    const { pool, signedIn } = await start()
    const { browserSessionId } = await signedIn('ann')
    expect(await failure(pool.saveProfile({ browserSessionId, ...params } as never))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { path },
    })
  })

  it('knows no session or profile of another organisation', async () => {
    const { pool, signedIn } = await start()
    const { browserSessionId } = await signedIn('ann')
    const { browserProfileId } = await pool.saveProfile({ browserSessionId, name: 'shop' })
    const other = pool.forOrganization('other')
    expect(await failure(other.saveProfile({ browserSessionId, name: 'shop' }))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
    expect(await failure(other.createProfile({ fromBrowserSessionId: browserSessionId, name: 'x' }))).toMatchObject({
      code: 'SESSION_NOT_FOUND',
    })
    expect(await failure(other.getProfile(browserProfileId))).toMatchObject({ code: 'PROFILE_NOT_FOUND' })
    expect(await failure(other.deleteProfile({ browserProfileId }))).toMatchObject({ code: 'PROFILE_NOT_FOUND' })
    expect(await failure(other.create({ browserProfileId }))).toMatchObject({ code: 'PROFILE_NOT_FOUND' })
    expect(await other.listProfiles()).toEqual([])
  })
})

describe('a session of a profile that is not there', () => {
  it('is refused before a row is written', async () => {
    const { pool, storage, driver } = await start()
    expect(await failure(pool.create({ browserProfileId: 'bp_0' }))).toMatchObject({ code: 'PROFILE_NOT_FOUND' })
    expect([await storage.count('browser_sessions'), driver.specs.length, pool.stats().starting]).toEqual([0, 0, 0])
  })

  it('or whose bytes are gone, or are none of ours, fails and leaves nothing', async () => {
    const { pool, artifacts, storage, signedIn, directories } = await start()
    const { browserSessionId } = await signedIn('ann')
    const { browserProfileId } = await pool.saveProfile({ browserSessionId, name: 'shop' })
    const [key = ''] = artifacts.keys
    await artifacts.put(key, Buffer.from('not gzip'))
    expect(await failure(pool.create({ browserProfileId }))).toMatchObject({ code: 'PROFILE_UNREADABLE' })
    await artifacts.delete(key)
    expect(await failure(pool.create({ browserProfileId }))).toMatchObject({ code: 'PROFILE_UNREADABLE' })
    expect(directories()).toHaveLength(1)
    expect(await storage.count('browser_sessions', { status: 'failed' })).toBe(2)
  })
})

describe('deleting a profile', () => {
  it('waits for the sessions that were made from it, unless forced', async () => {
    const { pool, artifacts, signedIn } = await start()
    const { browserSessionId } = await signedIn('ann', { keepState: 'none' })
    const { browserProfileId } = await pool.saveProfile({ browserSessionId, name: 'shop' })
    const user = await pool.create({ browserProfileId, keepState: 'none' })
    expect(await failure(pool.deleteProfile({ browserProfileId }))).toMatchObject({
      code: 'PROFILE_IN_USE',
      details: { browserSessionIds: [user.browserSessionId] },
    })
    await pool.deleteProfile({ browserProfileId, force: true })
    expect(artifacts.keys.size).toBe(0)
    expect(await failure(pool.getProfile({ browserProfileId }))).toMatchObject({ code: 'PROFILE_NOT_FOUND' })
    expect((await pool.get({ browserSessionId: user.browserSessionId })).status).toBe('running')
    const again = await pool.saveProfile({ browserSessionId, name: 'shop' })
    expect(again.browserProfileId).not.toBe(browserProfileId)
    await pool.deleteProfile({ browserProfileId: again.browserProfileId })
    expect(await pool.listProfiles()).toEqual([])
  })
})

describe('what a session leaves', () => {
  it('is its state, when it is a named one, and makes a profile later', async () => {
    const { pool, driver, signedIn, directories, artifacts } = await start()
    const { browserSessionId } = await signedIn('ann')
    await pool.close({ browserSessionId })
    expect(directories()).toEqual([])
    const [kept] = await pool.listArtifacts({ browserSessionId })
    expect(kept).toMatchObject({ type: 'profile', filename: 'state.json.gz', browserSessionId })
    const profile = await pool.createProfile({ fromBrowserSessionId: browserSessionId, name: 'shop' })
    expect(profile).toMatchObject({ kind: 'snapshot', version: 1, sourceBrowserSessionId: browserSessionId })
    await pool.create({ browserProfileId: profile.browserProfileId })
    expect(driver.specs.at(-1)?.state).toEqual(stateOf('ann'))
    expect(artifacts.keys.size).toBe(2)
    const taken = await failure(pool.createProfile({ fromBrowserSessionId: browserSessionId, name: 'shop' }))
    expect(taken).toMatchObject({ code: 'PROFILE_EXISTS', details: { browserProfileId: profile.browserProfileId } })
    expect(artifacts.keys.size).toBe(2)
  })

  it('is nothing of a private one, unless asked for', async () => {
    const { pool, signedIn } = await start()
    const quiet = await signedIn('ann', { private: true })
    const asked = await signedIn('bob', { private: true, keepState: 'snapshot' })
    await Promise.all([quiet, asked].map(({ browserSessionId }) => pool.close({ browserSessionId })))
    expect(await pool.listArtifacts({ browserSessionId: quiet.browserSessionId })).toEqual([])
    expect(await pool.listArtifacts({ browserSessionId: asked.browserSessionId })).toHaveLength(1)
    expect(await failure(pool.createProfile({ fromBrowserSessionId: quiet.browserSessionId, name: 'x' }))).toMatchObject({
      code: 'PROFILE_NOT_FOUND',
    })
  })

  it('is its whole folder, with what such a folder does not hold', async () => {
    const { pool, driver, signedIn } = await start()
    const { browserSessionId, handle } = await signedIn('ann')
    const { mkdir, writeFile, readFile } = await import('node:fs/promises')
    const folder = `${'directory' in handle.spec ? handle.spec.directory : ''}/profile/Default`
    await mkdir(`${folder}/IndexedDB`, { recursive: true })
    await mkdir(`${folder}/Cache`)
    await writeFile(`${folder}/IndexedDB/000003.log`, 'log')
    await writeFile(`${folder}/Cache/f_1`, 'cached')
    const profile = await pool.saveProfile({ browserSessionId, name: 'shop', kind: 'directory' })
    expect(profile.kind).toBe('directory')
    expect(await pool.get({ browserSessionId })).toMatchObject({ status: 'completed', closeReason: 'user' })
    await pool.create({ browserProfileId: profile.browserProfileId })
    const spec = driver.specs.at(-1)
    expect(spec?.state).toEqual({
      cookies: stateOf('ann').cookies.slice(1),
      origins: [],
      sessionStorage: stateOf('ann').sessionStorage,
      knownOrigins: ['https://shop.test'],
    })
    expect(await readFile(`${spec?.directory}/profile/Default/IndexedDB/000003.log`, 'utf8')).toBe('log')
    await expect(readFile(`${spec?.directory}/profile/Default/Cache/f_1`)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(readFile(`${spec?.directory}/state.json`)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('is no folder of a browser that had to be killed', async () => {
    const { pool, clock, signedIn, events } = await start()
    const { browserSessionId, handle } = await signedIn('ann')
    await pool.saveProfile({ browserSessionId, name: 'shop' })
    handle.hang('close')
    const saving = failure(pool.saveProfile({ browserSessionId, name: 'shop', kind: 'directory' }))
    while (!types(events).includes('artifact.failed')) await clock.advance(1_000)
    expect(await saving).toMatchObject({ code: 'PROFILE_SAVE_FAILED' })
    expect(types(events).slice(-2)).toEqual(['artifact.failed', 'profile.failed'])
    expect((await pool.listProfiles())[0]).toMatchObject({ version: 1, kind: 'snapshot' })
  })

  it('is what was recorded, and an event for what was not', async () => {
    const { pool, events, signedIn, directories } = await start()
    const { browserSessionId } = await signedIn('ann', { keepState: 'none', record: { trace: true, consoleLog: true } })
    await pool.close({ browserSessionId })
    const artifacts = await pool.listArtifacts({ browserSessionId })
    expect(artifacts.map(({ type }) => type).sort()).toEqual(['console_log', 'trace'])
    const { body } = await pool.readArtifact({ artifactId: artifacts.find(({ type }) => type === 'trace')?.artifactId ?? '' })
    expect((await buffer(body)).toString()).toBe('trace')
    const lost = await signedIn('bob', { keepState: 'snapshot', record: { har: true } })
    lost.handle.crash()
    while (directories().length > 0) await new Promise((resolve) => setImmediate(resolve))
    const failed = events.filter(({ type }) => type === 'artifact.failed').map(({ payload }) => payload)
    expect(failed).toEqual([
      expect.objectContaining({ type: 'har', browserSessionId: lost.browserSessionId }),
      expect.objectContaining({ type: 'profile', reason: 'the browser is gone' }),
    ])
  })

  it('does not keep a session that hangs from ending', async () => {
    const { pool, clock, signedIn, events, storage, directories } = await start()
    const { browserSessionId, handle } = await signedIn('ann', { record: { trace: true } })
    handle.hang('snapshot', 'recording')
    const closing = pool.close({ browserSessionId })
    while (directories().length > 0) await clock.advance(1_000)
    await closing
    expect((await row(storage, browserSessionId)).status).toBe('completed')
    expect(types(events).filter((type) => type === 'artifact.failed')).toHaveLength(2)
  })
})

describe('a proxy', () => {
  it('is looked up by name for each launch, and its password is in no row', async () => {
    const asked: unknown[] = []
    const proxies = {
      get: (name: string, context: { organizationId: string }) => {
        asked.push([name, context.organizationId])
        return name === 'vienna' ? { server: 'http://proxy.test:8080', username: 'u', password: 's3cret' } : null
      },
    }
    const { pool, driver, storage } = await start({ proxies })
    const { browserSessionId } = await pool.create({ proxyLocation: 'vienna' })
    expect(driver.specs[0]?.proxy).toEqual({ server: 'http://proxy.test:8080', username: 'u', password: 's3cret' })
    expect(asked).toEqual([['vienna', 'acme']])
    expect(JSON.stringify(await row(storage, browserSessionId))).not.toContain('s3cret')
    expect((await row(storage, browserSessionId)).proxyLocation).toBe('vienna')
    expect(await failure(pool.create({ proxyLocation: 'atlantis' }))).toMatchObject({
      code: 'PROXY_NOT_FOUND',
      details: { proxyLocation: 'atlantis' },
    })
    expect(await storage.count('browser_sessions')).toBe(1)
  })

  it('is behind the guard of a guarded session', async () => {
    const opened: unknown[] = []
    const networkGuard = {
      open: async (params: unknown) => {
        opened.push(params)
        return { port: 1, launchArgs: ['--proxy-server=guard'], admit() {}, apply() {}, close: async () => {} }
      },
    }
    const proxy = { server: 'http://proxy.test:8080' }
    const { pool, driver } = await start({ networkGuard, proxies: { get: () => proxy } })
    await pool.create({ proxyLocation: 'vienna', guarded: true })
    expect(opened).toEqual([expect.objectContaining({ upstream: proxy })])
    expect(driver.specs[0]).toMatchObject({ proxy: null, launchArgs: ['--proxy-server=guard'] })
  })

  it('without a provider, or that is none, is an error', async () => {
    const { pool } = await start()
    expect(await failure(pool.create({ proxyLocation: 'vienna' }))).toMatchObject({ code: 'PROXY_NOT_FOUND' })
    const { pool: other } = await start({ proxies: { get: () => ({ server: 'http://u:p@proxy.test' }) } })
    expect(await failure(other.create({ proxyLocation: 'vienna' }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('what a caller may say of a browser', () => {
  it('goes to the driver', async () => {
    const { pool, driver } = await start()
    await pool.create({ extensions: ['adblock'], locale: 'de-CH', timezoneId: 'Europe/Zurich', extraHttpHeaders: { 'x-a': 'b' } })
    expect(driver.specs[0]).toMatchObject({
      extensions: ['adblock'],
      locale: 'de-CH',
      timezoneId: 'Europe/Zurich',
      extraHttpHeaders: { 'x-a': 'b' },
      record: [],
    })
  })

  it.each([
    { locale: 'de-CH' },
    { proxyLocation: 'vienna' },
    { extensions: ['adblock'] },
    { record: { har: true } },
    { browserProfileId: 'bp_1' },
  ])('is refused for a browser that runs already: %j', async (params) => {
    const { pool, storage } = await start()
    const attaching = pool.createOccupied({ runnable: RUN_1, browserAddress: 'http://127.0.0.1:9222', ...params } as never)
    expect(await failure(attaching)).toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: Object.keys(params)[0] } })
    expect(await storage.count('browser_sessions')).toBe(0)
  })

  it.each([
    [{ extensions: ['../../etc'] }, 'extensions.0'],
    [{ locale: 'not a locale' }, 'locale'],
    [{ timezoneId: 'Mars/Olympus' }, 'timezoneId'],
    [{ extraHttpHeaders: { Host: 'x' } }, 'extraHttpHeaders.Host'],
    [{ extraHttpHeaders: { 'x-a': 'b\r\nc: d' } }, 'extraHttpHeaders.x-a'],
    [{ launchArgs: ['--no-sandbox'] }, 'launchArgs'],
    [{ record: { audio: true } }, 'record.audio'],
  ])('is refused for %j', async (params, path) => {
    const { pool, storage } = await start()
    expect(await failure(pool.create(params as never))).toMatchObject({ code: 'INVALID_ARGUMENT', details: { path } })
    expect(await storage.count('browser_sessions')).toBe(0)
  })
})
