import PQueue from 'p-queue'

/** Called when it is a run's turn; resolves when its execution here is over. */
export type DispatchHandler = (workflowRunId: string, signal: AbortSignal) => Promise<void>

/** Port to what decides when and where queued runs begin. A lost or doubled call is harmless: the claim is a conditional write. */
export interface RunDispatcher {
  start(handler: DispatchHandler): Promise<void>
  /** `priority`: higher first, default 0. */
  dispatch(workflowRunId: string, options?: { readonly priority?: number }): Promise<void>
  /** Begins nothing more; resolves when nothing runs any more, or after `timeoutMs`. */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>
}

/** Runs in this process, at most `concurrency` at a time, by priority and then in order. */
export class InProcessDispatcher implements RunDispatcher {
  readonly #queue: PQueue
  /** Runs that wait for a worker: a doubled call adds nothing. */
  readonly #waiting = new Set<string>()
  #handler: DispatchHandler | null = null
  #control = new AbortController()

  /** `concurrency` 1 or more. @default 10 */
  constructor(options: { readonly concurrency?: number } = {}) {
    this.#queue = new PQueue({ concurrency: options.concurrency ?? 10, autoStart: false })
  }

  async start(handler: DispatchHandler): Promise<void> {
    this.#handler = handler
    this.#control = new AbortController()
    this.#queue.start()
  }

  async dispatch(workflowRunId: string, options: { readonly priority?: number } = {}): Promise<void> {
    if (this.#waiting.has(workflowRunId)) return
    this.#waiting.add(workflowRunId)
    const begin = async () => {
      this.#waiting.delete(workflowRunId)
      await this.#handler?.(workflowRunId, this.#control.signal)
    }
    void this.#queue.add(begin, { priority: options.priority ?? 0 })
  }

  async stop(): Promise<void> {
    this.#queue.pause()
    this.#queue.clear()
    this.#waiting.clear()
    this.#control.abort()
    await this.#queue.onPendingZero()
    this.#handler = null
  }
}
