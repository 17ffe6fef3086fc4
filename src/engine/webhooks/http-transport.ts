import type { LookupAddress } from 'node:dns'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { type Lookup, receiverAddresses, systemLookup } from './receiver-address.js'
import type { WebhookAnswer, WebhookRequest, WebhookTransport } from './transport.js'

/** So much of an answer is read, in bytes; what follows is cut off. */
const LONGEST_ANSWER_BYTES = 65_536

export interface HttpTransportOptions {
  readonly allowPrivateAddresses: boolean
  /** @default the machine's own */
  readonly lookup?: Lookup
}

/** POSTs over a connection of its own, to an address that was looked at. */
export class HttpTransport implements WebhookTransport {
  readonly #options: HttpTransportOptions

  constructor(options: HttpTransportOptions) {
    this.#options = options
  }

  async send(request: WebhookRequest): Promise<WebhookAnswer> {
    const { allowPrivateAddresses: allowPrivate, lookup = systemLookup } = this.#options
    const target = new URL(request.url)
    const receiver = await receiverAddresses(target.hostname, { allowPrivate, lookup })
    request.signal.throwIfAborted()
    if ('refusal' in receiver) return { kind: 'refused', reason: receiver.refusal }
    return post(target, request, receiver.addresses)
  }
}

function post(target: URL, { headers, body, signal }: WebhookRequest, addresses: readonly LookupAddress[]): Promise<WebhookAnswer> {
  return new Promise((resolve, reject) => {
    const send = target.protocol === 'https:' ? httpsRequest : httpRequest
    const length = { 'content-length': String(Buffer.byteLength(body)) }
    const request: ClientRequest = send(target, {
      method: 'POST',
      headers: { ...headers, ...length },
      agent: false, // no connection outlives its delivery
      lookup: pinnedTo(addresses),
      signal,
    })
    request.on('error', reject)
    request.on('close', () => reject(new Error('the connection was closed'))) // an answer that is whole has settled this by then
    request.once('response', (response) => readAnswer(response).then(resolve, reject))
    request.end(body)
  })
}

/** Resolves with the end of the answer, or with the most that is read of it; nothing of its body is kept. */
function readAnswer(response: IncomingMessage): Promise<WebhookAnswer> {
  return new Promise((resolve, reject) => {
    const answer = { kind: 'answered', statusCode: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] ?? null } as const
    let size = 0
    response.on('error', reject)
    response.once('end', () => resolve(answer))
    response.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= LONGEST_ANSWER_BYTES) return
      resolve(answer)
      response.destroy()
    })
  })
}

/** Answers every question with the addresses that were looked at. Node asks for all of them, or for one. */
function pinnedTo(addresses: readonly LookupAddress[]): LookupFunction {
  return (_name, options, callback) => {
    if (options.all === true) return callback(null, [...addresses])
    const first = addresses[0] as LookupAddress // there is one: a receiver without any was refused
    callback(null, first.address, first.family)
  }
}
