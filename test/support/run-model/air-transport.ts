import type { WebhookAnswer, WebhookRequest } from '../../../src/engine/webhooks/transport.js'

type Receiver = (request: WebhookRequest) => Promise<WebhookAnswer>

/** By address: who answers there. Several worlds may be open at once. */
const receivers = new Map<string, Receiver>()

/** Has somebody answer at an address; gives the function that ends it. */
export function receive(url: string, receiver: Receiver): () => void {
  receivers.set(url, receiver)
  return () => void receivers.delete(url)
}

/** In place of `HttpTransport`: nothing goes over a network, which has its own time. */
export class AirTransport {
  async send(request: WebhookRequest): Promise<WebhookAnswer> {
    const receiver = receivers.get(request.url)
    if (receiver === undefined) throw new Error(`nobody answers at ${request.url}`)
    return receiver(request)
  }
}
