import type { Clock, Logger, Timer } from '../../runtime/index.js'
import { type RunRow, type Storage, storageNow, type Where } from '../../storage/index.js'
import type { EndUnexecuted } from '../end-unexecuted.js'
import { outcomes } from '../run-outcome.js'

export interface WaitDeadlinesOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly endUnexecuted: EndUnexecuted
}

/** The storage's clock decides, and it may be behind: looked at again after so many milliseconds. */
const AGAIN_AFTER_MS = 250
const PAGE_SIZE = 200

/** Ends runs that have waited for their session as long as they were to: on time by the process that queued them, else by the sweep of any. */
export class WaitDeadlines {
  readonly #options: WaitDeadlinesOptions
  readonly #timers = new Map<string, Timer>()
  readonly #inFlight = new Set<Promise<void>>()
  #isStopped = false

  constructor(options: WaitDeadlinesOptions) {
    this.#options = options
  }

  start(): void {
    this.#isStopped = false
  }

  /** Looks at a run again when its wait is over. */
  watch({ workflowRunId, waitTimeoutMs, waitDeadlineAt }: RunRow): void {
    if (waitTimeoutMs !== null && waitDeadlineAt !== null) this.#setTimer(workflowRunId, waitTimeoutMs)
  }

  /** It waits no longer. */
  forget(workflowRunId: string): void {
    this.#timers.get(workflowRunId)?.cancel()
    this.#timers.delete(workflowRunId)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const workflowRunId of [...this.#timers.keys()]) this.forget(workflowRunId)
    await Promise.all(this.#inFlight)
  }

  /** Ends those whose wait is over, whichever process queued them. */
  async sweep(): Promise<void> {
    await this.#endThose({})
  }

  #setTimer(workflowRunId: string, delayMs: number): void {
    if (this.#isStopped) return
    this.forget(workflowRunId)
    const onTime = () => {
      this.#timers.delete(workflowRunId)
      const work = this.#onTime(workflowRunId).finally(() => this.#inFlight.delete(work))
      this.#inFlight.add(work)
    }
    this.#timers.set(workflowRunId, this.#options.clock.setTimer(onTime, delayMs))
  }

  /** Never rejects: what fails here is left to the next look. */
  async #onTime(workflowRunId: string): Promise<void> {
    const { storage, logger } = this.#options
    try {
      await this.#endThose({ workflowRunId })
      if ((await storage.count('runs', { workflowRunId, status: 'queued' })) === 0) return
    } catch (error) {
      logger.warn('a run that has waited long enough could not be ended', { workflowRunId, error })
    }
    this.#setTimer(workflowRunId, AGAIN_AFTER_MS)
  }

  async #endThose(where: Where<RunRow>): Promise<void> {
    const { storage, endUnexecuted } = this.#options
    const late = await storage.find({
      table: 'runs',
      where: { ...where, status: 'queued', waitDeadlineAt: { lte: storageNow() } },
      orderBy: [{ column: 'waitDeadlineAt' }],
      limit: PAGE_SIZE,
    })
    for (const run of late) {
      const reason = `session ${run.browserSessionId} was not free within the ${run.waitTimeoutMs} ms that the run was to wait for it`
      await endUnexecuted(run, outcomes.failed(reason, 'SESSION_OCCUPIED'))
    }
  }
}
