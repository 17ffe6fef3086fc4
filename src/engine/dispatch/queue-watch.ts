import type { Clock, Logger, Timer } from '../../runtime/index.js'
import type { RunRow, Storage, Wake, Where } from '../../storage/index.js'
import type { RunDispatcher } from '../dispatcher.js'

export interface QueueWatchOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly hostId: string
  readonly dispatcher: Pick<RunDispatcher, 'dispatch' | 'waiting'>
  /** Takes a row that was read this moment: where it is claimed at once, it need not be read again. */
  readonly remember: (run: RunRow) => void
  /** Whether this host executes a run, or is about to. */
  readonly isOurs: (workflowRunId: string) => boolean
  /** Somebody has something to tell this host. */
  readonly onSignal: () => void
  /** Something may have changed, and nobody knows what. */
  readonly onAnything: () => void
}

/** Whoever queued a run begins it itself if it can: for so long it is left alone. In milliseconds. */
const LEAD_MS = 3
/** Looks for what is new are this far apart at least. */
const SPACING_MS = 15
/** A run that was looked at is looked at again after so long: those of other hosts change all the time. */
const AGAIN_AFTER_MS = 500
/** Ids of one look. */
const PAGE_SIZE = 500

/** What any host may claim, if it is for it. A run with a holder is not; whether that is alive is the sweep's to find out. */
export const CLAIMABLE: Where<RunRow> = {
  any: [
    { status: 'queued', isParked: false },
    { status: 'running', leaseHolder: null },
    { status: 'paused', cancelRequestedAt: { isNull: false } },
  ],
}

/** Hears of runs that others have queued, given back or cancelled, and hands them to the dispatcher of this host. */
export class QueueWatch {
  readonly #options: QueueWatchOptions
  /** Ids to look at soon, and those that were looked at not long ago. */
  #fresh = new Set<string>()
  #again = new Set<string>()
  readonly #lookedAtMs = new Map<string, number>()
  #freshTimer: Timer | null = null
  #againTimer: Timer | null = null
  #lastLookMs = Number.NEGATIVE_INFINITY
  #unsubscribe: (() => Promise<void>) | null = null
  readonly #inFlight = new Set<Promise<void>>()
  #isStarted = false

  constructor(options: QueueWatchOptions) {
    this.#options = options
  }

  /** Where no other host can be, nobody else queues anything. */
  async start(): Promise<void> {
    const { storage } = this.#options
    if (!storage.capabilities.shared || storage.subscribe === undefined) return
    this.#isStarted = true
    this.#unsubscribe = await storage.subscribe((wake) => this.#onWake(wake))
  }

  async stop(): Promise<void> {
    this.#isStarted = false
    for (const timer of [this.#freshTimer, this.#againTimer]) timer?.cancel()
    this.#freshTimer = null
    this.#againTimer = null
    this.#fresh.clear()
    this.#again.clear()
    this.#lookedAtMs.clear()
    await this.#unsubscribe?.()
    this.#unsubscribe = null
    await Promise.all(this.#inFlight)
  }

  /** A run has ended here: what was heard of it is settled. */
  forget(workflowRunId: string): void {
    this.#fresh.delete(workflowRunId)
    this.#again.delete(workflowRunId)
  }

  #onWake({ stream, table, id }: Wake): void {
    if (!this.#isStarted || stream !== undefined) return
    if (table === undefined || id === undefined) this.#options.onAnything()
    else if (table === 'runs') this.#note(id)
    else if (table === 'hosts' && id === this.#options.hostId) this.#options.onSignal()
  }

  #note(workflowRunId: string): void {
    const { clock, isOurs } = this.#options
    const lookedAtMs = this.#lookedAtMs.get(workflowRunId) ?? Number.NEGATIVE_INFINITY
    if (isOurs(workflowRunId) || clock.monotonicMs() - lookedAtMs < AGAIN_AFTER_MS) {
      this.#again.add(workflowRunId)
      this.#againTimer ??= clock.setTimer(() => this.#lookAgain(), AGAIN_AFTER_MS)
      return
    }
    this.#fresh.add(workflowRunId)
    const delayMs = Math.max(LEAD_MS, this.#lastLookMs + SPACING_MS - clock.monotonicMs())
    this.#freshTimer ??= clock.setTimer(() => this.#lookAtFresh(), delayMs)
  }

  #lookAtFresh(): void {
    this.#freshTimer = null
    const ids = this.#fresh
    this.#fresh = new Set()
    this.#look(ids)
  }

  #lookAgain(): void {
    this.#againTimer = null
    const ids = this.#again
    this.#again = new Set()
    const nowMs = this.#options.clock.monotonicMs()
    for (const [id, atMs] of this.#lookedAtMs) if (nowMs - atMs >= AGAIN_AFTER_MS) this.#lookedAtMs.delete(id)
    this.#look(ids)
    if (this.#lookedAtMs.size > 0) this.#againTimer ??= this.#options.clock.setTimer(() => this.#lookAgain(), AGAIN_AFTER_MS)
  }

  #look(noted: ReadonlySet<string>): void {
    const { clock, isOurs, logger } = this.#options
    const ids = [...noted].filter((id) => !isOurs(id))
    if (ids.length === 0) return
    this.#lastLookMs = clock.monotonicMs()
    for (const id of ids) this.#lookedAtMs.set(id, this.#lastLookMs)
    const work = this.#dispatchClaimable(ids)
      .catch((error: unknown) => logger.warn('runs of others could not be looked at', { error }))
      .finally(() => this.#inFlight.delete(work))
    this.#inFlight.add(work)
  }

  async #dispatchClaimable(ids: readonly string[]): Promise<void> {
    const { storage, dispatcher, isOurs, remember } = this.#options
    for (let from = 0; from < ids.length; from += PAGE_SIZE) {
      const workflowRunId = { in: ids.slice(from, from + PAGE_SIZE) }
      const orderBy = [{ column: 'priority', direction: 'desc' }, { column: 'queuedAt' }] as const
      const found = await storage.find({ table: 'runs', where: { ...CLAIMABLE, workflowRunId }, orderBy, limit: PAGE_SIZE })
      for (const run of found) {
        if (!this.#isStarted || isOurs(run.workflowRunId)) continue
        if (dispatcher.waiting === 0) remember(run)
        await dispatcher.dispatch(run.workflowRunId, { priority: run.priority })
      }
    }
  }
}
