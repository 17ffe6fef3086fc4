import type { BrowserWatch } from './browser-watch.js'
import type { CheckoutProbe } from './checkout-probe.js'
import type { SessionRecycler } from './session-recycler.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'

/** So many rounds in a row without an answer end a held session: one may be a busy machine. */
const MAX_MISSES = 3

/** Looks at the browsers of this host, round by round, as part of the reaper's pass. */
export class BrowserRounds {
  readonly #registry: SessionRegistry
  readonly #probe: CheckoutProbe
  readonly #watch: BrowserWatch
  readonly #recycler: SessionRecycler
  readonly #measuresMemory: boolean

  constructor(parts: {
    readonly registry: SessionRegistry
    readonly probe: CheckoutProbe
    readonly watch: BrowserWatch
    readonly recycler: SessionRecycler
    /** Whether the memory of browsers is read each round. */
    readonly measuresMemory: boolean
  }) {
    this.#registry = parts.registry
    this.#probe = parts.probe
    this.#watch = parts.watch
    this.#recycler = parts.recycler
    this.#measuresMemory = parts.measuresMemory
  }

  /** Held ones: dead, or hanging for several rounds, they are lost, and their holders are told. */
  async held(): Promise<void> {
    const held = this.#registry.allLive.filter((live) => live.lease !== undefined && !live.isAttached)
    await Promise.all(held.map((live) => this.#ask(live)))
  }

  /** Free ones that are worn out end; those in use are looked at when their lease ends. */
  async free(): Promise<void> {
    const lives = this.#registry.allLive
    for (const live of lives) if (live.lease === undefined) this.#recycler.retireIfWorn(live)
    if (this.#measuresMemory) await Promise.all(lives.map((live) => this.#recycler.measure(live)))
  }

  async #ask(live: LiveSession): Promise<void> {
    const answer = await this.#probe.check(live.browser)
    const { life } = live
    life.missedProbes = answer.kind === 'hanging' ? life.missedProbes + 1 : 0
    if (answer.kind === 'ok' || (answer.kind === 'hanging' && life.missedProbes < MAX_MISSES)) return
    this.#watch.lost(live, answer.reason, 'probe_failed')
  }
}
