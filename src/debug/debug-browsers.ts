import type { Workflow } from '../engine/index.js'
import { RunwrightError, SessionError, SessionNotFoundError } from '../errors/index.js'
import { sessionStream } from '../events/index.js'
import type { BrowserSession } from '../sessions/index.js'
import { storageNow, type Write } from '../storage/index.js'
import { isLive, LIVE_STATUSES, lossOf } from './browser-state.js'
import type { DebugJournal } from './debug-journal.js'
import type { DebugSettings } from './debug-options.js'
import type { DebugSession } from './debug-session.js'

/** Of a browser that no debug session names yet; the least that the pool allows. */
const FIRST_TIMEOUT_MINUTES = 5

type BrowserRef = Pick<DebugSession, 'organizationId' | 'browserSessionId'>

/**
 * Browsers of debug sessions. A new one lives for some minutes only: the commit that names it gives it its time. So one that was made in
 * vain, and could not be closed, ends by itself.
 */
export class DebugBrowsers {
  readonly #settings: DebugSettings
  readonly #journal: DebugJournal
  readonly #closings = new Set<Promise<void>>()

  constructor(settings: DebugSettings, journal: DebugJournal) {
    this.#settings = settings
    this.#journal = journal
  }

  create(organizationId: string, { proxyLocation, extraHttpHeaders, scopePolicy }: Workflow): Promise<BrowserSession> {
    return this.#settings.sessions.create({
      guarded: scopePolicy !== null,
      idleTimeoutMinutes: null, // somebody thinks between two runs
      ...(proxyLocation === null ? {} : { proxyLocation }),
      ...(extraHttpHeaders === null ? {} : { extraHttpHeaders }),
      ...this.#settings.browser,
      organizationId,
      timeoutMinutes: FIRST_TIMEOUT_MINUTES,
    })
  }

  /** Gives a new browser its time; refused when it is lost already. */
  keptBy({ organizationId, browserSessionId }: BrowserRef): Write {
    return {
      op: 'update',
      table: 'browser_sessions',
      id: browserSessionId,
      where: { organizationId, status: 'running', retiredAt: null },
      set: { timeoutMinutes: this.#settings.debugTimeoutMinutes, modifiedAt: storageNow() },
    }
  }

  /**
   * Takes a browser that is left out of use, so that its host ends it even if this process does not get to closing it. Refused when it has
   * ended meanwhile.
   */
  async leaving({ organizationId, browserSessionId }: BrowserRef): Promise<Write[]> {
    const row = await this.#settings.storage.get('browser_sessions', browserSessionId)
    if (!isLive(row) || row.retiredAt !== null || row.organizationId !== organizationId) return []
    const payload = { browserSessionId }
    const event = { id: this.#settings.ids.next('evt'), type: 'session.retired', organizationId, payload }
    return [
      {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: { organizationId, status: { in: LIVE_STATUSES }, retiredAt: null },
        set: { retiredAt: storageNow(), modifiedAt: storageNow() },
      },
      { op: 'append', stream: sessionStream(browserSessionId), events: [event] },
    ]
  }

  /** Puts the browser's end off. @throws {SessionError} why no block can be run on it */
  async renew({ organizationId, browserSessionId }: BrowserRef): Promise<void> {
    const { storage, sessions, debugTimeoutMinutes: minutes } = this.#settings
    const row = await storage.get('browser_sessions', browserSessionId)
    const loss = lossOf(row, browserSessionId, await storage.now())
    if (loss !== null) throw loss
    await sessions.renew({ organizationId, browserSessionId, minutes })
  }

  /** The same as a question: false when the browser is lost. */
  async isRenewed(browser: BrowserRef): Promise<boolean> {
    try {
      await this.renew(browser)
      return true
    } catch (error) {
      if (error instanceof SessionError) return false
      throw error
    }
  }

  /** Ends a browser, whoever is on it. */
  async close({ organizationId, browserSessionId }: BrowserRef): Promise<void> {
    await this.#settings.sessions.close({ organizationId, browserSessionId, reason: 'user', force: true })
  }

  /** Ends one that no debug session came to name. Never rejects: it ends by itself. */
  async discard(browser: BrowserRef): Promise<void> {
    await this.close(browser).catch((error: unknown) =>
      this.#settings.logger.warn('a browser that nobody needs could not be closed; it expires', { ...browser, error }),
    )
  }

  /** Ends a browser that a debug session has left; resolves when it is gone. Never rejects: what goes wrong becomes an event. */
  leave(session: DebugSession): Promise<void> {
    const closing = this.close(session)
      .catch((error: unknown) => this.#report(session, error))
      .finally(() => this.#closings.delete(closing))
    this.#closings.add(closing)
    return closing
  }

  /** Resolves when no closing is under way. */
  async settled(): Promise<void> {
    while (this.#closings.size > 0) await Promise.all(this.#closings)
  }

  async #report(session: DebugSession, error: unknown): Promise<void> {
    if (SessionNotFoundError.is(error)) return // it was pruned: there is nothing to close
    const { logger } = this.#settings
    const code = RunwrightError.is(error) ? error.code : 'UNKNOWN'
    const reason = error instanceof Error ? error.message : String(error)
    const { debugSessionId, browserSessionId } = session
    logger.warn('the browser of a debug session could not be closed', { debugSessionId, browserSessionId, error })
    await this.#journal
      .commit([this.#journal.tell('debug_session.failed', session, { code, reason })])
      .catch((failure: unknown) => logger.warn('that could not be recorded', { debugSessionId, error: failure }))
  }
}
