import { TimeoutError } from '../errors/index.js'
import { type Clock, type Logger, type Random, systemRandom, Ticker, withDeadline } from '../runtime/index.js'
import { type Storage, storageNow } from '../storage/index.js'
import type { RunDispatcher } from './dispatcher.js'

export interface QueuedRunSweepOptions {
  readonly storage: Storage
  readonly dispatcher: RunDispatcher
  readonly clock: Clock
  readonly logger: Logger
  readonly random?: Random
}

/** How often is looked, and how long a run has waited before it counts as nobody's, in milliseconds; jittered by a tenth. */
const SWEEP_INTERVAL_MS = 2_000
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
    const random = options.random ?? systemRandom
    this.#options = options
    this.#ticker = new Ticker({
      clock: options.clock,
      pauseMs: () => SWEEP_INTERVAL_MS * (0.9 + 0.2 * random.fraction()),
      work: () => this.#sweep(),
    })
  }

  /** Where no other host can be, nobody else queues anything. */
  start(): void {
    if (this.#options.storage.capabilities.shared) this.#ticker.start()
  }

  stop(): Promise<void> {
    return this.#ticker.stop()
  }

  async #sweep(): Promise<void> {
    const { clock, logger } = this.#options
    const onTimeout = () => new TimeoutError('The sweep of queued runs', SWEEP_TIMEOUT_MS)
    try {
      await withDeadline({ run: () => this.#dispatchWaiting(), timeoutMs: SWEEP_TIMEOUT_MS, onTimeout, clock })
    } catch (error) {
      logger.warn('queued runs could not be looked for', { error })
    }
  }

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
