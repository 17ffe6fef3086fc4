import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { type Clock, type ProcessRunner, raceAbort } from '../runtime/index.js'
import { OutputTail } from './output-tail.js'

/** From the polite signal to the last one. */
const TERM_GRACE_MS = 2_000
/** A line on a pipe that never ends would be kept for ever. */
const MAX_LINE_BYTES = 4_096

/** How a process ended, in words as well. */
export interface ProcessExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly reason: string
}

export interface SpawnParams {
  /** For messages. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** File descriptor that takes what it writes, for one that may outlive this process. @default a pipe that is listened to */
  readonly logFd?: number | undefined
}

/** One child with a pipe on fd 3: its first line, its last words, its end. Signalled only while it is known to be ours. */
export class SupervisedProcess {
  readonly name: string
  /** Resolves once, whatever happened; never rejects. */
  readonly exited: Promise<ProcessExit>
  readonly #child: ChildProcess
  readonly #clock: Clock
  readonly #tail: OutputTail
  #exit: ProcessExit | undefined
  #flooded = false

  constructor(runner: ProcessRunner, clock: Clock, params: SpawnParams) {
    this.name = params.name
    this.#clock = clock
    this.#tail = new OutputTail(clock)
    // A group of its own: Ctrl-C in the host's terminal must not take the display away under a browser that is being closed.
    this.#child = runner.spawn(params.command, params.args, {
      env: { ...params.env },
      cwd: '/',
      stdio: ['ignore', 'ignore', params.logFd ?? 'pipe', 'pipe'],
      detached: true,
    })
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(this.#ended(null, null, error.message)))
      this.#child.once('exit', (code, signal) => resolve(this.#ended(code, signal)))
    })
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#onOutput(chunk))
  }

  /** Undefined when it could not be spawned. */
  get pid(): number | undefined {
    return this.#child.pid
  }

  get hasExited(): boolean {
    return this.#exit !== undefined
  }

  /** What it wrote last, for an error message. */
  get lastWords(): string {
    return this.#tail.lastLines()
  }

  /** The first line on fd 3; rejects when the process ends first, or with the signal's reason. */
  async firstLine(signal: AbortSignal): Promise<string> {
    const pipe = this.#child.stdio[3] as Readable | null | undefined
    if (!pipe) throw new Error(`${this.name} has no pipe on fd 3`)
    const line = new Promise<string>((resolve, reject) => {
      let received = ''
      pipe.on('error', reject)
      pipe.on('data', (chunk: Buffer) => {
        if (received.length < MAX_LINE_BYTES) received += chunk.toString('latin1')
        const end = received.indexOf('\n')
        if (end >= 0) resolve(received.slice(0, end))
      })
    })
    const tooSoon = this.exited.then((exit): never => {
      throw new Error(`${this.name} ${exit.reason}`)
    })
    return raceAbort(Promise.race([line, tooSoon]), signal)
  }

  /** It does not keep this process alive, and may outlive it. */
  leave(): void {
    this.#child.unref()
    for (const pipe of this.#child.stdio.slice(2)) pipe?.destroy()
  }

  /** TERM, 2 s, KILL; resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#exit) return
    this.#child.kill('SIGTERM')
    const timer = this.#clock.setTimer(() => this.#child.kill('SIGKILL'), TERM_GRACE_MS, { keepAlive: true })
    await this.exited
    timer.cancel()
  }

  #onOutput(chunk: Buffer): void {
    if (!this.#tail.push(chunk).isFlood || this.#flooded) return
    this.#flooded = true
    this.#child.kill('SIGKILL')
  }

  #ended(code: number | null, signal: NodeJS.Signals | null, failure?: string): ProcessExit {
    const how =
      failure ?? (this.#flooded ? 'was killed: it flooded its output' : signal ? `was ended by ${signal}` : `exited with code ${code}`)
    const words = this.lastWords
    this.#exit = { code, signal, reason: words === '' ? how : `${how}: ${words}` }
    return this.#exit
  }
}
