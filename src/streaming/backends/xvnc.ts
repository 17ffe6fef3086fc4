import { open, rm } from 'node:fs/promises'
import { StreamingError } from '../../errors/index.js'
import {
  type Clock,
  isAbortError,
  type ProcessRunner,
  type Random,
  sleep,
  systemClock,
  systemProcessRunner,
  systemRandom,
  withDeadline,
} from '../../runtime/index.js'
import { adoptDisplay } from '../adopted-processes.js'
import type { Display, DisplayBackend, DisplayParams, DisplayProbe } from '../display.js'
import { DisplayDirectory } from '../display-directory.js'
import { displaySize } from '../display-size.js'
import { ProcessChain } from '../process-chain.js'
import { Programs } from '../programs.js'
import { rfbHandshake } from '../rfb/handshake.js'
import { xvncArguments } from './xvnc-arguments.js'
import { XvncDisplay } from './xvnc-display.js'
import { findXvnc, missingXvnc } from './xvnc-program.js'

const READY_TIMEOUT_MS = 5_000
const FIRST_RETRY_MS = 2
const LAST_RETRY_MS = 20

/** Options of {@link XvncBackend}. */
export interface XvncBackendOptions {
  /** Written into each display's directory, so that what a dead host left can be told. @default 'unnamed' */
  readonly hostId?: string
  readonly clock?: Clock
  readonly random?: Random
  readonly processRunner?: ProcessRunner
  /** Where programs are looked for, as in `PATH`. @default the process's own */
  readonly path?: string
  /** Folder below which displays get their directories. @default os.tmpdir() */
  readonly temporaryDirectory?: string
  /** @default process.platform */
  readonly platform?: NodeJS.Platform
}

/** Displays made by TigerVNC's Xvnc: X server and VNC server in one process, RFB on a private unix socket, no port anywhere. */
export class XvncBackend implements DisplayBackend {
  readonly kind = 'xvnc'
  readonly #options: XvncBackendOptions
  readonly #clock: Clock
  readonly #processRunner: ProcessRunner
  readonly #programs: Programs
  #deathSignal: Promise<readonly string[]> | undefined

  constructor(options: XvncBackendOptions = {}) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#processRunner = options.processRunner ?? systemProcessRunner
    this.#programs = new Programs({ processRunner: this.#processRunner, clock: this.#clock, path: options.path })
  }

  async probe(): Promise<DisplayProbe> {
    const platform = this.#options.platform ?? process.platform
    if (platform !== 'linux') {
      return {
        available: false,
        program: 'Xtigervnc',
        reason: `Displays of their own need Linux or WSL; this is ${platform}`,
        installCommand: null,
      }
    }
    // the second is wanted at the first start, and known by then
    const [program] = await Promise.all([findXvnc(this.#programs), this.#deathSignalCommand()])
    return program === undefined ? missingXvnc() : { available: true, program }
  }

  /**
   * @throws {StreamingError} `DISPLAY_PROGRAM_MISSING`, `DISPLAY_START_FAILED`; the signal's reason when it aborts. Nothing is left running.
   */
  async start(params: DisplayParams, signal: AbortSignal): Promise<Display> {
    const probe = await this.probe()
    if (!probe.available) {
      const { program, reason, installCommand } = probe
      throw new StreamingError(reason, { code: 'DISPLAY_PROGRAM_MISSING', details: { program, installCommand } })
    }
    const directory = await DisplayDirectory.create({
      hostId: this.#options.hostId ?? 'unnamed',
      browserSessionId: params.browserSessionId,
      random: this.#options.random ?? systemRandom,
      parent: this.#options.temporaryDirectory,
      detached: params.detached,
    })
    try {
      return await this.#startWithRetry(probe.program, params, directory, signal)
    } catch (error) {
      await directory.remove()
      throw error
    }
  }

  /**
   * @throws {StreamingError} `DISPLAY_START_FAILED` when it does not answer, or is another one; it is left as it is. The signal's reason.
   */
  async adopt(params: { readonly directory: string; readonly browserSessionId: string }, signal: AbortSignal): Promise<Display> {
    const { hostId = 'unnamed' } = this.#options
    const { chain, directory, displayNumber, size } = await adoptDisplay({ ...params, hostId, clock: this.#clock, signal })
    return new XvncDisplay({ chain, directory, displayNumber, size, isDetached: true })
  }

  /** Where the folder of X sockets cannot be written to, the server works without one: the second attempt goes without. */
  async #startWithRetry(program: string, params: DisplayParams, directory: DisplayDirectory, signal: AbortSignal): Promise<Display> {
    try {
      return await this.#attempt(program, params, directory, signal, { unixSocket: true })
    } catch (first) {
      if (signal.aborted || isAbortError(first)) throw first
      await rm(directory.rfbSocketPath, { force: true })
      try {
        return await this.#attempt(program, params, directory, signal, { unixSocket: false })
      } catch (second) {
        if (signal.aborted || isAbortError(second)) throw second
        throw new StreamingError(`${program} gave no display for session ${params.browserSessionId}: ${messageOf(second)}`, {
          code: 'DISPLAY_START_FAILED',
          details: { program, browserSessionId: params.browserSessionId, firstAttempt: messageOf(first) },
          cause: second,
          retryable: true,
        })
      }
    }
  }

  async #attempt(
    program: string,
    params: DisplayParams,
    directory: DisplayDirectory,
    signal: AbortSignal,
    how: { readonly unixSocket: boolean },
  ): Promise<Display> {
    const isDetached = params.detached === true
    const chain = new ProcessChain({
      processRunner: this.#processRunner,
      clock: this.#clock,
      deathSignalCommand: isDetached ? [] : await this.#deathSignalCommand(),
    })
    const log = isDetached ? await open(directory.logPath, 'a', 0o600) : undefined
    const size = displaySize(params)
    const wanted = { ...size, name: params.browserSessionId }
    try {
      const server = chain.spawn({
        name: 'Xvnc',
        command: program,
        args: xvncArguments({ ...wanted, directory, frameRate: params.frameRate ?? 30, glx: params.glx ?? false, ...how }),
        env: { PATH: this.#programs.path },
        logFd: log?.fd,
      })
      const displayNumber = await withDeadline({
        timeoutMs: READY_TIMEOUT_MS,
        signal,
        clock: this.#clock,
        onTimeout: () => new Error(`Xvnc was not ready after ${READY_TIMEOUT_MS} ms: ${server.lastWords}`),
        run: async (untilReady) => {
          const line = await server.firstLine(untilReady)
          await this.#answers(directory.rfbSocketPath, wanted, untilReady)
          return parseDisplayNumber(line)
        },
      })
      await directory.recordDisplay(displayNumber, chain.pids)
      return new XvncDisplay({ chain, directory, displayNumber, size, isDetached })
    } catch (error) {
      await chain.stop()
      throw error
    } finally {
      await log?.close()
    }
  }

  /** Retries until the server answers and is the one that was asked for: a socket that exists is not yet a display. */
  async #answers(socketPath: string, wanted: { width: number; height: number; name: string }, signal: AbortSignal): Promise<void> {
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(delayMs * 2, LAST_RETRY_MS)) {
      try {
        const found = await rfbHandshake({ socketPath, signal })
        if (found.name === wanted.name && found.width === wanted.width && found.height === wanted.height) return
      } catch (error) {
        if (signal.aborted) throw error
      }
      await sleep(this.#clock, delayMs, signal)
    }
  }

  #deathSignalCommand(): Promise<readonly string[]> {
    this.#deathSignal ??= this.#findDeathSignalCommand()
    return this.#deathSignal
  }

  /** setpriv of util-linux makes the kernel end a child with its parent; other setprivs cannot, so it is tried once. */
  async #findDeathSignalCommand(): Promise<readonly string[]> {
    const setpriv = await this.#programs.find('setpriv')
    if (setpriv === undefined) return []
    const command = [setpriv, '--pdeathsig', 'KILL']
    const { code } = await this.#programs.ask(setpriv, [...command.slice(1), 'true'])
    return code === 0 ? command : []
  }
}

function parseDisplayNumber(line: string): number {
  if (!/^\d{1,5}$/.test(line.trim())) throw new Error(`Xvnc told no display number but ${JSON.stringify(line)}`)
  return Number(line)
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
