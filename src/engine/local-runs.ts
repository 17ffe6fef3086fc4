import type { AnyEvent, RunResult } from '../events/index.js'
import { isFinalEvent } from './run-status.js'

/** Hears what a run has come to here; null: it goes on elsewhere, or nobody here knows. */
export type OnOver = (result: RunResult | null) => void

interface LocalRun {
  /** Attempts to execute it that are under way here. */
  executions: number
  /** What it came to, once its terminal commit is made. */
  result: RunResult | null
}

/**
 * The runs that this process executes, or is about to: nobody else ends them, so whoever waits for one here is told of its end without
 * asking the storage.
 */
export class LocalRuns {
  readonly #runs = new Map<string, LocalRun>()
  readonly #waiting = new Map<string, Set<OnOver>>()

  isHere(workflowRunId: string): boolean {
    return this.#runs.has(workflowRunId)
  }

  /** It is here from now on, until the function that this gives is called: its execution here is over then, whatever it came to. */
  begin(workflowRunId: string): () => void {
    const run: LocalRun = this.#runs.get(workflowRunId) ?? { executions: 0, result: null }
    this.#runs.set(workflowRunId, run)
    run.executions += 1
    return () => {
      run.executions -= 1
      if (run.executions > 0) return
      this.#runs.delete(workflowRunId)
      this.#tell(workflowRunId, run.result)
    }
  }

  /** An event of this process, after its commit. */
  see(event: AnyEvent): void {
    if (!isFinalEvent(event.type)) return
    const result = event.payload as RunResult
    const run = this.#runs.get(result.workflowRunId)
    if (run !== undefined) run.result = result
  }

  /** It goes on without this process, though what is left of it here is not over yet: whoever waits for it has to ask the storage. */
  left(workflowRunId: string): void {
    this.#tell(workflowRunId, null)
  }

  /** Calls back whenever an execution of the run is over here; gives the function that ends that. */
  onOver(workflowRunId: string, callBack: OnOver): () => void {
    const waiting = this.#waiting.get(workflowRunId) ?? new Set()
    this.#waiting.set(workflowRunId, waiting.add(callBack))
    return () => {
      waiting.delete(callBack)
      if (waiting.size === 0 && this.#waiting.get(workflowRunId) === waiting) this.#waiting.delete(workflowRunId)
    }
  }

  #tell(workflowRunId: string, result: RunResult | null): void {
    for (const callBack of [...(this.#waiting.get(workflowRunId) ?? [])]) callBack(result)
  }
}
