import type { LifecycleState } from '../runtime/index.js'
import type { Allocator } from './allocator.js'
import type { BreakerState } from './launch-breaker.js'
import type { LaunchQueue } from './launch-queue.js'
import type { DurationFigures } from './sample-window.js'
import type { SessionRegistry } from './session-registry.js'
import type { WarmSpares } from './warm-spares.js'

/** Figures of one host. */
export interface PoolStats {
  /** Sessions whose browser answers, held ones included. */
  readonly running: number
  readonly held: number
  readonly starting: number
  /** Sessions that ended and whose browser is not yet confirmed gone. */
  readonly ending: number
  /** Spare browsers that are ready. */
  readonly warm: number
  /** Spare browsers that start, or end, and count against `maxSessions` too. */
  readonly warming: number
  readonly maxSessions: number
  /** Calls that stand in line for a session. */
  readonly waiting: number
  /** The same, of each organisation that has any. */
  readonly waitingByOrganization: Readonly<Record<string, number>>
  /** How long the last calls of `acquire` took that were given a lease, at most 256 of them; null: there was none. */
  readonly acquireTimes: DurationFigures | null
  /** How long the last browsers took to start, with their displays and without the wait for their turn; null: there was none. */
  readonly launchTimes: DurationFigures | null
  /** `open`: launches have failed in a row, and none is begun; `half_open`: one is, to try. */
  readonly breaker: BreakerState
}

/**
 * `degraded`: the storage does not take heartbeats, or browsers do not start; `exhausted`: no further session fits, or is given out, as the
 * pool is being drained; `down`: not started.
 */
export interface PoolHealth {
  readonly status: 'ok' | 'degraded' | 'exhausted' | 'down'
  readonly reason: string | null
}

export function poolStats(parts: {
  readonly registry: SessionRegistry
  readonly allocator: Pick<Allocator, 'waiting' | 'acquireTimes'>
  readonly queue: Pick<LaunchQueue, 'breaker' | 'launchTimes'>
  readonly spares: Pick<WarmSpares, 'size'>
}): PoolStats {
  const { registry, allocator, queue, spares } = parts
  const { live, held, launching, ending, warm } = registry.counts()
  const waitingByOrganization = allocator.waiting
  return {
    running: live,
    held,
    starting: launching,
    ending,
    warm: spares.size,
    warming: warm - spares.size,
    maxSessions: registry.maxSessions,
    waiting: Object.values(waitingByOrganization).reduce((sum, length) => sum + length, 0),
    waitingByOrganization,
    acquireTimes: allocator.acquireTimes,
    launchTimes: queue.launchTimes,
    breaker: queue.breaker.state,
  }
}

export function poolHealth(facts: {
  readonly state: LifecycleState
  readonly gate: { readonly isDraining: boolean }
  readonly stats: PoolStats
  readonly failure: unknown
}): PoolHealth {
  const { state, gate, stats, failure } = facts
  if (state !== 'running') return { status: 'down', reason: `the pool is ${state}` }
  if (gate.isDraining) return { status: 'exhausted', reason: 'draining' }
  if (failure !== undefined) return { status: 'degraded', reason: `the last heartbeat failed: ${String(failure)}` }
  if (stats.breaker !== 'closed') return { status: 'degraded', reason: `browsers fail to start: the breaker is ${stats.breaker}` }
  const taken = stats.running + stats.starting + stats.ending // a spare makes room for a session
  if (taken >= stats.maxSessions) return { status: 'exhausted', reason: `${taken} of ${stats.maxSessions} sessions are taken` }
  return { status: 'ok', reason: null }
}
