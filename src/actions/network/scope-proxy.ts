import { lookup as dnsLookup } from 'node:dns/promises'
import { connect as netConnect } from 'node:net'
import { platform } from 'node:process'
import { type Clock, systemClock } from '../../runtime/index.js'
import type { GuardedNetwork, NetworkGuard, UpstreamProxy } from '../../sessions/ports.js'
import type { Connect } from './connect-first.js'
import { GuardedListener } from './guarded-listener.js'
import { PeerOwner } from './peer-owner.js'
import type { Lookup } from './socks-connection.js'
import { parseUpstream } from './upstream-proxy.js'

/** What a test puts in the place of the network. */
export interface ScopeProxyInternals {
  readonly clock?: Clock
  readonly lookup?: Lookup
  readonly connect?: Connect
  /** Whether the process behind a connection is looked up. @default on Linux */
  readonly checksPeers?: boolean
}

/**
 * Lets browsers reach only what policies admit: for each browser one SOCKS5 listener on loopback, through which all that it sends goes.
 * Names are resolved here, checked, and connected to at the very address that was checked.
 *
 * It accepts connections of its own browser only; what cannot be told apart is refused. That is checked on Linux; elsewhere every process
 * of the machine that knows the port may use it, within the policy.
 */
export class ScopeProxy implements NetworkGuard {
  readonly #clock: Clock
  readonly #lookup: Lookup
  readonly #connect: Connect
  readonly #checksPeers: boolean

  constructor(internals: ScopeProxyInternals = {}) {
    this.#clock = internals.clock ?? systemClock
    this.#lookup = internals.lookup ?? ((name) => dnsLookup(name, { all: true }))
    this.#connect = internals.connect ?? connectTo
    this.#checksPeers = internals.checksPeers ?? platform === 'linux'
  }

  /**
   * Opens the way of one browser; nothing is let through before `admit`.
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for an upstream proxy that is none
   */
  async open(params: { browserSessionId: string; port?: number; upstream?: UpstreamProxy | null }): Promise<GuardedNetwork> {
    return GuardedListener.open({
      port: params.port ?? 0,
      upstream: params.upstream == null ? null : parseUpstream(params.upstream),
      lookup: this.#lookup,
      connect: this.#connect,
      clock: this.#clock,
      owner: this.#checksPeers ? new PeerOwner() : new Anybody(),
    })
  }
}

const connectTo: Connect = ({ address, port, family }) => netConnect({ host: address, port, family, allowHalfOpen: true })

/** Where processes cannot be looked up: everybody, once there is a browser. */
class Anybody {
  #isAdmitted = false

  admit(): void {
    this.#isAdmitted = true
  }

  async owns(): Promise<boolean> {
    return this.#isAdmitted
  }
}
