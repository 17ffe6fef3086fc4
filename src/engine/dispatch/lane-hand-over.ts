import type { Clock, Logger, Timer } from '../../runtime/index.js'
import type { RunRow } from '../../storage/index.js'
import type { RunEnds } from '../run-ends.js'
import { SWEEP_INTERVAL_MS } from '../sweep.js'
import { lanesOf } from '../terminal-writes.js'
import { headOf } from './obstacles.js'
import { type UnparkOptions, unpark } from './unparking.js'

export interface LaneHandOverOptions extends UnparkOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** Called for every run that ended here. */
  readonly onEnded?: ((workflowRunId: string) => void) | undefined
}

const DEPENDENTS_PAGE = 200

/**
 * Lets begin what waited for the end of a run: the next of its lanes, and the runs that depend on it. What this process does not come to,
 * because it dies between the end and this, is found by the sweep of any other.
 */
export class LaneHandOver implements RunEnds {
  readonly #options: LaneHandOverOptions
  readonly #inFlight = new Set<Promise<void>>()
  readonly #retries = new Set<Timer>()
  #isStopped = false

  constructor(options: LaneHandOverOptions) {
    this.#options = options
  }

  start(): void {
    this.#isStopped = false
  }

  ended(run: RunRow): void {
    this.#options.onEnded?.(run.workflowRunId)
    if (!run.hasDependents && lanesOf(run).length === 0) return
    const work = this.#handOver(run).finally(() => this.#inFlight.delete(work))
    this.#inFlight.add(work)
  }

  /** Resolves when nothing is under way any more; what failed is left to the next sweep. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const timer of this.#retries) timer.cancel()
    this.#retries.clear()
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight)
  }

  /** Never rejects. */
  async #handOver(run: RunRow): Promise<void> {
    const { logger } = this.#options
    try {
      for (const lane of lanesOf(run)) await this.#openLane(lane)
      if (run.hasDependents) await this.#letDependentsBegin(run.workflowRunId)
    } catch (error) {
      logger.warn('what waits for the end of a run could not be told of it', { workflowRunId: run.workflowRunId, error })
      this.#retryLater(run)
    }
  }

  /** Where no other host can be, there is no sweep either: whoever failed tries again. */
  #retryLater(run: RunRow): void {
    if (this.#isStopped) return
    const timer = this.#options.clock.setTimer(() => {
      this.#retries.delete(timer)
      this.ended(run)
    }, SWEEP_INTERVAL_MS)
    this.#retries.add(timer)
  }

  /** The next in the lane; one that is not parked is on its way already. */
  async #openLane(lane: string): Promise<void> {
    const head = await headOf(this.#options.storage, lane)
    if (head?.isParked) await unpark(this.#options, head)
  }

  async #letDependentsBegin(dependsOnWorkflowRunId: string): Promise<void> {
    const { storage } = this.#options
    for (;;) {
      const where = { dependsOnWorkflowRunId, status: 'queued', isParked: true } as const
      const dependents = await storage.find({ table: 'runs', where, orderBy: [{ column: 'queuedAt' }], limit: DEPENDENTS_PAGE })
      for (const dependent of dependents) await unpark(this.#options, dependent)
      if (dependents.length < DEPENDENTS_PAGE) return
    }
  }
}
