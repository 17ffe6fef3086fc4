import { InvalidArgumentError } from '../../errors/index.js'
import type { AnyEvent } from '../../events/index.js'
import { type Clock, type Logger, type Random, systemRandom } from '../../runtime/index.js'
import type { RunRow, Storage } from '../../storage/index.js'
import type { CredentialProvider } from '../credentials.js'
import type { EventFactory } from '../event-factory.js'
import { DEFAULT_STOP_TIMEOUT_MS, type StopOptions } from '../run-executor.js'
import { DeliveryJournal } from './delivery-journal.js'
import { DeliverySender } from './delivery-sender.js'
import { HttpTransport } from './http-transport.js'
import { redeliver, type WebhookDelivery } from './redelivery.js'
import type { WebhookTransport } from './transport.js'
import { WebhookDeliverer } from './webhook-deliverer.js'
import type { WebhookSettings } from './webhook-options.js'
import { WebhookSecrets } from './webhook-secrets.js'

export interface WebhooksOptions {
  readonly settings: WebhookSettings
  readonly credentials: Readonly<Record<string, CredentialProvider>>
  readonly storage: Storage
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly clock: Clock
  readonly logger: Logger
  readonly hostId: string
  readonly random?: Random
  /** @default HTTP */
  readonly transport?: WebhookTransport
}

/** How long a claim outlives its attempt, in milliseconds: the time to write down what became of it. */
const LEASE_MARGIN_MS = 15_000

/** The results of runs on their way to where they were asked for. */
export class Webhooks {
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #secrets: WebhookSecrets
  readonly #deliverer: WebhookDeliverer

  constructor(options: WebhooksOptions) {
    const { settings, credentials, storage, events, emit, clock, logger, hostId, random = systemRandom } = options
    const { timeoutMs, attempts } = settings
    const leaseTtlMs = timeoutMs + LEASE_MARGIN_MS
    const transport = options.transport ?? new HttpTransport(settings)
    this.#storage = storage
    this.#clock = clock
    this.#secrets = new WebhookSecrets(settings, credentials)
    this.#deliverer = new WebhookDeliverer({
      journal: new DeliveryJournal({ storage, events, emit, random, hostId, leaseTtlMs, attempts }),
      sender: new DeliverySender({ secrets: this.#secrets, transport, clock, timeoutMs }),
      canDeliver: this.#secrets.canDeliver,
      ...{ clock, logger, timeoutMs, leaseTtlMs },
    })
  }

  /** Attempts that are being made here. */
  get sendingCount(): number {
    return this.#deliverer.sendingCount
  }

  start(): void {
    this.#deliverer.start()
  }

  /** Gives the function that stops the delivering, within what is left by then of the time of a stop that begins now. */
  stopper({ graceful = true, timeoutMs = DEFAULT_STOP_TIMEOUT_MS }: StopOptions): () => Promise<void> {
    const endAtMs = this.#clock.monotonicMs() + timeoutMs
    return () => this.#deliverer.stop({ graceful, timeoutMs: Math.max(0, endAtMs - this.#clock.monotonicMs()) })
  }

  hurry(): void {
    this.#deliverer.hurry()
  }

  /** A run ended here. Never throws. */
  ended(run: Pick<RunRow, 'webhookStatus'>): void {
    this.#deliverer.ended(run)
  }

  /** Nothing is promised to an address that could not be kept. @throws {InvalidArgumentError} where there is no secret to sign with */
  async assertDeliverable(params: {
    readonly organizationId: string
    readonly webhookCallbackUrl?: string | null | undefined
  }): Promise<void> {
    if (params.webhookCallbackUrl != null) await this.#secrets.assertDeliverable(params.organizationId)
  }

  /** @throws {RunNotFoundError} {WebhookDeliveryNotFoundError} {InvalidArgumentError} */
  async redeliver(params: { readonly organizationId: string; readonly workflowRunId: string }): Promise<WebhookDelivery> {
    if (!this.#secrets.canDeliver) {
      throw new InvalidArgumentError('redeliverWebhook needs an engine that delivers: give it `webhooks: { secret }`', {
        path: 'webhooks',
        expected: 'an engine with a webhook secret',
      })
    }
    const delivery = await redeliver(this.#storage, params)
    this.#deliverer.kick()
    return delivery
  }
}
