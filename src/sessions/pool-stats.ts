import type { LifecycleState } from '../runtime/index.js'
import type { SessionRegistry } from './session-registry.js'

/** Figures of one host. */
export interface PoolStats {
  /** Sessions whose browser answers, held ones included. */
  readonly running: number
  readonly held: number
  readonly starting: number
  /** Sessions that ended and whose browser is not yet confirmed gone. */
  readonly ending: number
  readonly maxSessions: number
}

/** `degraded`: the storage does not take heartbeats; `exhausted`: no further session fits; `down`: not started. */
export interface PoolHealth {
  readonly status: 'ok' | 'degraded' | 'exhausted' | 'down'
  readonly reason: string | null
}

export function poolStats(registry: SessionRegistry): PoolStats {
  const { live, held, launching, ending } = registry.counts()
  return { running: live, held, starting: launching, ending, maxSessions: registry.maxSessions }
}

export function poolHealth(facts: { readonly state: LifecycleState; readonly stats: PoolStats; readonly failure: unknown }): PoolHealth {
  const { state, stats, failure } = facts
  if (state !== 'running') return { status: 'down', reason: `the pool is ${state}` }
  if (failure !== undefined) return { status: 'degraded', reason: `the last heartbeat failed: ${String(failure)}` }
  const taken = stats.running + stats.starting + stats.ending
  if (taken >= stats.maxSessions) return { status: 'exhausted', reason: `${taken} of ${stats.maxSessions} sessions are taken` }
  return { status: 'ok', reason: null }
}
