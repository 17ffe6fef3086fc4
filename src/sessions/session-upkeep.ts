import { BrowserRounds } from './browser-rounds.js'
import type { BrowserStart } from './browser-start.js'
import { BrowserWatch } from './browser-watch.js'
import { Checkout } from './checkout.js'
import { CheckoutProbe } from './checkout-probe.js'
import { LeaseBreaker } from './lease-breaker.js'
import type { SessionPoolSettings } from './options.js'
import { PoolGate } from './pool-gate.js'
import { watchesMemory } from './recycling.js'
import { Relauncher } from './relauncher.js'
import { RenewOrClose } from './renew-or-close.js'
import { SessionArrival } from './session-arrival.js'
import { SessionCloser } from './session-closer.js'
import { SessionDrainer } from './session-drainer.js'
import type { SessionEnder } from './session-ender.js'
import type { HookCaller } from './session-hooks.js'
import type { SessionJournal } from './session-journal.js'
import { SessionRecycler } from './session-recycler.js'
import type { SessionRegistry } from './session-registry.js'
import { SessionRenewer } from './session-renewer.js'
import { SessionRetirer } from './session-retirer.js'
import { SessionSanitizer } from './session-sanitizer.js'
import type { SessionTeardown } from './session-teardown.js'

export interface UpkeepParts {
  readonly settings: SessionPoolSettings
  readonly registry: SessionRegistry
  readonly journal: SessionJournal
  readonly teardown: SessionTeardown
  readonly ender: SessionEnder
  readonly hooks: HookCaller
  /** Starts browsers as those of new sessions are started. */
  readonly browserStart: BrowserStart
}

/** What keeps sessions fit between their launch and their end, put together. */
export class SessionUpkeep {
  readonly gate: PoolGate
  readonly watch: BrowserWatch
  readonly arrival: SessionArrival
  readonly relauncher: Relauncher
  readonly closer: SessionCloser
  readonly retirer: SessionRetirer
  readonly drainer: SessionDrainer
  readonly breaker: LeaseBreaker
  readonly sanitizer: SessionSanitizer
  readonly recycler: SessionRecycler
  readonly checkout: Checkout
  readonly rounds: BrowserRounds
  readonly renewer: SessionRenewer
  readonly renewOrClose: RenewOrClose

  constructor(parts: UpkeepParts) {
    const { settings, registry, journal, ender } = parts
    this.gate = new PoolGate(settings)
    this.watch = new BrowserWatch({ ender, relaunch: (live, reason) => this.relauncher.take(live, reason) })
    this.arrival = new SessionArrival({ settings, registry, watch: this.watch })
    this.relauncher = new Relauncher({ ...parts, arrival: this.arrival })
    this.closer = new SessionCloser({ settings, registry, journal, ender })
    this.retirer = new SessionRetirer({ settings, registry, journal, closer: this.closer })
    this.drainer = new SessionDrainer({ settings, registry, retirer: this.retirer, closer: this.closer })
    this.breaker = new LeaseBreaker({ settings, registry, journal })
    this.sanitizer = new SessionSanitizer(settings)
    this.recycler = new SessionRecycler({ settings, sanitizer: this.sanitizer, retirer: this.retirer })
    const probe = new CheckoutProbe(settings)
    this.checkout = new Checkout({ probe, recycler: this.recycler, closer: this.closer, watch: this.watch })
    const measuresMemory = settings.meter !== undefined || watchesMemory(settings.recycle)
    this.rounds = new BrowserRounds({ registry, probe, watch: this.watch, recycler: this.recycler, measuresMemory })
    this.renewer = new SessionRenewer({ settings, journal })
    this.renewOrClose = new RenewOrClose({ settings, renewer: this.renewer, retirer: this.retirer })
  }
}
