import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { MemoryStorage } from '../../src/storage/index.js'
import { type Display, StreamingSupervisor, XvncBackend } from '../../src/streaming/index.js'
import { nameWithReason } from '../support/skip-reason.js'
import { describeUnless, missing } from '../support/skips.js'
import { Harness, insertSession, ORGANIZATION, until } from '../unit/streaming/fixtures.js'
import * as rfb from '../unit/streaming/rfb-messages.js'

const isAlive = (pid: number) => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
const ourDirectories = () => readdirSync(tmpdir()).filter((name) => name.startsWith('runwright-display-'))

/** TCP and UDP sockets that processes listen on: what `ss -lntup` would show of them. */
function listenersOf(pids: readonly number[]): string[] {
  const inodes = new Set(
    pids.flatMap((pid) =>
      readdirSync(`/proc/${pid}/fd`).flatMap((fd) => /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []),
    ),
  )
  return ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'latin1')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => inodes.has(fields[9] ?? '') && (table.startsWith('udp') || fields[3] === '0A'))
      .map((fields) => `${table} ${fields[1]}`),
  )
}

describeUnless(missing('tigervnc'), 'real displays', () => {
  let harness: Harness
  let before: string[]
  beforeEach(async () => {
    before = ourDirectories()
    harness = await new Harness({ backends: [new XvncBackend({ hostId: 'test' })] }).start()
  })
  afterEach(async () => {
    await harness.stop()
    expect(ourDirectories()).toEqual(before)
  })
  const ended: number[] = []

  it('show a first frame at a WebSocket client, and listen on no port', async () => {
    const begun = performance.now()
    const display = await harness.streaming.startDisplay({ browserSessionId: 'bs_1', viewport: { width: 800, height: 600 } })
    const startMs = performance.now() - begun
    const { token } = await harness.streaming.issueToken({ browserSessionId: 'bs_1', scope: 'view' })
    const client = harness.connect({ token })
    await client.handshake()
    client.socket.send(Buffer.concat([rfb.setEncodings(0), Buffer.from([3, 0, 0, 0, 0, 0, 800 >> 8, 800 & 0xff, 690 >> 8, 690 & 0xff])]))
    await client.bytes(42 + 800 * 690 * 4)
    console.info(`display ready after ${startMs.toFixed(0)} ms, first whole frame after ${(performance.now() - begun).toFixed(0)} ms`)
    expect(display.pids).toHaveLength(1)
    expect(listenersOf(display.pids)).toEqual([])
    ended.push(...display.pids)
    await harness.streaming.stopDisplay({ browserSessionId: 'bs_1' })
    expect(display.pids).toEqual([])
    expect(ended.filter(isAlive)).toEqual([])
    expect(existsSync(display.directory)).toBe(false)
    expect(existsSync(`/tmp/.X11-unix/X${display.displayNumber}`)).toBe(false)
  })

  it('are five at once, each with a number and directory of its own', async () => {
    const ids = [1, 2, 3, 4, 5].map((n) => `bs_parallel_${n}`)
    for (const id of ids) await insertSession(harness.storage, id)
    const begun = performance.now()
    const displays = await Promise.all(ids.map((browserSessionId) => harness.streaming.startDisplay({ browserSessionId })))
    console.info(`five displays ready after ${(performance.now() - begun).toFixed(0)} ms`)
    const different = (of: (display: Display) => unknown) => new Set(displays.map(of)).size
    expect([different((one) => one.displayNumber), different((one) => one.directory), different((one) => one.pids[0])]).toEqual([5, 5, 5])
    expect(listenersOf(displays.flatMap(({ pids }) => pids))).toEqual([])
    const pids = displays.flatMap(({ pids }) => pids)
    await harness.streaming.stop()
    expect(pids.filter(isAlive)).toEqual([])
  })

  it('tell that they died, and leave nothing', async () => {
    const display = await harness.streaming.startDisplay({ browserSessionId: 'bs_1' })
    process.kill(display.pids[0] ?? 0, 'SIGKILL')
    await until(() => harness.events.some(({ type }) => type === 'display.lost'))
    expect(existsSync(display.directory)).toBe(false)
    expect(harness.streaming.list()).toEqual([])
  })

  const noOther = 'let no other local user in'
  const isRoot = process.geteuid?.() === 0
  it.skipIf(!isRoot)(isRoot ? noOther : nameWithReason(noOther, 'only root can be another user'), async () => {
    const display = await harness.streaming.startDisplay({ browserSessionId: 'bs_1' })
    // X11 connection set-up, little-endian, protocol 11.0, no authorization; the first byte of the answer is 1 for success
    const knock = (path: string) => `
      const socket = require('node:net').connect(${JSON.stringify(path)})
      socket.write(Buffer.from([0x6c, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
      socket.on('data', (data) => { process.stdout.write(String(data[0])); process.exit() })
      socket.on('error', (error) => { process.stdout.write(error.code); process.exit() })`
    const ask = async (path: string) => {
      const child = spawn(process.execPath, ['-e', knock(path)], { uid: 65534, gid: 65534, cwd: '/' })
      let answer = ''
      child.stdout.on('data', (chunk) => {
        answer += chunk
      })
      await once(child, 'close')
      return answer
    }
    expect(await ask(`/tmp/.X11-unix/X${display.displayNumber}`)).toBe('0')
    expect(await ask(display.rfbSocketPath)).toBe('EACCES')
  })

  it('end within a second of the death of their host, and the next start removes what it left', async () => {
    const host = spawn(process.execPath, ['--import', 'tsx', new URL('streaming-host.mts', import.meta.url).pathname], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(createInterface(host.stdout), 'line')
    const left: { pids: number[]; directory: string; displayNumber: number } = JSON.parse(line)
    expect(left.pids.filter(isAlive)).toEqual(left.pids)
    host.kill('SIGKILL')
    await once(host, 'exit')
    const deadline = performance.now() + 1_000
    while (left.pids.some(isAlive) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(left.pids.filter(isAlive)).toEqual([])
    expect(existsSync(left.directory)).toBe(true)
    const next = new StreamingSupervisor({ storage: new MemoryStorage(), organizationId: ORGANIZATION })
    await next.start()
    await next.stop()
    expect(existsSync(left.directory)).toBe(false)
    expect(existsSync(`/tmp/.X11-unix/X${left.displayNumber}`)).toBe(false)
  })
})

describeUnless(missing('tigervnc'), 'the RFB socket', () => {
  it('stays private: mode 0600 in a directory of mode 0700', async () => {
    const display = await new XvncBackend().start({ browserSessionId: 'bs_1', viewport: null }, new AbortController().signal)
    try {
      const { statSync } = await import('node:fs')
      expect((statSync(display.rfbSocketPath).mode & 0o777).toString(8)).toBe('600')
      expect((statSync(display.directory).mode & 0o777).toString(8)).toBe('700')
      const socket = connect(display.rfbSocketPath)
      expect(String((await once(socket, 'data'))[0])).toBe('RFB 003.008\n')
      socket.destroy()
    } finally {
      await display.stop()
    }
  })
})
