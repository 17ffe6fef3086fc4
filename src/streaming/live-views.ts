import { StreamingError } from '../errors/index.js'
import type { Storage } from '../storage/index.js'
import { type CloseCode, closeCodes } from './close-codes.js'
import { hasEnded, liveSession } from './session-rows.js'
import { type IssuedViewToken, type NewViewToken, ticketIdOf, type ViewTokens } from './view-tokens.js'
import type { ViewerRegistry } from './viewer-registry.js'

export interface LiveViewsOptions {
  readonly storage: Storage
  readonly tokens: ViewTokens
  readonly viewers: ViewerRegistry
}

/** Who may begin to watch, and when watching ends. */
export class LiveViews {
  readonly #options: LiveViewsOptions

  constructor(options: LiveViewsOptions) {
    this.#options = options
  }

  async issue(params: NewViewToken): Promise<IssuedViewToken> {
    const { browserSessionId } = params
    const row = await liveSession(this.#options.storage, params)
    if (row.displayBackend === null) {
      const reason = row.displayUnavailableReason
      throw new StreamingError(`Session ${browserSessionId} has no live view: ${reason ?? 'its browser has no display'}`, {
        code: 'STREAM_UNAVAILABLE',
        details: { browserSessionId, reason },
      })
    }
    return this.#options.tokens.issue(params)
  }

  /** Ends a token, the ticket that came of it, and the view that it opened on this host. */
  async revoke(params: { readonly organizationId: string; readonly viewTokenId: string }): Promise<boolean> {
    const wasRevoked = await this.#options.tokens.revoke(params)
    if (!wasRevoked) return false
    const ids = [params.viewTokenId, ticketIdOf(params.viewTokenId)]
    await this.#options.viewers.close((viewer) => ids.includes(viewer.viewTokenId), closeCodes.token, 'the link was revoked')
    return true
  }

  /** The session is over: its viewers see it end, and no token or ticket of it opens anything any more. */
  async end(browserSessionId: string): Promise<void> {
    await Promise.all([
      this.#options.tokens.revokeAll(browserSessionId),
      this.closeSession(browserSessionId, closeCodes.sessionEnded, 'the session has ended'),
    ])
  }

  /** The display goes; whether the viewers may come back depends on the session. */
  async beforeDisplayStops(browserSessionId: string): Promise<void> {
    if (this.#options.viewers.of(browserSessionId).length === 0) return
    const row = await this.#options.storage.get('browser_sessions', browserSessionId)
    if (row === undefined || hasEnded(row)) await this.closeSession(browserSessionId, closeCodes.sessionEnded, 'the session has ended')
    else await this.closeSession(browserSessionId, closeCodes.restarting, 'the display is being restarted')
  }

  closeSession(browserSessionId: string, code: CloseCode, reason: string): Promise<void> {
    return this.#options.viewers.close((viewer) => viewer.browserSessionId === browserSessionId, code, reason)
  }

  closeAll(): Promise<void> {
    return this.#options.viewers.close(() => true, closeCodes.closing, 'the host is closing')
  }
}
