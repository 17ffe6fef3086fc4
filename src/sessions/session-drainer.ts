import { LeaseLostError, TimeoutError } from '../errors/index.js'
import { type Clock, type Logger, withDeadline } from '../runtime/index.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import { Deferred } from './deferred.js'
import type { SessionCloser } from './session-closer.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'
import type { SessionRetirer } from './session-retirer.js'

/** What a drain did. */
export interface DrainReport {
  /** Sessions that ended. */
  readonly closed: number
  /** Those of them whose holder did not let go in time: its lease was ended. */
  readonly aborted: number
}

/** Ends many sessions of this host: nobody new gets them, leases may finish, then they are ended. */
export class SessionDrainer {
  readonly #settings: { readonly clock: Clock; readonly logger: Logger; readonly hostId: string }
  readonly #registry: SessionRegistry
  readonly #retirer: SessionRetirer
  readonly #closer: SessionCloser

  constructor(parts: {
    readonly settings: { readonly clock: Clock; readonly logger: Logger; readonly hostId: string }
    readonly registry: SessionRegistry
    readonly retirer: SessionRetirer
    readonly closer: SessionCloser
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#retirer = parts.retirer
    this.#closer = parts.closer
  }

  /** Those of one organisation; null: all. An abort ends the waiting, as the deadline does. Never rejects for a session that fails. */
  async drain(params: {
    readonly organizationId: string | null
    readonly timeoutMs: number
    readonly signal?: AbortSignal | undefined
  }): Promise<DrainReport> {
    const { organizationId, timeoutMs, signal } = params
    const isMeant = (live: LiveSession) => organizationId === null || live.organizationId === organizationId
    const seen = new Set<string>()
    const round = async () => {
      const lives = this.#registry.allLive.filter((live) => isMeant(live))
      await Promise.all(lives.filter(({ browserSessionId }) => !seen.has(browserSessionId)).map((live) => this.#retire(live)))
      for (const { browserSessionId } of lives) seen.add(browserSessionId)
    }
    await this.#whenFree({ isMeant, round, waitsForLaunches: organizationId === null, timeoutMs, signal })
    await round() // what came up last
    const left = this.#registry.allLive.filter((live) => isMeant(live))
    const aborted = left.filter((live) => live.lease !== undefined).length
    await Promise.all(left.map((live) => this.#end(live)))
    await Promise.all(this.#registry.allEnding.filter(({ live }) => isMeant(live)).map((ending) => ending.done))
    return { closed: seen.size, aborted }
  }

  /** Retires them, and waits until nobody holds any of them, or the time is over. */
  async #whenFree(params: {
    readonly isMeant: (live: LiveSession) => boolean
    readonly round: () => Promise<void>
    readonly waitsForLaunches: boolean
    readonly timeoutMs: number
    readonly signal: AbortSignal | undefined
  }): Promise<void> {
    const { isMeant, round, waitsForLaunches, timeoutMs, signal } = params
    const isBusy = () =>
      this.#registry.allLive.some((live) => isMeant(live)) || (waitsForLaunches && this.#registry.allLaunching.length > 0)
    const run = async (bounded: AbortSignal) => {
      await round()
      while (isBusy() && !bounded.aborted) {
        const changed = new Deferred()
        const off = this.#registry.onChange(() => changed.resolve())
        const onAbort = () => changed.resolve()
        bounded.addEventListener('abort', onAbort, { once: true })
        await changed.promise
        bounded.removeEventListener('abort', onAbort)
        off()
        await round()
      }
    }
    const onTimeout = () => new TimeoutError('The drain', timeoutMs)
    await withDeadline({ run, timeoutMs, onTimeout, signal, clock: this.#settings.clock }).catch(() => {}) // what is held is aborted
  }

  async #retire({ organizationId, browserSessionId }: LiveSession): Promise<void> {
    await this.#retirer.retire(organizationId, browserSessionId).catch((error: unknown) => this.#warn(browserSessionId, error))
  }

  async #end(live: LiveSession): Promise<void> {
    const { organizationId, browserSessionId } = live
    const reason: CloseReason = 'drained'
    live.lease?.lose(new LeaseLostError(browserSessionId, 'the host is being drained'))
    await this.#closer
      .close({ organizationId, browserSessionId, reason, force: true })
      .catch((error: unknown) => this.#warn(browserSessionId, error))
  }

  #warn(browserSessionId: string, error: unknown): void {
    this.#settings.logger.warn('a session could not be drained', { browserSessionId, error })
  }
}
