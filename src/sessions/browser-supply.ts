import { BrowserStart } from './browser-start.js'
import { LaunchQueue } from './launch-queue.js'
import type { LaunchSources } from './launch-sources.js'
import { Leftovers } from './leftovers.js'
import type { SessionPoolSettings } from './options.js'
import { OrganizationSlots } from './organization-slots.js'
import type { SessionNetworks } from './session-network.js'
import type { SessionRegistry } from './session-registry.js'
import type { SessionTeardown } from './session-teardown.js'
import { WarmSpares } from './warm-spares.js'

/** Where browsers come from, and how many there may be, put together. */
export class BrowserSupply {
  readonly queue: LaunchQueue
  readonly browserStart: BrowserStart
  readonly slots: OrganizationSlots
  readonly leftovers: Leftovers
  readonly spares: WarmSpares

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly networks: SessionNetworks
    readonly sources: LaunchSources
    readonly teardown: SessionTeardown
  }) {
    const { settings, registry, networks, sources } = parts
    this.queue = new LaunchQueue(settings)
    this.browserStart = new BrowserStart(settings, networks, this.queue, sources)
    this.slots = new OrganizationSlots(settings)
    this.leftovers = new Leftovers(parts)
    this.spares = new WarmSpares({ ...this, settings, registry })
  }
}
