import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ArtifactError } from '../../../src/errors/index.js'
import { type ArtifactStore, FilesystemArtifactStore, MemoryArtifactStore } from '../../../src/storage/index.js'
import { FakeClock } from '../../../src/testing/index.js'

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'resolved',
    (error: unknown) => (ArtifactError.is(error) ? error.code : error),
  )
const sha256 = (bytes: string) => createHash('sha256').update(bytes).digest('hex')

async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'runwright-artifacts-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const makers: [name: string, make: (maxBytes?: number) => ArtifactStore][] = [
  ['MemoryArtifactStore', (maxBytes = 1_000) => new MemoryArtifactStore({ maxBytes })],
  ['FilesystemArtifactStore', (maxBytes = 1_000) => new FilesystemArtifactStore({ directory, maxBytes })],
]

describe.each(makers)('%s', (_, make) => {
  it('gives back what it was given, from bytes, streams and iterables, and measures it', async () => {
    const store = make()
    const bodies = [
      Buffer.from('ab—c'),
      Readable.from([Buffer.from('ab'), Buffer.from('—c')]),
      Readable.from(['ab', '—c']),
      chunks('ab—', 'c'),
    ]
    for (const [index, body] of bodies.entries()) {
      const key = `org/wr_1/file-${index}.txt`
      expect(await store.put(key, body)).toEqual({ size: 6, sha256: sha256('ab—c') })
      expect(await text(await store.get(key))).toBe('ab—c')
      expect(await store.head(key)).toEqual({ size: 6 })
    }
  })

  it('takes an empty body, and replaces what a key held', async () => {
    const store = make()
    await store.put('a/b', Buffer.from('old'))
    expect(await store.put('a/b', chunks())).toEqual({ size: 0, sha256: sha256('') })
    expect((await buffer(await store.get('a/b'))).byteLength).toBe(0)
  })

  it('says what is not there, and forgets what is deleted', async () => {
    const store = make()
    expect(await codeOf(store.get('a/none'))).toBe('ARTIFACT_NOT_FOUND')
    expect(await store.head('a/none')).toBeUndefined()
    await store.delete('a/none')
    await store.put('a/b', Buffer.from('x'))
    await store.delete('a/b')
    expect(await codeOf(store.get('a/b'))).toBe('ARTIFACT_NOT_FOUND')
  })

  it.each([
    '',
    '/etc/passwd',
    '../x',
    'a/../b',
    'a/..',
    'a//b',
    './a',
    'a/.hidden',
    'a\\b',
    'a/b\0',
    'a/b\n',
    'C:/x',
    'a b',
    'x'.repeat(201),
    `${'a/'.repeat(256)}b`,
    'ä',
  ])('refuses the key %j everywhere', async (key) => {
    const store = make()
    expect(await codeOf(store.put(key, Buffer.from('x')))).toBe('ARTIFACT_KEY_INVALID')
    expect(await codeOf(store.get(key))).toBe('ARTIFACT_KEY_INVALID')
    expect(await codeOf(store.head(key))).toBe('ARTIFACT_KEY_INVALID')
    expect(await codeOf(store.delete(key))).toBe('ARTIFACT_KEY_INVALID')
  })

  it('refuses what is too large without reading on, and keeps what the key held', async () => {
    const store = make(5)
    await store.put('a/b', Buffer.from('12345'))
    let produced = 0
    async function* endless() {
      for (;;) {
        produced++
        yield Buffer.from('xx')
      }
    }
    expect(await codeOf(store.put('a/b', endless()))).toBe('ARTIFACT_TOO_LARGE')
    expect(produced).toBe(3)
    expect(await text(await store.get('a/b'))).toBe('12345')
  })

  it('keeps what the key held when the body fails on its way', async () => {
    const store = make()
    await store.put('a/b', Buffer.from('old'))
    async function* failing() {
      yield Buffer.from('new')
      throw new Error('connection reset')
    }
    const error = await store.put('a/b', failing()).catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'ARTIFACT_FAILED', cause: { message: 'connection reset' } })
    expect(await text(await store.get('a/b'))).toBe('old')
  })

  it('stores nothing when it is aborted', async () => {
    const store = make()
    const controller = new AbortController()
    async function* body() {
      yield Buffer.from('1')
      controller.abort()
      yield Buffer.from('2')
    }
    await expect(store.put('a/b', body(), { signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' })
    expect(await store.head('a/b')).toBeUndefined()
  })
})

describe('a body that hangs', () => {
  it('does not keep an abort waiting, and is destroyed', async () => {
    for (const [, make] of makers) {
      const store = make()
      const body = new Readable({ read() {} })
      const controller = new AbortController()
      const storing = store.put('a/b', body, { signal: controller.signal })
      controller.abort()
      await expect(storing).rejects.toMatchObject({ name: 'AbortError' })
      expect(body.destroyed).toBe(true)
      expect(await store.head('a/b')).toBeUndefined()
    }
  })

  it('ends a generator that is too large, so that it can clean up', async () => {
    let isCleanedUp = false
    async function* body() {
      try {
        for (;;) yield Buffer.from('xx')
      } finally {
        isCleanedUp = true
      }
    }
    expect(await codeOf(new MemoryArtifactStore({ maxBytes: 3 }).put('a/b', body()))).toBe('ARTIFACT_TOO_LARGE')
    expect(isCleanedUp).toBe(true)
  })
})

describe('FilesystemArtifactStore on disk', () => {
  const names = async () => (await readdir(directory, { recursive: true })).sort()

  it('shows a file under its name only when it is whole', async () => {
    const store = new FilesystemArtifactStore({ directory })
    let during: string[] = []
    async function* body() {
      yield Buffer.from('1')
      during = await names()
      yield Buffer.from('2')
    }
    await store.put('org/f.txt', body())
    expect(during).toEqual(['org', expect.stringMatching(/^org\/\.writing-[0-9a-f]{24}$/)])
    expect(await names()).toEqual(['org', 'org/f.txt'])
  })

  it('leaves nothing beside it when a write fails', async () => {
    const store = new FilesystemArtifactStore({ directory, maxBytes: 1 })
    expect(await codeOf(store.put('org/f.txt', Buffer.from('22')))).toBe('ARTIFACT_TOO_LARGE')
    expect(await names()).toEqual(['org'])
  })

  it('keeps files and folders to its user', async () => {
    const store = new FilesystemArtifactStore({ directory: join(directory, 'made', 'here') })
    await store.put('org/f.txt', Buffer.from('x'))
    expect((await stat(join(directory, 'made/here/org/f.txt'))).mode & 0o777).toBe(0o600)
    expect((await stat(join(directory, 'made/here/org'))).mode & 0o777).toBe(0o700)
  })

  it('does not follow links out of its folder', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'runwright-outside-'))
    try {
      await writeFile(join(outside, 'secret'), 'secret')
      await symlink(outside, join(directory, 'org'))
      const store = new FilesystemArtifactStore({ directory })
      expect(await codeOf(store.get('org/secret'))).toBe('ARTIFACT_KEY_INVALID')
      expect(await codeOf(store.put('org/secret', Buffer.from('x')))).toBe('ARTIFACT_KEY_INVALID')
      expect(await codeOf(store.delete('org/secret'))).toBe('ARTIFACT_KEY_INVALID')
      expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret')
      expect(await readdir(outside)).toEqual(['secret'])
    } finally {
      await rm(outside, { recursive: true, force: true })
    }
  })

  it('does not mistake a folder for a file', async () => {
    const store = new FilesystemArtifactStore({ directory })
    await store.put('a/b/c', Buffer.from('x'))
    expect(await codeOf(store.get('a/b'))).toBe('ARTIFACT_NOT_FOUND')
    expect(await store.head('a/b')).toBeUndefined()
    expect(await codeOf(store.put('a/b', Buffer.from('y')))).toBe('ARTIFACT_FAILED')
    expect(await codeOf(store.delete('a/b'))).toBe('ARTIFACT_FAILED')
    expect(await names()).toEqual(['a', 'a/b', 'a/b/c'])
  })

  it('tidies away half-written files and empty folders of yesterday, and nothing else', async () => {
    const store = new FilesystemArtifactStore({ directory })
    await store.tidy()
    await store.put('org/kept.txt', Buffer.from('x'))
    await store.put('org/run/gone.txt', Buffer.from('x'))
    await store.delete('org/run/gone.txt')
    await writeFile(join(directory, 'org', '.writing-0a'), 'half')
    await writeFile(join(directory, 'org', '.other'), 'not ours')
    await store.tidy()
    expect(await names()).toEqual(['org', 'org/.other', 'org/.writing-0a', 'org/kept.txt', 'org/run'])
    const clock = new FakeClock({ now: new Date(Date.now() + 25 * 3_600_000) })
    await new FilesystemArtifactStore({ directory, clock }).tidy()
    expect(await names()).toEqual(['org', 'org/.other', 'org/kept.txt'])
    await new FilesystemArtifactStore({ directory: join(directory, 'none') }).tidy()
  })
})
