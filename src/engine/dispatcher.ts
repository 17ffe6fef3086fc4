import PQueue from 'p-queue'
import { type Clock, systemClock, type Timer } from '../runtime/index.js'

/** Called when it is a run's turn; resolves when its execution here is over. */
export type DispatchHandler = (workflowRunId: string, signal: AbortSignal) => Promise<void>

/** When and where a run is to begin. */
export interface DispatchOptions {
  /** Higher first. @default 0 */
  readonly priority?: number
  /** Not before. @default now */
  readonly availableAt?: Date
  /** The lane that it is in, for queues that know lanes. The order in lanes is held by the claim, whatever a dispatcher does. */
  readonly lane?: string
}

/** Port to what decides when and where queued runs begin. A lost or doubled call is harmless: the claim is a conditional write. */
export interface RunDispatcher {
  start(handler: DispatchHandler): Promise<void>
  dispatch(workflowRunId: string, options?: DispatchOptions): Promise<void>
  /**
   * Calls the handler at once for a run that is being stored, where a worker is free and nobody waits for one; else false. Without it, every
   * run is stored first, and dispatched then.
   */
  beginNow?(workflowRunId: string): boolean
  /** Begins nothing more; resolves when nothing runs any more, or after `timeoutMs`. */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>
  /** Does the work of a handler that only waits, while which its run takes no worker: one that waits for another must not keep it from one. */
  whileWaiting?<T>(work: () => Promise<T>): Promise<T>
  /** Runs that wait for a worker here. Where it is known, the engine gets more from the storage when few are left. */
  readonly waiting?: number
}

/** Options of {@link InProcessDispatcher}. */
export interface InProcessDispatcherOptions {
  /** Runs at the same time, 1 or more. @default 10 */
  readonly concurrency?: number
  readonly clock?: Clock
}

/** Runs in this process, at most `concurrency` at a time, by priority and then in order. */
export class InProcessDispatcher implements RunDispatcher {
  readonly #queue: PQueue
  readonly #clock: Clock
  /** Runs that wait for a worker: a doubled call adds nothing. */
  readonly #waiting = new Set<string>()
  readonly #timers = new Map<string, Timer>()
  #handler: DispatchHandler | null = null
  #control = new AbortController()

  constructor(options: InProcessDispatcherOptions = {}) {
    this.#queue = new PQueue({ concurrency: options.concurrency ?? 10, autoStart: false })
    this.#clock = options.clock ?? systemClock
  }

  get waiting(): number {
    return this.#waiting.size
  }

  async start(handler: DispatchHandler): Promise<void> {
    this.#handler = handler
    this.#control = new AbortController()
    this.#queue.start()
  }

  async dispatch(workflowRunId: string, options: DispatchOptions = {}): Promise<void> {
    const delayMs = options.availableAt === undefined ? 0 : options.availableAt.getTime() - this.#clock.now().getTime()
    this.#timers.get(workflowRunId)?.cancel()
    this.#timers.delete(workflowRunId)
    if (delayMs > 0) {
      const onTime = () => void this.dispatch(workflowRunId, { priority: options.priority ?? 0 })
      this.#timers.set(workflowRunId, this.#clock.setTimer(onTime, delayMs))
      return
    }
    if (this.#waiting.has(workflowRunId)) return
    this.#waiting.add(workflowRunId)
    const begin = async () => {
      this.#waiting.delete(workflowRunId)
      await this.#handler?.(workflowRunId, this.#control.signal)
    }
    void this.#queue.add(begin, { priority: options.priority ?? 0 })
  }

  beginNow(workflowRunId: string): boolean {
    const queue = this.#queue
    const handler = this.#handler
    if (handler === null || queue.isPaused || queue.size > 0 || queue.pending >= queue.concurrency) return false
    void queue.add(() => handler(workflowRunId, this.#control.signal))
    return true
  }

  async whileWaiting<T>(work: () => Promise<T>): Promise<T> {
    this.#queue.concurrency += 1
    try {
      return await work()
    } finally {
      this.#queue.concurrency -= 1
    }
  }

  async stop(): Promise<void> {
    this.#queue.pause()
    this.#queue.clear()
    this.#waiting.clear()
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    this.#control.abort()
    await this.#queue.onPendingZero()
    this.#handler = null
  }
}
