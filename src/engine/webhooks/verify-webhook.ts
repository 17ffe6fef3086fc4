import { InvalidArgumentError, WebhookVerificationError } from '../../errors/index.js'
import type { RunResult } from '../../events/index.js'
import { systemClock } from '../../runtime/index.js'
import { isSignedByOneOf, WEBHOOK_HEADERS } from './signature.js'

/** Headers as a receiver has them: `Headers`, what node:http gives, or any record, its names in any case. */
export type WebhookHeaders = Pick<Headers, 'get'> | Readonly<Record<string, string | readonly string[] | undefined>>

/** Arguments of {@link verifyWebhook}. */
export interface VerifyWebhookParams {
  readonly headers: WebhookHeaders
  /** The body exactly as it was received: parsed and written again, it is another one. */
  readonly body: string | Uint8Array
  /** The organisation's secret; several while one replaces another. */
  readonly secret: string | readonly string[]
  /** How far the signed time may be from now, in either direction, in seconds. @default 300 */
  readonly toleranceSeconds?: number
  /** The receiver's time. @default the present */
  readonly now?: Date
}

/** A delivery that can be trusted. */
export interface VerifiedWebhook {
  /** The same in every attempt at one delivery. It is not signed: to tell repetitions safely, go by `result.workflowRunId`. */
  readonly deliveryId: string
  /** When it was sent. */
  readonly timestamp: Date
  /** What the run came to. */
  readonly result: RunResult
}

const DEFAULT_TOLERANCE_SECONDS = 300

/**
 * Checks that a webhook comes from who has the secret, and just now. Compares in constant time.
 * @throws {WebhookVerificationError} `WEBHOOK_NOT_VERIFIED`; `details.reason` is `missing_header`, `malformed`, `wrong_signature`,
 * `too_old` or `from_the_future`
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for a body that was parsed already, a secret that is empty, or a tolerance that is no
 * number of seconds
 *
 * @example
 * const { deliveryId, result } = verifyWebhook({ headers: request.headers, body: await request.text(), secret })
 */
export function verifyWebhook(params: VerifyWebhookParams): VerifiedWebhook {
  const { headers, body } = params
  if (typeof headers !== 'object' || headers === null) throw unfit('headers', 'headers', headers)
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) throw unfit('body', 'the body as it was received, unparsed', body)
  const secrets = checkedSecrets(params.secret)
  const toleranceMs = checkedTolerance(params.toleranceSeconds ?? DEFAULT_TOLERANCE_SECONDS) * 1_000
  const deliveryId = headerOf(headers, WEBHOOK_HEADERS.delivery, /^[\x21-\x7e]{1,200}$/)
  const timestamp = headerOf(headers, WEBHOOK_HEADERS.timestamp, /^\d{1,11}$/)
  const signature = headerOf(headers, WEBHOOK_HEADERS.signature, /^[0-9a-f]{64}$/i)
  if (!isSignedByOneOf(secrets, signature, { timestamp, body })) {
    throw new WebhookVerificationError('wrong_signature', 'the signature is not that of its time and body under this secret')
  }
  const sentAt = new Date(Number(timestamp) * 1_000)
  const ageMs = (params.now ?? systemClock.now()).getTime() - sentAt.getTime()
  if (ageMs > toleranceMs) throw new WebhookVerificationError('too_old', `it was sent ${Math.round(ageMs / 1_000)} s ago`)
  if (ageMs < -toleranceMs) {
    throw new WebhookVerificationError('from_the_future', `it was sent ${Math.round(-ageMs / 1_000)} s in the future`)
  }
  return { deliveryId, timestamp: sentAt, result: resultIn(body) }
}

function unfit(path: string, expected: string, value: unknown): InvalidArgumentError {
  return new InvalidArgumentError(`verifyWebhook: ${path}: expected ${expected}`, { path, expected, received: typeof value })
}

/** An empty secret is one that everybody knows. */
function checkedSecrets(secret: unknown): readonly string[] {
  const secrets = typeof secret === 'string' ? [secret] : secret
  if (Array.isArray(secrets) && secrets.length > 0 && secrets.every((each) => typeof each === 'string' && each !== '')) return secrets
  throw new InvalidArgumentError('verifyWebhook: secret: expected a text, or several, none of them empty', {
    path: 'secret',
    expected: 'string',
    received: Array.isArray(secret) ? 'array' : typeof secret,
  })
}

function checkedTolerance(toleranceSeconds: number): number {
  if (typeof toleranceSeconds === 'number' && toleranceSeconds >= 0) return toleranceSeconds
  throw new InvalidArgumentError('verifyWebhook: toleranceSeconds: expected a number, 0 or more', {
    path: 'toleranceSeconds',
    expected: 'number',
    received: String(toleranceSeconds),
  })
}

/** One header that is there once, in its shape. */
function headerOf(headers: WebhookHeaders, name: string, shape: RegExp): string {
  const values = valuesOf(headers, name)
  const [value] = values
  if (value === undefined) throw new WebhookVerificationError('missing_header', `there is no ${name}`)
  if (values.length > 1) throw new WebhookVerificationError('malformed', `there is more than one ${name}`)
  if (!shape.test(value)) throw new WebhookVerificationError('malformed', `${name} is not in its shape`)
  return value
}

function valuesOf(headers: WebhookHeaders, name: string): readonly string[] {
  if (typeof headers.get === 'function') {
    const value = (headers as Pick<Headers, 'get'>).get(name)
    return value === null ? [] : [value]
  }
  const entries = Object.entries(headers).filter(([key]) => key.toLowerCase() === name)
  return entries.flatMap(([, value]) => value ?? [])
}

/** What is signed is ours: only the kind of it is looked at. */
function resultIn(body: string | Uint8Array): RunResult {
  try {
    const result: unknown = JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString('utf8'))
    if (typeof result === 'object' && result !== null && 'workflowRunId' in result && 'status' in result) return result as RunResult
  } catch {
    // it is no JSON: the same news
  }
  throw new WebhookVerificationError('malformed', 'the body is not the result of a run')
}
