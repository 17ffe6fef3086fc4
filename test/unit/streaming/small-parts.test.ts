import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { currentProcessSpace, identifyProcess, isAlive, systemClock, systemRandom } from '../../../src/runtime/index.js'
import { sweepDisplayDirectories } from '../../../src/streaming/directory-sweep.js'
import { DisplayDirectory } from '../../../src/streaming/display-directory.js'
import { displaySize } from '../../../src/streaming/display-size.js'
import { isOriginAllowed } from '../../../src/streaming/origin.js'
import { type DisplayOwner, readOwnerFile, writeOwnerFile } from '../../../src/streaming/owner-file.js'
import { locateStream } from '../../../src/streaming/stream-path.js'
import { xAuthorityFile } from '../../../src/streaming/x-authority.js'

describe('xAuthorityFile', () => {
  it('holds one cookie for every address and display', () => {
    const cookie = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
    const name = Buffer.from('MIT-MAGIC-COOKIE-1')
    expect(xAuthorityFile(cookie).toString('hex')).toBe(`ffff000000000012${name.toString('hex')}0010${cookie.toString('hex')}`)
  })
})

describe('displaySize', () => {
  it('leaves room for the browser’s own bars above the page', () => {
    expect(displaySize({ viewport: { width: 1280, height: 720 } })).toEqual({ width: 1280, height: 810 })
    expect(displaySize({ viewport: { width: 1280, height: 720 }, browserBarsHeight: 144 })).toEqual({ width: 1280, height: 864 })
    expect(displaySize({ viewport: null })).toEqual({ width: 1280, height: 720 })
  })
})

describe('isOriginAllowed', () => {
  it.each([
    ['http://app.test:8080', 'app.test:8080', true],
    ['https://app.test', 'app.test', true],
    ['https://app.test', 'app.test:443', true],
    ['http://app.test:8080', 'app.test', false],
    ['http://evil.test', 'app.test', false],
    ['http://app.test.evil.test', 'app.test', false],
    ['null', 'app.test', false],
    ['file://', 'app.test', false],
    ['chrome-extension://app.test', 'app.test', false],
    ['nonsense', 'app.test', false],
    ['https://console.test', 'app.test', true],
    [undefined, 'app.test', true],
    ['http://app.test', undefined, false],
  ])('origin %s at host %s: %s', (origin, host, isAllowed) => {
    expect(isOriginAllowed({ ...(origin ? { origin } : {}), ...(host ? { host } : {}) }, ['https://console.test'])).toBe(isAllowed)
  })
})

describe('locateStream', () => {
  it('reads the session and the query', () => {
    const located = locateStream('/runwright/sessions/bs_1/stream?token=abc', '/runwright')
    expect(located?.browserSessionId).toBe('bs_1')
    expect(located?.query.get('token')).toBe('abc')
    expect(locateStream('/sessions/bs_1/stream', '')?.browserSessionId).toBe('bs_1')
  })

  it.each([
    '/runwright/sessions//stream',
    '/runwright/sessions/..%2f/stream',
    '/runwright/sessions/bs_1/stream/',
    '/runwrightsessions/bs_1/stream',
  ])('does not take %s for ours', (url) => {
    expect(locateStream(url, '/runwright')).toBeUndefined()
  })
})

describe('isAlive', () => {
  it('tells a process from another one with its number', () => {
    const own = identifyProcess(process.pid)
    expect(isAlive(own)).toBe(true)
    expect(isAlive({ ...own, startTime: '1' })).toBe(process.platform !== 'linux')
    expect(isAlive({ pid: 2 ** 22 + 1, startTime: null })).toBe(false)
  })
})

describe('the sweep', () => {
  let parent: string
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'sweep-test-'))
  })
  afterEach(() => rm(parent, { recursive: true }))
  const sweep = () => sweepDisplayDirectories({ clock: systemClock, parent })
  const create = async (changes: Partial<DisplayOwner> = {}) => {
    const directory = await DisplayDirectory.create({ hostId: 'host_1', browserSessionId: 'bs_1', random: systemRandom, parent })
    const owner = await readOwnerFile(directory.path)
    if (!owner) throw new Error('no owner file')
    await writeOwnerFile(directory.path, { ...owner, ...changes })
    return directory.path
  }
  const old = async (path: string) => {
    const anHourAgo = new Date(systemClock.now().getTime() - 3_600_000)
    await utimes(path, anHourAgo, anHourAgo)
  }
  const deadOwner = { owner: { pid: process.pid, startTime: '1' } }
  const elsewhere = { space: { ...currentProcessSpace(), pidNamespace: 'pid:[1]' } }

  it('removes what a dead owner left, and nothing of a living one', async () => {
    const living = await create()
    const dead = await create(deadOwner)
    expect(await sweep()).toEqual({ directories: [dead], endedPids: [] })
    expect((await readdir(parent)).map((name) => join(parent, name))).toEqual([living])
  })

  it('does not believe in process ids of another container, boot or machine', async () => {
    await create({ ...deadOwner, ...elsewhere }) // young: may be starting
    const machine = await create({ ...deadOwner, space: { ...currentProcessSpace(), machine: 'another' } })
    await old(machine)
    const answering = await create({ ...deadOwner, ...elsewhere })
    const server = createServer().listen(join(answering, 'rfb'))
    await once(server, 'listening')
    await old(answering)
    expect((await sweep()).directories).toEqual([])
    server.close()
    const silent = await create({ ...deadOwner, ...elsewhere })
    await old(silent)
    expect((await sweep()).directories).toContain(silent)
  })

  it('ends processes of a dead owner that outlived it, by number and start time', async () => {
    const { spawn } = await import('node:child_process')
    const child = spawn('sleep', ['60'])
    const stranger = spawn('sleep', ['60'])
    const exited = once(child, 'exit')
    const processes = [identifyProcess(child.pid ?? 0), { pid: stranger.pid ?? 0, startTime: '1' }]
    await create({ ...deadOwner, display: { displayNumber: 7, processes, xSocket: null } })
    expect((await sweep()).endedPids).toEqual([child.pid])
    expect((await exited)[1]).toBe('SIGTERM')
    expect(stranger.exitCode).toBeNull()
    stranger.kill()
  })

  it('leaves links, foreign names and unknown content alone', async () => {
    const target = join(parent, 'target')
    await mkdir(target)
    await symlink(target, join(parent, 'runwright-display-link'))
    const unknown = join(parent, 'runwright-display-unknown')
    await mkdir(unknown)
    await writeFile(join(unknown, 'owner.json'), '{"version": 99}')
    await old(unknown)
    const empty = join(parent, 'runwright-display-empty')
    await mkdir(empty)
    await old(empty)
    await sweep()
    expect((await readdir(parent)).sort()).toEqual(['runwright-display-link', 'runwright-display-unknown', 'target'])
  })
})
