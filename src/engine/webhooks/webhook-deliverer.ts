import { TimeoutError } from '../../errors/index.js'
import { type Clock, type Logger, type Timer, withDeadline } from '../../runtime/index.js'
import type { RunRow, WebhookDeliveryRow } from '../../storage/index.js'
import type { DeliveryJournal } from './delivery-journal.js'
import type { DeliverySender } from './delivery-sender.js'

export interface WebhookDelivererOptions {
  readonly journal: DeliveryJournal
  readonly sender: DeliverySender
  readonly clock: Clock
  readonly logger: Logger
  /** How long an attempt may take, counted from its claim, in milliseconds. */
  readonly timeoutMs: number
  /** How long a claim holds, in milliseconds. */
  readonly leaseTtlMs: number
  /** False: this engine can sign nothing, and leaves deliveries to those that can. */
  readonly canDeliver: boolean
}

/** How often what others left is looked for, in milliseconds. */
export const WEBHOOK_LOOK_INTERVAL_MS = 5_000
/** Attempts at once in this process. */
const MOST_AT_ONCE = 16
/** Attempts at once for one organisation, so that its receiver, when it hangs, does not hold up those of others. */
const MOST_OF_ONE_ORGANIZATION = 8
/** A storage that hangs must not hold up a stop; in milliseconds. */
const LOOK_TIMEOUT_MS = 10_000
/** A retry is looked for a little after it is due: storages round to the millisecond. */
const SLACK_MS = 5

/**
 * Delivers the results of runs out of the outbox, with all other engines of the storage: each attempt is taken by one. An attempt that is
 * cut off by the loss of its host is made again by any of them once its lease has lapsed, under the same id.
 */
export class WebhookDeliverer {
  readonly #options: WebhookDelivererOptions
  readonly #sending = new Map<string, { readonly organizationId: string; readonly work: Promise<void> }>()
  /** By the monotonic clock: when retries of this process are due. */
  #dueAtMs: number[] = []
  #timer: Timer | null = null
  #looking: Promise<void> | null = null
  #isAskedAgain = false
  #isStarted = false
  #isStopping = false
  /** Aborts when nothing is waited for any more. */
  #patience = new AbortController()
  /** Aborts what is being sent. */
  #cut = new AbortController()

  constructor(options: WebhookDelivererOptions) {
    this.#options = options
  }

  /** Attempts that are being made here. */
  get sendingCount(): number {
    return this.#sending.size
  }

  /** Begins to deliver; what is due already is looked for at once. */
  start(): void {
    if (!this.#options.canDeliver || this.#isStarted) return
    this.#isStarted = true
    this.#isStopping = false
    this.#patience = new AbortController()
    this.#cut = new AbortController()
    this.#look({ isProbe: true })
  }

  /** A run ended here: its delivery, if it has one, is due. Never throws. */
  ended(run: Pick<RunRow, 'webhookStatus'>): void {
    if (run.webhookStatus === 'pending') this.kick()
  }

  /** Something is due. */
  kick(): void {
    this.#look({ isProbe: false })
  }

  /**
   * With `graceful`, what was taken, or is being looked for, may finish for as long as `timeoutMs`; what still goes on then is broken off
   * and left to others.
   */
  async stop({ graceful, timeoutMs }: { readonly graceful: boolean; readonly timeoutMs: number }): Promise<void> {
    if (!this.#isStarted) return
    this.#isStopping = true
    if (graceful) await this.#finish(timeoutMs)
    this.#isStarted = false
    this.#timer?.cancel()
    this.#timer = null
    this.#dueAtMs = []
    this.#cut.abort()
    await this.#looking
    await this.#idle()
  }

  /** Ends the patience of a `stop()` in flight, or of the next one. */
  hurry(): void {
    this.#patience.abort()
  }

  async #finish(timeoutMs: number): Promise<void> {
    const { clock } = this.#options
    const finish = async () => {
      while (this.#looking !== null || this.#sending.size > 0) {
        await this.#looking
        await this.#idle()
      }
    }
    const onTimeout = () => new TimeoutError('Deliveries', timeoutMs)
    const params = { run: finish, timeoutMs, onTimeout, clock, signal: this.#patience.signal }
    await withDeadline(params).catch(() => {}) // what is not finished by then is broken off
  }

  async #idle(): Promise<void> {
    await Promise.all([...this.#sending.values()].map(({ work }) => work))
  }

  /** One look at a time; one that is asked for meanwhile is made after it. */
  #look({ isProbe }: { readonly isProbe: boolean }): void {
    if (!this.#isStarted) return
    if (this.#looking !== null) {
      this.#isAskedAgain = true
      return
    }
    this.#isAskedAgain = false
    this.#looking = this.#takeDue(isProbe).finally(() => {
      this.#looking = null
      if (this.#isAskedAgain) this.#look({ isProbe: false })
      else this.#schedule()
    })
  }

  /** Never rejects. */
  async #takeDue(isProbe: boolean): Promise<void> {
    const { clock, logger, journal } = this.#options
    const onTimeout = () => new TimeoutError('Looking for webhooks', LOOK_TIMEOUT_MS)
    const take = async (signal: AbortSignal) => {
      if (isProbe && !(await journal.isSomethingDue())) return
      while (this.#isStarted && this.#sending.size < MOST_AT_ONCE) {
        const claimedAtMs = clock.monotonicMs()
        const delivery = await journal.claim(this.#busyOrganizations())
        if (delivery === null || signal.aborted) return // late: its lease lapses
        this.#begin(delivery, claimedAtMs)
      }
    }
    try {
      await withDeadline({ run: take, timeoutMs: LOOK_TIMEOUT_MS, onTimeout, clock })
    } catch (error) {
      logger.warn('webhooks could not be looked for', { error })
    }
  }

  #begin(delivery: WebhookDeliveryRow, claimedAtMs: number): void {
    const { deliveryId, organizationId } = delivery
    const work = this.#deliver(delivery, claimedAtMs).finally(() => {
      this.#sending.delete(deliveryId)
      if (this.#isStopping) return // what is due still is left to others
      if (this.#sending.size >= MOST_AT_ONCE - 1 || this.#countOf(organizationId) >= MOST_OF_ONE_ORGANIZATION - 1) this.kick()
    })
    this.#sending.set(deliveryId, { organizationId, work })
  }

  /** Never rejects: what cannot be written down is made again when its lease has lapsed. */
  async #deliver(delivery: WebhookDeliveryRow, claimedAtMs: number): Promise<void> {
    const { journal, sender, clock, logger, timeoutMs, leaseTtlMs } = this.#options
    const elapsedMs = () => clock.monotonicMs() - claimedAtMs
    try {
      const outcome = await sender.send(delivery, { timeoutMs: Math.max(0, timeoutMs - elapsedMs()), signal: this.#cut.signal })
      const retryInMs = await journal.record(delivery, outcome)
      if (retryInMs !== null) this.#lookIn(retryInMs)
    } catch (error) {
      if (this.#cut.signal.aborted) return this.#giveBack(delivery)
      logger.warn('the outcome of a webhook could not be written', { deliveryId: delivery.deliveryId, error })
      this.#lookIn(Math.max(0, leaseTtlMs - elapsedMs()))
    }
  }

  async #giveBack(delivery: WebhookDeliveryRow): Promise<void> {
    try {
      await this.#options.journal.giveBack(delivery)
    } catch (error) {
      this.#options.logger.warn('a webhook could not be left to others', { deliveryId: delivery.deliveryId, error })
    }
  }

  #lookIn(ms: number): void {
    this.#dueAtMs.push(this.#options.clock.monotonicMs() + ms + SLACK_MS)
    if (this.#looking === null) this.#schedule()
  }

  #schedule(): void {
    if (!this.#isStarted) return
    const { clock } = this.#options
    const inMs = Math.min(WEBHOOK_LOOK_INTERVAL_MS, ...this.#dueAtMs.map((atMs) => atMs - clock.monotonicMs()))
    this.#timer?.cancel()
    this.#timer = clock.setTimer(
      () => {
        this.#timer = null
        this.#dueAtMs = this.#dueAtMs.filter((atMs) => atMs > clock.monotonicMs())
        this.#look({ isProbe: true })
      },
      Math.max(0, inMs),
    )
  }

  #countOf(organizationId: string): number {
    return [...this.#sending.values()].filter((sending) => sending.organizationId === organizationId).length
  }

  #busyOrganizations(): string[] {
    const organizations = new Set([...this.#sending.values()].map(({ organizationId }) => organizationId))
    return [...organizations].filter((organizationId) => this.#countOf(organizationId) >= MOST_OF_ONE_ORGANIZATION)
  }
}
