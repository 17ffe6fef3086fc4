import { SessionRetiredError } from '../errors/index.js'
import type { BrowserWatch } from './browser-watch.js'
import type { CheckoutProbe, ProbeResult } from './checkout-probe.js'
import type { LeaseRecord } from './lease-record.js'
import type { SessionCloser } from './session-closer.js'
import type { SessionRecycler } from './session-recycler.js'
import type { LiveSession } from './session-registry.js'

/** The last look at a browser before somebody gets it. */
export class Checkout {
  readonly #probe: CheckoutProbe
  readonly #recycler: SessionRecycler
  readonly #closer: SessionCloser
  readonly #watch: BrowserWatch

  constructor(parts: {
    readonly probe: CheckoutProbe
    readonly recycler: SessionRecycler
    readonly closer: SessionCloser
    readonly watch: BrowserWatch
  }) {
    this.#probe = parts.probe
    this.#recycler = parts.recycler
    this.#closer = parts.closer
    this.#watch = parts.watch
  }

  /** Asks the browser whether it lives, while the lease is being written; never rejects. */
  begin(live: LiveSession): Promise<ProbeResult> {
    return this.#probe.check(live.browser)
  }

  /**
   * Resolves to whether the browser lives; a dead or hanging one is lost then, with its new lease. Replaces a worn context.
   * @throws {SessionRetiredError} `SESSION_RETIRED` when the browser is worn out, or was retired just now: the session has ended
   */
  async finish(live: LiveSession, lease: LeaseRecord, probing: Promise<ProbeResult>): Promise<boolean> {
    const probe = await probing
    if (probe.kind !== 'ok') {
      this.#watch.lost(live, probe.reason, 'probe_failed')
      return false
    }
    if (live.life.unfit === null && (await this.#recycler.checkOut(live))) return true
    const { organizationId, browserSessionId, life } = live
    life.unfit ??= 'max_uses'
    await this.#closer.close({ organizationId, browserSessionId, reason: life.unfit, force: false, lease })
    throw new SessionRetiredError(browserSessionId, `it is being ended (${life.unfit})`)
  }
}
