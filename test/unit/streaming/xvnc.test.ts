import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StreamingError } from '../../../src/errors/index.js'
import { XvncBackend } from '../../../src/streaming/index.js'
import { FakeClock } from '../../../src/testing/fake-clock.js'
import { type FakeProcess, FakeProcessRunner } from '../../../src/testing/fake-process-runner.js'
import { until } from './fixtures.js'
import { RecordingRfbServer } from './recording-rfb-server.js'

const params = { browserSessionId: 'bs_1', viewport: { width: 800, height: 600 } }
const size = { width: 800, height: 690 }

describe('XvncBackend', () => {
  let root: string
  let clock: FakeClock
  let servers: RecordingRfbServer[]
  /** What the X server does; setpriv and version questions answer by themselves. */
  let onServer: (process: FakeProcess, rfbSocketPath: string) => void
  let runner: FakeProcessRunner
  const xservers = () => runner.processes.filter(({ args }) => args.includes('-displayfd'))

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'xvnc-test-'))
    await mkdir(join(root, 'tmp'))
    await mkdir(join(root, 'bin'))
    await program('Xtigervnc')
    await program('setpriv')
    clock = new FakeClock()
    servers = []
    onServer = healthy
    runner = new FakeProcessRunner((process) => {
      const path = process.args[process.args.indexOf('-rfbunixpath') + 1]
      if (process.args.includes('-displayfd') && path) onServer(process, path)
      else if (process.args.includes('-version')) {
        process.stderr.write('Xvnc TigerVNC 1.12.0')
        setImmediate(() => process.exit(0))
      } else process.exit(0)
    })
  })
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.close()))
    await rm(root, { recursive: true })
  })

  const program = async (name: string) => {
    await writeFile(join(root, 'bin', name), '#!/bin/sh\n')
    await chmod(join(root, 'bin', name), 0o755)
  }
  const backend = (options: { platform?: NodeJS.Platform } = {}) =>
    new XvncBackend({
      clock,
      processRunner: runner,
      path: join(root, 'bin'),
      temporaryDirectory: join(root, 'tmp'),
      hostId: 'host_1',
      platform: 'linux',
      ...options,
    })
  const healthy = (process: FakeProcess, path: string, init = { ...size, name: 'bs_1' }) => {
    void RecordingRfbServer.listen(path, init).then((server) => {
      servers.push(server)
      process.fd3.write('7\n')
    })
  }
  const start = (signal = new AbortController().signal) => backend().start(params, signal)
  const directories = () => readdir(join(root, 'tmp'))
  /** Lets the clock run while something takes its course. */
  const running = async <T>(work: Promise<T>): Promise<T> => {
    let isOver = false
    work.then(
      () => {
        isOver = true
      },
      () => {
        isOver = true
      },
    )
    while (!isOver) await clock.advance(20)
    return work
  }

  it('starts the server that picks its own number, listens on a private socket only, and dies with its host', async () => {
    const display = await running(start())
    const [server] = xservers()
    expect(server?.command).toBe(join(root, 'bin', 'setpriv'))
    const D = display.directory
    expect(server?.args.join(' ')).toBe(
      `--pdeathsig KILL ${join(root, 'bin', 'Xtigervnc')} -displayfd 3 -geometry 800x690 -depth 24 -noreset -nolisten tcp -auth ${D}/xauth ` +
        `-rfbport -1 -rfbunixpath ${D}/rfb -rfbunixmode 384 -SecurityTypes None -BlacklistThreshold=1000000000 -AlwaysShared -FrameRate 30 ` +
        '-SendCutText=0 -SendPrimary=0 -AcceptCutText=0 -SetPrimary=0 -AcceptSetDesktopSize=0 -extension GLX -desktop bs_1',
    )
    expect(server?.options).toMatchObject({ env: { PATH: join(root, 'bin') }, detached: true })
    expect(display).toMatchObject({ displayNumber: 7, ...size, env: { DISPLAY: ':7', XAUTHORITY: `${D}/xauth` }, pids: [server?.pid] })
    expect(display.launchArgs).toContain('--window-size=800,690')
    expect((await stat(D)).mode & 0o777).toBe(0o700)
    expect((await stat(`${D}/xauth`)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(`${D}/owner.json`, 'utf8'))).toMatchObject({
      hostId: 'host_1',
      browserSessionId: 'bs_1',
      owner: { pid: process.pid },
      display: { displayNumber: 7, processes: [{ pid: server?.pid }] },
    })
    await display.stop()
    expect(runner.running).toEqual([])
    expect(await directories()).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  it('is not ready before the picture server answers and is the one that was asked for', async () => {
    let answer = () => {}
    onServer = (process, path) => {
      process.fd3.write('7\n')
      answer = () => healthy(process, path)
    }
    let isReady = false
    const starting = start().then((display) => {
      isReady = true
      return display
    })
    await until(() => xservers().length === 1)
    await clock.advance(1_000)
    expect(isReady).toBe(false)
    answer()
    await (await running(starting)).stop()
  })

  it('does not take somebody else’s display for its own', async () => {
    onServer = (process, path) => healthy(process, path, { ...size, name: 'bs_other' })
    await expect(running(start())).rejects.toMatchObject({ code: 'DISPLAY_START_FAILED' })
    expect(runner.running).toEqual([])
  })

  it('tries once more without the unix socket of X', async () => {
    onServer = (process, path) => {
      if (process.args.includes('unix')) healthy(process, path)
      else {
        process.stderr.write('cannot establish any listening sockets\n')
        setImmediate(() => process.exit(1))
      }
    }
    const display = await running(start())
    expect(xservers()).toHaveLength(2)
    expect(xservers()[1]?.args.join(' ')).toContain('-nolisten tcp -nolisten unix -auth')
    await display.stop()
  })

  it('says what the server said last when it ends at once, and leaves nothing', async () => {
    onServer = (process) => {
      process.stderr.write('Fatal server error: no memory\n')
      setImmediate(() => process.exit(1))
    }
    const error: unknown = await running(start()).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(StreamingError)
    expect(error).toMatchObject({
      code: 'DISPLAY_START_FAILED',
      message: expect.stringContaining('exited with code 1: Fatal server error: no memory'),
    })
    expect(await directories()).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  it('gives up on a silent server after 5 s, twice, and kills what ignores TERM', async () => {
    onServer = (process) => {
      process.ignoredSignals = ['SIGTERM']
    }
    await expect(running(start())).rejects.toThrow('not ready after 5000 ms')
    expect(xservers().map(({ signals }) => signals)).toEqual([
      ['SIGTERM', 'SIGKILL'],
      ['SIGTERM', 'SIGKILL'],
    ])
  })

  it('kills a server that floods its output', async () => {
    onServer = (process) => process.stderr.write(Buffer.alloc(600_000, 'x'))
    await expect(running(start())).rejects.toThrow('flooded its output')
  })

  it('stops at once when its caller aborts, with the caller’s reason', async () => {
    onServer = () => {}
    const controller = new AbortController()
    const starting = start(controller.signal)
    await until(() => xservers().length === 1)
    controller.abort(new Error('enough'))
    await expect(running(starting)).rejects.toThrow('enough')
    expect(xservers()).toHaveLength(1)
    expect(await directories()).toEqual([])
  })

  it('tells when the server is gone by itself, and not when it was stopped', async () => {
    const told: string[] = []
    const lost = await running(start())
    lost.onExit((reason) => told.push(reason))
    xservers()[0]?.exit(0)
    await until(() => told.length === 1)
    expect(told).toEqual(['Xvnc exited with code 0'])
    await lost.stop()
    const stopped = await running(start())
    stopped.onExit((reason) => told.push(reason))
    await stopped.stop()
    expect(told).toHaveLength(1)
  })

  it('names program, package and command where it is missing', async () => {
    await rm(join(root, 'bin', 'Xtigervnc'))
    expect(await backend().probe()).toEqual({
      available: false,
      program: 'Xtigervnc',
      reason: expect.stringContaining('tigervnc-standalone-server'),
      installCommand: 'apt-get install --no-install-recommends tigervnc-standalone-server',
    })
    await expect(start()).rejects.toMatchObject({ code: 'DISPLAY_PROGRAM_MISSING', details: { program: 'Xtigervnc' } })
  })

  it('takes an Xvnc only when it says that it is TigerVNC', async () => {
    await rm(join(root, 'bin', 'Xtigervnc'))
    await program('Xvnc')
    expect(await backend().probe()).toEqual({ available: true, program: join(root, 'bin', 'Xvnc') })
  })

  it('is not to be had outside Linux', async () => {
    expect(await backend({ platform: 'darwin' }).probe()).toMatchObject({ available: false, installCommand: null })
  })

  it('works without setpriv', async () => {
    await rm(join(root, 'bin', 'setpriv'))
    const display = await running(start())
    expect(xservers()[0]?.command).toBe(join(root, 'bin', 'Xtigervnc'))
    await display.stop()
  })
})
