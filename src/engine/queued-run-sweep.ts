import type { Clock, Logger, Random, Ticker } from '../runtime/index.js'
import { type Storage, storageNow } from '../storage/index.js'
import type { RunDispatcher } from './dispatcher.js'
import { createSweep, SWEEP_INTERVAL_MS } from './sweep.js'

export interface QueuedRunSweepOptions {
  readonly storage: Storage
  readonly dispatcher: RunDispatcher
  readonly clock: Clock
  readonly logger: Logger
  readonly random?: Random
}

/** In milliseconds. */
const SWEEP_TIMEOUT_MS = 10_000
const SWEEP_LIMIT = 200

/**
 * Begins what others have queued: runs of a host that died before it began them, that is too busy, or that does not have their session.
 * The claim is a conditional write, so that of all hosts that try, one succeeds.
 */
export class QueuedRunSweep {
  readonly #options: QueuedRunSweepOptions
  readonly #ticker: Ticker

  constructor(options: QueuedRunSweepOptions) {
    this.#options = options
    const { clock, logger, random } = options
    this.#ticker = createSweep({
      clock,
      logger,
      random,
      what: 'queued runs',
      timeoutMs: SWEEP_TIMEOUT_MS,
      work: () => this.#dispatchWaiting(),
    })
  }

  /** Where no other host can be, nobody else queues anything. */
  start(): void {
    if (this.#options.storage.capabilities.shared) this.#ticker.start()
  }

  stop(): Promise<void> {
    return this.#ticker.stop()
  }

  /** Runs that have waited as long as a look takes to come round: whoever queued them has not begun them. */
  async #dispatchWaiting(): Promise<void> {
    const { storage, dispatcher } = this.#options
    const waiting = await storage.find({
      table: 'runs',
      where: { status: 'queued', queuedAt: { lt: storageNow({ plusMs: -SWEEP_INTERVAL_MS }) } },
      orderBy: [{ column: 'priority', direction: 'desc' }, { column: 'queuedAt' }],
      limit: SWEEP_LIMIT,
    })
    for (const { workflowRunId, priority } of waiting) await dispatcher.dispatch(workflowRunId, { priority })
  }
}
