import { type Clock, closeAll, type ProcessRunner } from '../runtime/index.js'
import { type ProcessExit, type SpawnParams, SupervisedProcess } from './supervised-process.js'

export interface ProcessChainOptions {
  readonly processRunner: ProcessRunner
  readonly clock: Clock
  /** Command before each program that ties its life to ours, e.g. `setpriv --pdeathsig KILL`; empty: nothing does. */
  readonly deathSignalCommand: readonly string[]
}

/** What a display asks of its processes. */
export interface DisplayProcesses {
  readonly pids: readonly number[]
  /** Calls back when one of them ends without `stop`. */
  onExit(listener: (process: { readonly name: string }, exit: Pick<ProcessExit, 'reason'>) => void): void
  /** Ends them all and waits until they are gone; idempotent. */
  stop(): Promise<void>
  /** From here on their end is nothing to this process. */
  leave(): void
}

/** The processes of one display, ended in reverse order of their start. */
export class ProcessChain implements DisplayProcesses {
  readonly #options: ProcessChainOptions
  readonly #processes: SupervisedProcess[] = []
  #isStopping = false

  constructor(options: ProcessChainOptions) {
    this.#options = options
  }

  get pids(): readonly number[] {
    return this.#processes.flatMap((process) => (process.pid === undefined || process.hasExited ? [] : [process.pid]))
  }

  spawn(params: SpawnParams): SupervisedProcess {
    const [command, ...args] = [...this.#options.deathSignalCommand, params.command, ...params.args]
    const process = new SupervisedProcess(this.#options.processRunner, this.#options.clock, {
      ...params,
      command: command ?? params.command,
      args,
    })
    this.#processes.push(process)
    return process
  }

  /** Calls back when a process of the chain ends without `stop`. */
  onExit(listener: (process: SupervisedProcess, exit: ProcessExit) => void): void {
    for (const process of this.#processes) {
      void process.exited.then((exit) => {
        if (!this.#isStopping) listener(process, exit)
      })
    }
  }

  leave(): void {
    this.#isStopping = true
    for (const process of this.#processes) process.leave()
  }

  /** Ends every process and waits until all are gone; idempotent. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await closeAll(
      this.#processes.toReversed().map((process) => () => process.stop()),
      'a display',
    )
  }
}
