import { LeaseLostError, SessionCrashedError, type SessionError } from '../errors/index.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import { commitFinal, type FinalWritesParams } from './final-writes.js'
import type { SessionPoolSettings } from './options.js'
import type { SessionExports } from './session-exports.js'
import type { HookCaller } from './session-hooks.js'
import type { SessionJournal } from './session-journal.js'
import type { EndingSession, LiveSession, SessionRegistry } from './session-registry.js'
import { type FinalSessionStatus, isFinalStatus, statusFor } from './session-status.js'
import type { SessionTeardown } from './session-teardown.js'

export interface EndParams {
  readonly status: FinalSessionStatus
  readonly closeReason: CloseReason
  readonly lossReason?: string
  /** Whether the row says so already. */
  readonly isRowFinal: boolean
  /** Whether the browser is asked to close before it is killed. */
  readonly isClean: boolean
  /** What a holder, if there is one, is told. */
  readonly leaseReason: SessionError
}

/** The one way in which a session leaves this process. */
export class SessionEnder {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #teardown: SessionTeardown
  readonly #exports: SessionExports
  readonly #hooks: HookCaller

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly teardown: SessionTeardown
    readonly exports: SessionExports
    readonly hooks: HookCaller
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#teardown = parts.teardown
    this.#exports = parts.exports
    this.#hooks = parts.hooks
  }

  /**
   * Takes the session out of the live set and aborts its holder's signal before it returns; row, browser, display and folder follow
   * (`done`). Does nothing for one that has left already.
   */
  end(live: LiveSession, params: EndParams): EndingSession | undefined {
    if (!this.#registry.isLive(live)) return this.#registry.ending(live.browserSessionId)
    const { status, closeReason, isRowFinal } = params
    const ending = this.#registry.beginEnding(live, { status, closeReason, isRowFinal, lossReason: params.lossReason ?? null })
    live.lease?.lose(params.leaseReason)
    ending.done = this.#finish(ending, params.isClean)
    return ending
  }

  /** The browser, or the display under it, is gone. */
  lost(live: LiveSession, reason: string, closeReason: CloseReason): EndingSession | undefined {
    return this.end(live, {
      status: statusFor(closeReason),
      closeReason,
      lossReason: reason,
      isRowFinal: false,
      isClean: false,
      leaseReason: new SessionCrashedError(live.browserSessionId, reason),
    })
  }

  /** A session whose browser could not be replaced: it has left the live set already. */
  endRelaunch(
    live: LiveSession,
    params: Pick<EndParams, 'status' | 'closeReason'> & Pick<EndingSession, 'lease' | 'parts'>,
  ): EndingSession {
    this.#registry.unreserve(live.browserSessionId)
    const ending = this.#registry.beginEnding(live, { ...params, isRowFinal: false, lossReason: null })
    ending.done = this.#finish(ending, false)
    return ending
  }

  /** Its row was made final, or taken over, by another host. */
  endedElsewhere(live: LiveSession): EndingSession | undefined {
    return this.end(live, {
      status: 'completed',
      closeReason: 'user',
      isRowFinal: true,
      isClean: true,
      leaseReason: new LeaseLostError(live.browserSessionId, 'the session was ended by another host'),
    })
  }

  /**
   * Ends every session of this process. What cannot be written now is found by the other hosts when this host's lease lapses; a browser
   * that cannot be ended keeps its slot, also over the next start of this pool.
   */
  async endAll(): Promise<void> {
    for (const live of this.#registry.allLive) {
      this.end(live, {
        status: statusFor('shutdown'),
        closeReason: 'shutdown',
        isRowFinal: false,
        isClean: true,
        leaseReason: new LeaseLostError(live.browserSessionId, 'the pool stops'),
      })
    }
    const endings = this.#registry.allEnding
    await Promise.all(endings.map((ending) => ending.done))
    this.retryAll()
    await Promise.all(endings.map((ending) => ending.done))
  }

  /** Tries again what is left of ended sessions, final rows and processes, where nothing is under way; `done` tells when. */
  retryAll(): void {
    for (const ending of this.#registry.allEnding) if (!ending.isBusy) ending.done = this.#finish(ending, false)
  }

  async #finish(ending: EndingSession, isClean: boolean): Promise<void> {
    ending.isBusy = true
    ending.exported ??= this.#exports.of(ending.live)
    const { exported } = ending
    const teardown = async () => {
      if (isClean) await this.#hooks.call('beforeClose', ending.live)
      ending.isProcessGone = await this.#teardown.run(ending.parts, { isClean, exported })
    }
    await Promise.all([ending.isRowFinal ? undefined : this.#writeFinal(ending), ending.isProcessGone ? undefined : teardown()])
    ending.isBusy = false
    this.#registry.settle(ending)
  }

  async #writeFinal(ending: EndingSession): Promise<void> {
    const { status, closeReason, lossReason, lease } = ending
    if (await this.writeFinal(ending.live, { status, closeReason, lossReason, lease })) ending.isRowFinal = true
  }

  /** Makes the row final, unless it is; resolves to whether it is so now. */
  async writeFinal(
    live: LiveSession,
    params: Pick<FinalWritesParams, 'status' | 'closeReason' | 'lossReason' | 'lease'>,
  ): Promise<boolean> {
    const { browserSessionId, organizationId } = live
    try {
      const { storage, hostId } = this.#settings
      const full = { ...params, browserSessionId, organizationId, where: { hostId } }
      const result = await commitFinal({ storage, journal: this.#journal }, full)
      if (result.ok) this.#journal.emit(result.events)
      if (result.ok) return true
      const row = await storage.get('browser_sessions', browserSessionId)
      return row === undefined || isFinalStatus(row.status) || row.hostId !== hostId // final already, or another host's
    } catch (error) {
      this.#settings.logger.error('cannot record the end of a session; it is tried again', { browserSessionId, error })
      return false
    }
  }
}
