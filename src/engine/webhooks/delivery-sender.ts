import { CredentialError, TimeoutError } from '../../errors/index.js'
import { type Clock, withDeadline } from '../../runtime/index.js'
import type { WebhookDeliveryRow } from '../../storage/index.js'
import { type AttemptOutcome, judgeAnswer } from './retry-policy.js'
import { signatureOf, WEBHOOK_HEADERS } from './signature.js'
import type { WebhookTransport } from './transport.js'
import type { WebhookSecrets } from './webhook-secrets.js'

export interface DeliverySenderOptions {
  readonly secrets: WebhookSecrets
  readonly transport: WebhookTransport
  readonly clock: Clock
  readonly timeoutMs: number
}

/** What is sent of a delivery. */
export type SendableDelivery = Pick<WebhookDeliveryRow, 'deliveryId' | 'organizationId' | 'url' | 'body'>

/** Makes one attempt at a delivery. */
export class DeliverySender {
  readonly #options: DeliverySenderOptions

  constructor(options: DeliverySenderOptions) {
    this.#options = options
  }

  /** What became of it. Rejects only with the signal's reason: then nobody knows. */
  async send(delivery: SendableDelivery, params: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<AttemptOutcome> {
    const { clock, timeoutMs } = this.#options
    const onTimeout = () => new TimeoutError('A delivery', timeoutMs)
    try {
      return await withDeadline({ run: (signal) => this.#exchange(delivery, signal), onTimeout, clock, ...params })
    } catch (error) {
      params.signal.throwIfAborted()
      return { kind: 'failed', statusCode: null, retryAfterMs: null, ...whyFailed(error, timeoutMs) }
    }
  }

  async #exchange(delivery: SendableDelivery, signal: AbortSignal): Promise<AttemptOutcome> {
    const { secrets, transport, clock } = this.#options
    const secret = await secrets.read(delivery.organizationId, signal)
    signal.throwIfAborted() // a provider that ignores its signal
    const body = JSON.stringify(delivery.body)
    const timestamp = String(Math.floor(clock.now().getTime() / 1_000))
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'runwright',
      [WEBHOOK_HEADERS.delivery]: delivery.deliveryId,
      [WEBHOOK_HEADERS.timestamp]: timestamp,
      ...(secret === null ? {} : { [WEBHOOK_HEADERS.signature]: signatureOf({ secret, timestamp, body }) }),
    }
    const answer = await transport.send({ url: delivery.url, headers, body, signal })
    if (answer.kind === 'answered') return judgeAnswer(answer, clock.now())
    return { kind: 'failed', statusCode: null, reason: answer.reason, isFinal: true, retryAfterMs: null }
  }
}

/** In words of ours: errors of the platform may name what is nobody's business. */
function whyFailed(error: unknown, timeoutMs: number): { readonly reason: string; readonly isFinal: boolean } {
  if (error instanceof CredentialError) return { reason: error.message, isFinal: error.code === 'CREDENTIAL_NOT_FOUND' }
  if (error instanceof TimeoutError) return { reason: `there was no whole answer within ${timeoutMs} ms`, isFinal: false }
  const code = (error as { code?: unknown } | null)?.code
  return { reason: `the request failed${typeof code === 'string' ? ` (${code})` : ''}`, isFinal: false }
}
