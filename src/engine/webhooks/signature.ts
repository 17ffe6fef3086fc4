import { createHmac, timingSafeEqual } from 'node:crypto'

/** Headers of a delivery, in the spelling of HTTP/2. */
export const WEBHOOK_HEADERS = {
  delivery: 'x-runwright-delivery',
  timestamp: 'x-runwright-timestamp',
  signature: 'x-runwright-signature',
} as const

export interface SignatureParams {
  readonly secret: string
  /** Seconds since 1970, as in the header. */
  readonly timestamp: string
  /** To the byte. */
  readonly body: string | Uint8Array
}

/** HMAC-SHA256 over `timestamp.body`: the time cannot be changed without the secret either. */
export const digestOf = ({ secret, timestamp, body }: SignatureParams): Buffer =>
  createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest()

/** The same in hex, as in the header. */
export const signatureOf = (params: SignatureParams): string => digestOf(params).toString('hex')

/** Whether one of the secrets made the signature. Takes as long whichever it is, and wherever a wrong one differs. */
export function isSignedByOneOf(
  secrets: readonly string[],
  signature: string,
  signed: Pick<SignatureParams, 'timestamp' | 'body'>,
): boolean {
  const given = Buffer.from(signature, 'hex')
  let isRight = false
  for (const secret of secrets) {
    const digest = digestOf({ ...signed, secret })
    if (given.length === digest.length && timingSafeEqual(given, digest)) isRight = true
  }
  return isRight
}
