import type { Listener, TypedBus } from '../events/index.js'
import type { Clock } from '../runtime/index.js'
import type { Meter, ObservableGauge, ObservableResult } from './meter.js'
import type { PoolStats } from './pool-stats.js'
import type { PoolEventType } from './session-journal.js'
import type { SessionRegistry } from './session-registry.js'

/** Reasons for which the reaper ends sessions. */
const REAPED: readonly string[] = ['expired', 'idle_ttl', 'orphan', 'drained', 'lease_expired']

/** What only other parts of the pool know. */
export interface PoolFigures {
  readonly stats: () => PoolStats
}

/**
 * Tells a meter how the pool does. Gauges are read off the state when the meter asks; durations are in seconds, memory in bytes:
 * `runwright.sessions` (by `status`), `runwright.sessions.held`, `.waiting`, `.warm`, `runwright.sessions.memory` (by
 * `browserSessionId`), `runwright.sessions.lost`, `.reaped` (by `reason`), `runwright.sessions.launch.duration`,
 * `runwright.sessions.acquire.duration`.
 */
export class PoolMeter {
  readonly #acquire: { record(value: number): void }
  readonly #ties: (() => () => void)[] = []
  readonly #untie: (() => void)[] = []

  constructor(parts: {
    readonly meter: Meter
    readonly bus: TypedBus<PoolEventType>
    readonly registry: SessionRegistry
    readonly clock: Clock
    readonly figures: PoolFigures
  }) {
    const { meter, bus, registry, figures } = parts
    const gauge = (name: string, description: string, unit: string, read: (result: ObservableResult) => void) =>
      this.#observe(meter.createObservableGauge(`runwright.sessions${name}`, { description, unit }), read)
    const stats = (key: string) => (figures.stats() as unknown as Record<string, unknown>)[key]
    const count = (key: string) => (result: ObservableResult) => {
      const value = stats(key)
      if (typeof value === 'number') result.observe(value)
    }
    gauge('', 'Sessions of this host', '{session}', (result) => {
      const { launching, live, ending } = registry.counts()
      result.observe(launching, { status: 'starting' })
      result.observe(live, { status: 'running' })
      result.observe(ending, { status: 'ending' })
    })
    gauge('.held', 'Sessions that somebody holds', '{session}', count('held'))
    gauge('.waiting', 'Callers that wait for a session', '{caller}', count('waiting'))
    gauge('.warm', 'Browsers that are kept ready', '{browser}', count('warm'))
    gauge('.memory', 'Resident memory of a session’s processes', 'By', (result) => {
      for (const { life, browserSessionId } of registry.allLive) {
        if (life.memoryBytes !== null) result.observe(life.memoryBytes, { browserSessionId })
      }
    })
    const launch = meter.createHistogram('runwright.sessions.launch.duration', { description: 'Launch of a browser', unit: 's' })
    const lost = meter.createCounter('runwright.sessions.lost', { description: 'Browsers that were lost', unit: '{browser}' })
    const reaped = meter.createCounter('runwright.sessions.reaped', { description: 'Sessions that the reaper ended', unit: '{session}' })
    this.#acquire = meter.createHistogram('runwright.sessions.acquire.duration', { description: 'Wait for a session', unit: 's' })
    this.#listen(bus, 'session.started', ({ launchMs }) => launch.record(launchMs / 1_000))
    this.#listen(bus, 'session.relaunched', ({ launchMs }) => launch.record(launchMs / 1_000))
    this.#listen(bus, 'session.lost', () => lost.add(1))
    this.#listen(bus, 'session.closed', ({ closeReason }) => {
      if (REAPED.includes(closeReason)) reaped.add(1, { reason: closeReason })
    })
  }

  /** An `acquire`, or an `occupy` that waited, took so long. */
  acquired(waitedMs: number): void {
    this.#acquire.record(waitedMs / 1_000)
  }

  /** From here on gauges answer, and events are counted. */
  start(): void {
    this.stop()
    this.#untie.push(...this.#ties.map((tie) => tie()))
  }

  /** Tells nothing more. */
  stop(): void {
    for (const off of this.#untie.splice(0)) off()
  }

  #observe(gauge: ObservableGauge, read: (result: ObservableResult) => void): void {
    this.#ties.push(() => {
      gauge.addCallback(read)
      return () => gauge.removeCallback(read)
    })
  }

  #listen<K extends PoolEventType>(bus: TypedBus<PoolEventType>, type: K, listener: Listener<K>): void {
    this.#ties.push(() => bus.on(type, listener))
  }
}
