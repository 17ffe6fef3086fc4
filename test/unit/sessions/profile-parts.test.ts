import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { create } from 'tar'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BrowserState, besideDirectory } from '../../../src/sessions/browser-state.js'
import { isProxyServer } from '../../../src/sessions/launch-sources.js'
import { archiveDirectory, isArchived, unpackDirectory } from '../../../src/sessions/profiles/profile-archive.js'
import { packState, stateFromText, stateToText, unpackState } from '../../../src/sessions/profiles/state-codec.js'

const NONE: BrowserState = { cookies: [], origins: [], sessionStorage: [], knownOrigins: [] }
const text = fc.string({ unit: 'grapheme' })
const cookie = fc.record({
  name: text,
  value: text,
  domain: fc.domain(),
  path: fc.constant('/'),
  expires: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 4_000_000_000 })),
  httpOnly: fc.boolean(),
  secure: fc.boolean(),
  sameSite: fc.constantFrom('Strict', 'Lax', 'None'),
})
const state = fc.record({
  cookies: fc.array(cookie),
  origins: fc.array(fc.record({ origin: fc.webUrl(), localStorage: fc.array(fc.record({ name: text, value: text })) })),
  sessionStorage: fc.array(fc.record({ origin: fc.webUrl(), items: fc.array(fc.tuple(text, text)) })),
  knownOrigins: fc.array(fc.webUrl()),
}) as unknown as fc.Arbitrary<BrowserState>

describe('a stored state', () => {
  it('is read back as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(state, async (given) => {
        expect(stateFromText(stateToText(given), 'it')).toEqual(given)
        expect(await unpackState(await packState(given), 'it')).toEqual({ ...given, knownOrigins: [] })
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    ['cut off', async () => (await packState(NONE)).subarray(0, 30)],
    ['not gzipped', async () => Buffer.from(stateToText(NONE))],
    ['no JSON', async () => gzipSync('hello')],
    ['of another version', async () => gzipSync(JSON.stringify({ ...NONE, format: 'runwright.browser-state', version: 2 }))],
    ['a cookie short', async () => gzipSync(JSON.stringify({ ...NONE, format: 'runwright.browser-state', version: 1, cookies: [{}] }))],
  ])('is refused when it is %s', async (_what, bytes) => {
    await expect(unpackState(await bytes(), 'Profile bp_1')).rejects.toMatchObject({
      code: 'PROFILE_UNREADABLE',
      message: expect.stringContaining('Profile bp_1'),
    })
  })

  it('beside a folder holds what a folder does not', () => {
    fc.assert(
      fc.property(state, (given) => {
        const beside = besideDirectory(given)
        expect(beside.cookies.every(({ expires }) => expires === -1)).toBe(true)
        expect(beside.sessionStorage).toEqual(given.sessionStorage)
        expect(beside.origins).toEqual([])
        expect(new Set(beside.knownOrigins)).toEqual(new Set([...given.origins.map(({ origin }) => origin), ...given.knownOrigins]))
      }),
    )
  })
})

describe('the archive of a folder', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'runwright-archive-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it.each([
    ['state.json', true],
    ['profile', true],
    ['profile/Default/Cookies', true],
    ['./profile/Default/Local Storage/leveldb/000003.log', true],
    ['profile/Default/Service Worker/CacheStorage/x', true],
    ['profile/Default/IndexedDB/https_a.test_0/Cache', true],
    ['profile/Default/Cache/f_1', false],
    ['profile/GPUPersistentCache', false],
    ['profile/SingletonLock', false],
    ['downloads/a.pdf', false],
    ['state.json/x', false],
    ['owner.json', false],
  ])('holds %s: %s', (path, isHeld) => {
    expect(isArchived(path)).toBe(isHeld)
  })

  const archived = async (files: Record<string, string>) => {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(join(folder, 'from', path, '..'), { recursive: true })
      await writeFile(join(folder, 'from', path), content)
    }
    const chunks: Uint8Array[] = []
    for await (const chunk of await archiveDirectory(join(folder, 'from'), { ...NONE, knownOrigins: ['https://a.test'] }))
      chunks.push(chunk)
    return Buffer.concat(chunks)
  }
  const unpack = async (bytes: Buffer) => {
    await mkdir(join(folder, 'to', 'profile'), { recursive: true })
    return unpackDirectory(Readable.from([bytes]), join(folder, 'to'), 'Profile bp_1')
  }

  it('brings back what it holds, and leaves no state behind', async () => {
    const bytes = await archived({ 'profile/Default/Cookies': 'c', 'profile/Default/Cache/x': 'x', 'downloads/a': 'a' })
    expect(await unpack(bytes)).toEqual({ ...NONE, knownOrigins: ['https://a.test'] })
    expect((await readdir(join(folder, 'to'), { recursive: true })).sort()).toEqual([
      'profile',
      'profile/Default',
      'profile/Default/Cookies',
    ])
  })

  it('is refused when it is cut off, or none', async () => {
    const bytes = await archived({ 'profile/Default/Cookies': 'c'.repeat(10_000) })
    for (const bad of [bytes.subarray(0, bytes.byteLength - 20), Buffer.from('hello'), Buffer.alloc(0)])
      await expect(unpack(bad)).rejects.toMatchObject({ code: 'PROFILE_UNREADABLE' })
  })

  it('never writes outside of the profile, whatever it says', async () => {
    const source = join(folder, 'bad')
    await mkdir(join(source, 'profile'), { recursive: true })
    await writeFile(join(folder, 'outside'), 'mine')
    await writeFile(join(source, 'state.json'), stateToText(NONE))
    await writeFile(join(source, 'profile', 'ok'), 'ok')
    await symlink(folder, join(source, 'profile', 'link'))
    await writeFile(join(source, 'owner.json'), 'not ours')
    const chunks: Buffer[] = []
    const entries = ['state.json', 'profile/link', 'profile/link/outside', 'owner.json', '../outside', 'profile/ok']
    for await (const chunk of create({ gzip: true, cwd: source, preservePaths: true }, entries)) chunks.push(chunk as Buffer)
    await rm(join(folder, 'outside'))
    expect(await unpack(Buffer.concat(chunks))).toEqual(NONE)
    const found = await readdir(join(folder, 'to'), { recursive: true, withFileTypes: true })
    expect(found.map(({ name }) => name).sort()).toEqual(['link', 'ok', 'outside', 'profile'])
    expect(found.filter((entry) => entry.isSymbolicLink())).toEqual([])
    expect((await readdir(folder)).sort()).toEqual(['bad', 'to'])
  })
})

describe('the server of a proxy', () => {
  it.each([
    ['http://proxy.test:8080', true],
    ['socks5://10.0.0.1:1080', true],
    ['http://ann:secret@proxy.test', false],
    ['proxy.test:8080', false],
    ['file:///etc/passwd', false],
    [undefined, false],
  ])('%s: %s', (server, isOne) => {
    expect(isProxyServer(server)).toBe(isOne)
  })
})
