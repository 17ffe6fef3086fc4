import type { AnyEvent, RunResult } from '../events/index.js'
import type { ResumeRunParams, RunEventsParams } from './engine-params.js'
import type { Run } from './run-reader.js'

/** What the engine lends to handles. */
export interface RunCalls {
  result(options: WaitOptions): Promise<RunResult>
  events(options: HandleEventsOptions): AsyncGenerator<AnyEvent, void, undefined>
  cancel(by: string | undefined): Promise<Run>
  resume(answer: RunAnswer): Promise<Run>
}

/** What was decided about a paused run. */
export type RunAnswer = Omit<ResumeRunParams, 'organizationId' | 'workflowRunId'>

/** Which events of a run are read. */
export type HandleEventsOptions = Omit<RunEventsParams, 'organizationId' | 'workflowRunId'>

/** How long to wait for the end of a run. */
export interface WaitOptions {
  /** How long to wait, in milliseconds. Without it, as long as the run takes. */
  readonly timeoutMs?: number
  /** Ends the wait; the run itself goes on. */
  readonly signal?: AbortSignal
}

/** A started run. */
export class RunHandle {
  readonly workflowRunId: string
  readonly #calls: RunCalls

  /** @internal Made by `WorkflowEngine.startRun`. */
  constructor(workflowRunId: string, calls: RunCalls) {
    this.workflowRunId = workflowRunId
    this.#calls = calls
  }

  /**
   * What the run came to, whatever its status; its session is free by then.
   * @throws {TimeoutError} `RUN_WAIT_TIMEOUT`
   */
  result(options: WaitOptions = {}): Promise<RunResult> {
    return this.#calls.result(options)
  }

  /** The run's events from its beginning (or after a `seq`), then live; ends after the final one, or that of its webhook. */
  events(options: HandleEventsOptions = {}): AsyncGenerator<AnyEvent, void, undefined> {
    return this.#calls.events(options)
  }

  /** Cancels the run; resolves when the request is recorded. `result()` tells when it has ended. */
  cancel(options: { readonly by?: string } = {}): Promise<Run> {
    return this.#calls.cancel(options.by)
  }

  /**
   * Answers the person's part of a paused run: `approve` completes the block that waits, `reject` fails it. The same answer with the same
   * token once more changes nothing.
   * @throws {RunNotPausedError} `RUN_NOT_PAUSED`
   * @throws {ResumeTokenError} `RESUME_TOKEN_MISMATCH`
   */
  resume(answer: RunAnswer): Promise<Run> {
    return this.#calls.resume(answer)
  }
}
