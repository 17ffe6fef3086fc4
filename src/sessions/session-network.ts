import { ScopeNotEnforceableError } from '../errors/index.js'
import type { Clock, Logger } from '../runtime/index.js'
import { withDeadline } from '../runtime/index.js'
import type { BrowserHandle, GuardedNetwork, NetworkGuard, NetworkPolicy, UpstreamProxy } from './ports.js'

/** Limit of a browser's answer when its requests are put under a policy, in milliseconds. */
const GUARD_LIMIT_MS = 5_000

/** A session as far as its way to the network is concerned. */
export interface NetworkedSession {
  readonly browserSessionId: string
  readonly browser: BrowserHandle
  /** The guarded way; null: there is none. */
  readonly network: GuardedNetwork | null
  /** Whether somebody else started the browser: only what it offers itself can be used. */
  readonly isAttached: boolean
  /** The change of the browser's own guard that is under way; settles, never rejects. */
  guarding: Promise<void>
}

export interface SessionNetworksSettings {
  readonly clock: Clock
  readonly logger: Logger
  readonly networkGuard?: NetworkGuard | undefined
}

/** Opens the guarded ways of browsers to the network, and puts the policies of leases in force. */
export class SessionNetworks {
  readonly #settings: SessionNetworksSettings
  #guard: NetworkGuard | undefined
  /** Attached sessions whose browser holds itself to a policy. */
  readonly #guarding = new WeakSet<NetworkedSession>()

  constructor(settings: SessionNetworksSettings) {
    this.#settings = settings
    this.#guard = settings.networkGuard
  }

  /** Takes a guard, unless there is one. */
  use(guard: NetworkGuard): void {
    this.#guard ??= guard
  }

  /** @throws {ScopeNotEnforceableError} for a session that is to be guarded where nothing can, or a policy without a guard */
  assertPossible(
    browserSessionId: string,
    request: {
      readonly guarded: boolean
      readonly networkPolicy?: NetworkPolicy | undefined
      /** Of a browser that somebody else has started: what it offers itself is found out when it is there. */
      readonly browserAddress?: string | undefined
    },
  ): void {
    if (request.browserAddress !== undefined) {
      if (!request.guarded) return
      throw new ScopeNotEnforceableError(browserSessionId, 'somebody else has started its browser')
    }
    if (request.guarded && this.#guard === undefined) {
      throw new ScopeNotEnforceableError(browserSessionId, 'the pool has no network guard: pass `networkGuard`')
    }
    if (!request.guarded && request.networkPolicy !== undefined) throw notGuarded(browserSessionId)
  }

  /** The way of a browser that is about to be launched, under this policy from the start. */
  async open(params: {
    readonly browserSessionId: string
    readonly networkPolicy?: NetworkPolicy | undefined
    /** Where the guard sends on what it lets through; null: straight to its goal. */
    readonly proxy?: UpstreamProxy | null
    /** Of a browser that knows it already. @default any free one */
    readonly port?: number
  }): Promise<GuardedNetwork> {
    const { browserSessionId, networkPolicy, proxy, port } = params
    if (this.#guard === undefined) throw new ScopeNotEnforceableError(browserSessionId, 'the pool has no network guard')
    const network = await this.#guard.open({ browserSessionId, upstream: proxy ?? null, ...(port === undefined ? {} : { port }) })
    network.apply(networkPolicy ?? null)
    return network
  }

  /** @throws {ScopeNotEnforceableError} when a lease with this policy could not be held to it */
  assertEnforceable(session: NetworkedSession, policy: NetworkPolicy | undefined): void {
    if (policy === undefined || session.network !== null) return
    if (!session.isAttached || session.browser.guardRequests === undefined) throw notGuarded(session.browserSessionId)
  }

  /** @throws {ScopeNotEnforceableError} when a browser that somebody else has started cannot be held to this policy */
  assertAttachable(browserSessionId: string, browser: BrowserHandle, policy: NetworkPolicy | undefined): void {
    if (policy !== undefined && browser.guardRequests === undefined) throw notGuarded(browserSessionId)
  }

  /** Puts the policy of a new lease in force; without one, everything may be reached. Guarded sessions are in force when it returns. */
  begin(session: NetworkedSession, policy: NetworkPolicy | undefined): Promise<void> {
    if (session.network !== null) {
      session.network.apply(policy ?? null)
      return Promise.resolve()
    }
    if (policy === undefined) return session.guarding
    this.#guarding.add(session)
    return this.#guardRequests(session, policy)
  }

  /** A lease is over: an attached browser is its owner's again. A guarded one stays under the last policy. */
  end(session: NetworkedSession): void {
    if (!this.#guarding.delete(session)) return
    const { logger } = this.#settings
    const { browserSessionId } = session
    this.#guardRequests(session, null).catch((error: unknown) => logger.warn('a browser stays guarded', { browserSessionId, error }))
  }

  /** One after the other, so that the end of one lease cannot undo the beginning of the next. */
  #guardRequests(session: NetworkedSession, policy: NetworkPolicy | null): Promise<void> {
    const change = session.guarding.then(() =>
      withDeadline({
        run: async (signal) => session.browser.guardRequests?.(policy, { signal, timeoutMs: GUARD_LIMIT_MS }),
        timeoutMs: GUARD_LIMIT_MS,
        onTimeout: () => new ScopeNotEnforceableError(session.browserSessionId, `its browser did not answer within ${GUARD_LIMIT_MS} ms`),
        clock: this.#settings.clock,
      }),
    )
    session.guarding = change.catch(() => {}) // whoever asked hears of it
    return change
  }
}

const notGuarded = (browserSessionId: string) =>
  new ScopeNotEnforceableError(browserSessionId, 'it was not made with `guarded: true`, so its requests cannot be held back')
