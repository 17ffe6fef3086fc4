import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import type { ProcessRunner } from '../runtime/index.js'

/** A process that does only what its test says. */
export class FakeProcess extends EventEmitter {
  readonly command: string
  readonly args: readonly string[]
  readonly options: SpawnOptions
  readonly pid: number | undefined
  /** Standard output; `stderr` and `fd3` are pipes like it. */
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly fd3 = new PassThrough()
  readonly stdio = [null, this.stdout, this.stderr, this.fd3] as const
  /** Every signal that it was sent, in order. */
  readonly signals: NodeJS.Signals[] = []
  /** Signals that do not end it; KILL always does. @default [] */
  ignoredSignals: readonly NodeJS.Signals[] = []
  hasExited = false

  constructor(params: { command: string; args: readonly string[]; options: SpawnOptions; pid: number }) {
    super()
    this.command = params.command
    this.args = params.args
    this.options = params.options
    this.pid = params.pid
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): boolean {
    if (this.hasExited) return false
    this.signals.push(signal)
    if (signal === 'SIGKILL' || !this.ignoredSignals.includes(signal)) this.exit(null, signal)
    return true
  }

  /** Ends it. */
  exit(code: number | null, signal: NodeJS.Signals | null = null): void {
    if (this.hasExited) return
    this.hasExited = true
    this.emit('exit', code, signal)
    for (const pipe of [this.stdout, this.stderr, this.fd3]) pipe.end()
    this.emit('close', code, signal)
  }

  /** It could not be spawned. */
  fail(error: Error): void {
    this.hasExited = true
    this.emit('error', error)
  }
}

/**
 * Spawns nothing: keeps what it was asked for, and hands each process to a script.
 *
 * @example
 * const runner = new FakeProcessRunner((process) => process.fd3.write('7\n'))
 */
export class FakeProcessRunner implements ProcessRunner {
  readonly processes: FakeProcess[] = []
  readonly #script: (process: FakeProcess) => void

  /** @param script called for each process, after its spawner has had a chance to listen. */
  constructor(script: (process: FakeProcess) => void = () => {}) {
    this.#script = script
  }

  /** Processes that have not ended. */
  get running(): readonly FakeProcess[] {
    return this.processes.filter((process) => !process.hasExited)
  }

  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    const process = new FakeProcess({ command, args, options, pid: 2_000_000_000 + this.processes.length })
    this.processes.push(process)
    queueMicrotask(() => this.#script(process))
    return process as unknown as ChildProcess
  }
}
