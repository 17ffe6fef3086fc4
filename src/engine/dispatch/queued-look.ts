import { type RunRow, type Storage, storageNow, type Where } from '../../storage/index.js'
import type { RunDispatcher } from '../dispatcher.js'
import { SWEEP_INTERVAL_MS } from '../sweep.js'

export interface QueuedLookOptions {
  readonly storage: Storage
  readonly dispatcher: RunDispatcher
}

const PAGE_SIZE = 200
/** Most queued runs that are picked up at a start. */
const PICK_UP_LIMIT = 10_000
/** With fewer runs waiting for a worker here, it is time for the next page. */
const LOW_WATER = 50

/** Hands queued runs to this host's dispatcher that have waited as long as a look takes to come round: whoever queued them has not begun them. */
export class QueuedLook {
  readonly #options: QueuedLookOptions
  /** Whether the last page was full. */
  #hasMore = false
  #inFlight: Promise<void> | null = null

  constructor(options: QueuedLookOptions) {
    this.#options = options
  }

  /** Everything that is queued, however long: nobody here has begun it. */
  pickUp(): Promise<void> {
    return this.#dispatch({}, PICK_UP_LIMIT)
  }

  /** The first page. Concurrent calls share one. */
  look(): Promise<void> {
    this.#inFlight ??= this.#dispatch({ queuedAt: { lt: storageNow({ plusMs: -SWEEP_INTERVAL_MS }) } }, PAGE_SIZE).finally(() => {
      this.#inFlight = null
    })
    return this.#inFlight
  }

  /** A worker is free: gets the next page when there is one and little is left of the last. Never rejects. */
  async refill(): Promise<void> {
    const { waiting } = this.#options.dispatcher
    if (!this.#hasMore || waiting === undefined || waiting > LOW_WATER) return
    await this.look().catch(() => {}) // the sweep looks again, and tells of it
  }

  async #dispatch(where: Where<RunRow>, limit: number): Promise<void> {
    const { storage, dispatcher } = this.#options
    const queued = await storage.find({
      table: 'runs',
      where: { ...where, status: 'queued', isParked: false },
      orderBy: [{ column: 'priority', direction: 'desc' }, { column: 'queuedAt' }],
      limit,
    })
    this.#hasMore = queued.length === limit
    for (const { workflowRunId, priority } of queued) await dispatcher.dispatch(workflowRunId, { priority })
  }
}
