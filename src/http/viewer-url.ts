/** What a link to a live view is made of. */
export interface ViewerUrlParams {
  /** Of the host's server as the viewer reaches it, e.g. `https://app.example.com`. */
  readonly origin: string
  readonly browserSessionId: string
  /** From `streaming.issueToken`. */
  readonly token: string
  /** As given to the supervisor. @default '/runwright' */
  readonly basePath?: string
}

/** Address of the viewer page. The token is in the fragment, which browsers keep to themselves: it reaches no server log and no referrer. */
export function viewerUrl(params: ViewerUrlParams): string {
  const { origin, browserSessionId, token, basePath = '/runwright' } = params
  return `${new URL(origin).origin}${basePath}/sessions/${encodeURIComponent(browserSessionId)}/view#token=${encodeURIComponent(token)}`
}
