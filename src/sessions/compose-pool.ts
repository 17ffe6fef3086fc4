import { logListenerErrors, TypedBus } from '../events/index.js'
import { createIds } from '../runtime/index.js'
import { Artifacts } from '../storage/artifacts/artifacts.js'
import { guardStorage } from '../storage/guard.js'
import { Adoption } from './adoption.js'
import { Allocator } from './allocator.js'
import { SessionAttacher } from './attach.js'
import { BrowserSupply } from './browser-supply.js'
import { LaunchSources } from './launch-sources.js'
import { LeaseHeartbeat } from './lease-heartbeat.js'
import { LeaseKeeper } from './lease-keeper.js'
import type { ParsedPoolOptions, SessionPoolSettings } from './options.js'
import { OrphanProcesses } from './orphan-processes.js'
import { PoolMeter } from './pool-meter.js'
import { PoolRemains } from './pool-remains.js'
import { poolStats } from './pool-stats.js'
import { ProfileReader } from './profiles/profile-reader.js'
import { ProfileStore } from './profiles/profile-store.js'
import { SessionProfiles } from './profiles/session-profiles.js'
import { Reaper } from './reaper.js'
import { Reconciliation } from './reconciliation.js'
import { SessionDetacher } from './session-detacher.js'
import { SessionEnder } from './session-ender.js'
import { SessionExports } from './session-exports.js'
import { SessionFiles } from './session-files.js'
import { HookCaller } from './session-hooks.js'
import { type PoolEventType, SessionJournal } from './session-journal.js'
import { SessionLauncher } from './session-launcher.js'
import { SessionNetworks } from './session-network.js'
import { SessionReader } from './session-reader.js'
import { SessionRegistry } from './session-registry.js'
import { SessionTeardown } from './session-teardown.js'
import { SessionUpkeep } from './session-upkeep.js'

/** The collaborators of a pool. */
export type PoolParts = ReturnType<typeof composePool>

/** Ties the collaborators of a pool together. */
export function composePool(options: ParsedPoolOptions) {
  const settings = settingsOf(options)
  const { storage, ids, meter: openMeter, clock } = settings
  const bus = new TypedBus<PoolEventType>(settings.onListenerError ?? logListenerErrors(settings.logger))
  const registry = new SessionRegistry(settings.maxSessions)
  const networks = new SessionNetworks(settings)
  const journal = new SessionJournal(settings, bus)
  const artifacts = new Artifacts({ storage, store: settings.artifacts, ids, onEvents: (events) => journal.emit([events]) })
  const profileReader = new ProfileReader({ storage, artifacts })
  const sources = new LaunchSources({ settings, profiles: profileReader })
  const exports = new SessionExports({ settings, journal, artifacts })
  const teardown = new SessionTeardown(settings)
  const hooks = new HookCaller(settings)
  const base = { settings, registry, journal, teardown, hooks, networks, sources }
  const supply = new BrowserSupply(base)
  const ender = new SessionEnder({ ...base, exports })
  const upkeep = new SessionUpkeep({ ...base, ender, browserStart: supply.browserStart })
  const { closer, watch, arrival, gate } = upkeep
  const detacher = new SessionDetacher({ ...base, ender })
  const heartbeat = new LeaseHeartbeat({ ...base, onEndedElsewhere: (live) => void detacher.endedElsewhere(live) })
  const keeper = new LeaseKeeper({ ...upkeep, ...base, heartbeat })
  const launcher = new SessionLauncher({ ...supply, ...base, watch, arrival, gate, keeper })
  const allocator: Allocator = new Allocator({ ...supply, settings, registry, keeper, launcher, onAcquired: (ms) => meter?.acquired(ms) })
  const stats = () => poolStats({ ...supply, registry, allocator })
  const meter = openMeter && new PoolMeter({ meter: openMeter, bus, registry, clock, figures: { stats } })
  const store = new ProfileStore({ settings, journal, artifacts })
  const orphans = new OrphanProcesses(settings)
  const remains = new PoolRemains({ ...base, ...supply, ender })
  return {
    settings,
    detacher,
    attacher: new SessionAttacher({ ...base, keeper, heartbeat, closer }),
    reconciliation: new Reconciliation({ ...base, orphans, remains, adoption: new Adoption({ ...base, arrival }) }),
    bus,
    registry,
    journal,
    networks,
    supply,
    upkeep,
    launcher,
    allocator,
    heartbeat,
    closer,
    ender,
    meter,
    stats,
    profileReader,
    reaper: new Reaper({ ...upkeep, ...base, ...supply, ender }),
    profiles: new SessionProfiles({ ...base, artifacts, closer, store, reader: profileReader }),
    files: new SessionFiles({ storage, artifacts }),
    reader: new SessionReader(storage),
  }
}

function settingsOf(options: ParsedPoolOptions): SessionPoolSettings {
  const ids = options.ids ?? createIds({ clock: options.clock, random: options.random })
  return {
    ...options,
    ids,
    storage: guardStorage(options.storage),
    hostId: options.hostId ?? ids.next('host'),
    headless: options.headless ?? options.streaming === undefined,
  }
}
