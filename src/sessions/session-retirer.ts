import { SessionNotFoundError, SessionOccupiedError } from '../errors/index.js'
import type { Logger } from '../runtime/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { type Storage, storageNow } from '../storage/storage.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import { type BrowserSession, toBrowserSession } from './browser-session.js'
import type { SessionCloser } from './session-closer.js'
import type { SessionJournal } from './session-journal.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'
import { isFinalStatus, LIVE_STATUSES } from './session-status.js'

/** Takes sessions out of use: nobody new gets them, and they end with their lease. */
export class SessionRetirer {
  readonly #settings: { readonly storage: Storage; readonly logger: Logger }
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #closer: SessionCloser

  constructor(parts: {
    readonly settings: { readonly storage: Storage; readonly logger: Logger }
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly closer: SessionCloser
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#closer = parts.closer
  }

  /** The session as it is then: ended, if nobody held it. Repeating it, or one that has ended, changes nothing. */
  async retire(organizationId: string, browserSessionId: string): Promise<BrowserSession> {
    const result = await this.#journal.commit([
      {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: { organizationId, status: { in: LIVE_STATUSES }, retiredAt: null },
        set: { retiredAt: storageNow(), modifiedAt: storageNow() },
      },
      this.#journal.append(browserSessionId, [this.#journal.event('session.retired', organizationId, { browserSessionId })]),
    ])
    const row = result.ok
      ? (result.rows[0]?.[0] as BrowserSessionRow)
      : await this.#settings.storage.get('browser_sessions', browserSessionId)
    if (row === undefined || row.organizationId !== organizationId) throw new SessionNotFoundError(browserSessionId)
    const live = this.#registry.live(browserSessionId)
    if (live !== undefined && live.life.unfit === null) {
      live.life.unfit = 'drained'
      this.#registry.changed() // whoever stands in line for it hears of it
    }
    if (result.ok) this.#journal.emit(result.events)
    if (isFinalStatus(row.status)) return toBrowserSession(row)
    return (await this.endIfFree(organizationId, browserSessionId, live?.life.unfit ?? 'drained')) ?? toBrowserSession(row)
  }

  /** A lease is over, or a limit was reached: ends the session if it is unfit for another. */
  follow(live: LiveSession): void {
    const { unfit } = live.life
    if (unfit === null || live.lease !== undefined || !this.#registry.isLive(live)) return
    const { organizationId, browserSessionId } = live
    this.endIfFree(organizationId, browserSessionId, unfit).catch((error: unknown) =>
      this.#settings.logger.warn('a session that is unfit for use goes on; it is tried again', { browserSessionId, error }),
    )
  }

  /** Null: somebody holds it. */
  async endIfFree(organizationId: string, browserSessionId: string, reason: CloseReason): Promise<BrowserSession | null> {
    try {
      return await this.#closer.close({ organizationId, browserSessionId, reason, force: false })
    } catch (error) {
      if (SessionOccupiedError.is(error)) return null
      throw error
    }
  }
}
