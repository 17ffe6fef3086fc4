/** One POST. */
export interface WebhookRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Ends it, wherever it is. */
  readonly signal: AbortSignal
}

/** What is kept of an answer, or why nothing was sent. */
export type WebhookAnswer =
  | { readonly kind: 'answered'; readonly statusCode: number /** The header, as it came. */; readonly retryAfter: string | null }
  /** Nothing was sent, and nothing will be. */
  | { readonly kind: 'refused'; readonly reason: string }

/** Sends a request and reads its answer to the end, or to the most that is read of one. Rejects when there was no whole answer. */
export interface WebhookTransport {
  send(request: WebhookRequest): Promise<WebhookAnswer>
}
