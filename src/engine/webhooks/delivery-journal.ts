import { type AnyEvent, runStream } from '../../events/index.js'
import type { Random } from '../../runtime/index.js'
import {
  type Changes,
  leaseCleared,
  leaseSet,
  type RunRow,
  type Storage,
  storageNow,
  type WebhookDeliveryRow,
  whereFree,
  whereHeld,
} from '../../storage/index.js'
import type { EventFactory } from '../event-factory.js'
import { type AttemptOutcome, retryDelayMs } from './retry-policy.js'

export interface DeliveryJournalOptions {
  readonly storage: Storage
  readonly events: EventFactory
  /** Tells this process's listeners, after a commit. */
  readonly emit: (event: AnyEvent) => void
  readonly random: Random
  readonly hostId: string
  /** How long a claim holds without an outcome, in milliseconds. */
  readonly leaseTtlMs: number
  /** Most attempts at a delivery. */
  readonly attempts: number
}

/** What a delivery is after an attempt. */
interface Recorded {
  readonly set: Changes<WebhookDeliveryRow>
  readonly run: Changes<RunRow>
  readonly event: { readonly type: 'webhook.delivered' | 'webhook.failed'; readonly payload: Record<string, unknown> }
  /** Null: there is no other attempt. */
  readonly retryInMs: number | null
}

/** Takes deliveries and writes down what became of them. Every write holds the delivery to be pending under this host's fence. */
export class DeliveryJournal {
  readonly #options: DeliveryJournalOptions

  constructor(options: DeliveryJournalOptions) {
    this.#options = options
  }

  /** Whether a claim would find something; cheaper than to try one. */
  async isSomethingDue(): Promise<boolean> {
    const found = await this.#options.storage.find({
      table: 'webhook_deliveries',
      where: whereDue(),
      orderBy: [{ column: 'nextAttemptAt' }],
      limit: 1,
    })
    return found.length > 0
  }

  /** Takes the delivery that is due longest, also one whose host was lost; null: there is none. */
  async claim(exceptOf: readonly string[]): Promise<WebhookDeliveryRow | null> {
    const { storage, hostId, leaseTtlMs } = this.#options
    const others = exceptOf.length === 0 ? {} : { organizationId: { notIn: exceptOf } }
    const result = await storage.commit([
      {
        op: 'claim',
        table: 'webhook_deliveries',
        where: { ...whereDue(), ...others },
        orderBy: [{ column: 'nextAttemptAt' }],
        set: { ...leaseSet({ holder: hostId, ttlMs: leaseTtlMs }), modifiedAt: storageNow() },
      },
    ])
    return result.ok ? (result.rows[0]?.[0] as WebhookDeliveryRow) : null
  }

  /**
   * Writes down what an attempt came to: the delivery, its run and the event of it, in one commit. Gives the time to the next attempt, in
   * milliseconds; null: there is none, or the delivery is somebody else's by now.
   */
  async record(delivery: WebhookDeliveryRow, outcome: AttemptOutcome): Promise<number | null> {
    const { storage, events, emit } = this.#options
    const { deliveryId, workflowRunId, organizationId } = delivery
    const { set, run, event, retryInMs } = await this.#recorded(delivery, outcome)
    const result = await storage.commit([
      {
        op: 'update',
        table: 'webhook_deliveries',
        id: deliveryId,
        where: this.#held(delivery),
        set: { ...set, ...leaseCleared(), modifiedAt: storageNow() },
      },
      { op: 'update', table: 'runs', id: workflowRunId, set: { ...run, modifiedAt: storageNow() } },
      { op: 'append', stream: runStream(workflowRunId), events: [events.create(organizationId, event.type, event.payload as never)] },
    ])
    if (result.ok) {
      for (const appended of result.events.flat()) emit(appended as AnyEvent)
      return retryInMs
    }
    if (result.index === 1) await this.#drop(delivery) // its run was removed meanwhile
    return null
  }

  /** Leaves a delivery to others, at once. What was sent of it by then, they send again. */
  async giveBack(delivery: WebhookDeliveryRow): Promise<void> {
    await this.#options.storage.commit([
      {
        op: 'update',
        table: 'webhook_deliveries',
        id: delivery.deliveryId,
        where: this.#held(delivery),
        set: { ...leaseCleared(), modifiedAt: storageNow() },
      },
    ])
  }

  async #drop({ deliveryId, ...delivery }: WebhookDeliveryRow): Promise<void> {
    await this.#options.storage.commit([{ op: 'delete', table: 'webhook_deliveries', id: deliveryId, where: this.#held(delivery) }])
  }

  async #recorded(delivery: WebhookDeliveryRow, outcome: AttemptOutcome): Promise<Recorded> {
    const { workflowRunId, deliveryId } = delivery
    const attempt = delivery.attempts + 1
    const about = { workflowRunId, deliveryId, attempt, statusCode: outcome.statusCode }
    if (outcome.kind === 'delivered') {
      return {
        set: { status: 'delivered', attempts: attempt, statusCode: outcome.statusCode, failureReason: null, nextAttemptAt: null },
        run: { webhookStatus: 'delivered', webhookFailureReason: null },
        event: { type: 'webhook.delivered', payload: about },
        retryInMs: null,
      }
    }
    const { reason, statusCode, isFinal, retryAfterMs } = outcome
    const { random, attempts, storage } = this.#options
    const retryInMs = isFinal || attempt >= attempts ? null : retryDelayMs({ attempt, retryAfterMs, random })
    const nextAttemptAt = retryInMs === null ? null : new Date((await storage.now()).getTime() + retryInMs)
    const status = retryInMs === null ? 'failed' : 'pending'
    return {
      set: { status, attempts: attempt, statusCode, failureReason: reason, nextAttemptAt },
      run: { webhookStatus: status, webhookFailureReason: reason },
      event: { type: 'webhook.failed', payload: { ...about, reason, nextAttemptAt: nextAttemptAt?.toISOString() ?? null } },
      retryInMs,
    }
  }

  #held({ leaseFence }: Pick<WebhookDeliveryRow, 'leaseFence'>) {
    return { status: 'pending' as const, ...whereHeld({ holder: this.#options.hostId, fence: leaseFence }) }
  }
}

const whereDue = () => ({ status: 'pending' as const, nextAttemptAt: { lte: storageNow() }, ...whereFree() })
