import type { AffinityMemory } from './affinity-memory.js'
import type { SessionSpec } from './options.js'
import type { NetworkPolicy } from './ports.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'
import type { WarmSpares } from './warm-spares.js'

/** A request of `acquire`. */
export interface AcquireRequest {
  readonly organizationId: string
  readonly runnableType: string
  readonly runnableId: string
  readonly runnableFence?: number | undefined
  readonly requestId?: string | undefined
  readonly spec: SessionSpec
  readonly affinityKey?: string | undefined
  readonly priority: number
  readonly timeoutMs?: number | undefined
  readonly networkPolicy?: NetworkPolicy | undefined
  readonly signal?: AbortSignal | undefined
}

/** What somebody in the line wants: one session, or any that is of a kind. */
export type Want =
  | { readonly kind: 'session'; readonly organizationId: string; readonly browserSessionId: string }
  | { readonly kind: 'any'; readonly organizationId: string; readonly key: string; readonly affinityKey: string | undefined }

/** What can be tried for a want now. */
export type Plan =
  | { readonly kind: 'occupy'; readonly live: LiveSession }
  /** The session is no more: asking for it tells why. */
  | { readonly kind: 'ask' }
  /** From a spare, or by a launch. */
  | { readonly kind: 'make' }

/** The state that plans are made from; nothing in it changes while one is made. */
export interface PlanFacts {
  readonly registry: Pick<SessionRegistry, 'live' | 'launching' | 'allLive' | 'hasRoom' | 'reuseKey'>
  readonly spares: Pick<WarmSpares, 'has' | 'canMakeRoom'>
  readonly affinities: Pick<AffinityMemory, 'rank'>
  /** Sessions that are being handed to somebody. */
  readonly promised: { has(browserSessionId: string): boolean }
  /** Sessions that look free and are not, until they are looked at again. */
  readonly refused: { has(browserSessionId: string): boolean }
  /** Organisations that have all the sessions they may have, until that is looked at again. */
  readonly fullOrganizations: { has(organizationId: string): boolean }
  /** Whether a launch would be refused now. */
  readonly isBreakerOpen: boolean
}

/** What to try for a want; null: nothing, it waits. Changes nothing. */
export function planFor(want: Want, facts: PlanFacts): Plan | null {
  const { registry, spares } = facts
  if (want.kind === 'session') {
    const live = registry.live(want.browserSessionId)
    if (live === undefined) return registry.launching(want.browserSessionId) === undefined ? { kind: 'ask' } : null
    if (live.life.unfit === 'drained') return { kind: 'ask' } // it will not come free
    return isFree(live, facts) ? { kind: 'occupy', live } : null
  }
  const live = pickReady(want, facts)
  if (live !== undefined) return { kind: 'occupy', live }
  if (facts.fullOrganizations.has(want.organizationId)) return null
  if (spares.has(want.key)) return { kind: 'make' }
  if (!registry.hasRoom() && !spares.canMakeRoom) return null
  return facts.isBreakerOpen && mayComeFree(want, facts) ? null : { kind: 'make' }
}

/** Whether a session of the wanted kind is there, held by somebody: to wait for it makes sense even while nothing can be launched. */
export function mayComeFree(want: Want, { registry }: Pick<PlanFacts, 'registry'>): boolean {
  return want.kind === 'any' && registry.allLive.some((live) => isOfKind(live, want, registry) && live.life.unfit === null)
}

/** Of the free sessions of the kind, the one that its affinity speaks for, else the oldest. */
function pickReady(want: Want & { readonly kind: 'any' }, facts: PlanFacts): LiveSession | undefined {
  const { registry, affinities } = facts
  let best: LiveSession | undefined
  let bestRank = Number.POSITIVE_INFINITY
  for (const live of registry.allLive) {
    if (!isOfKind(live, want, registry) || !isFree(live, facts)) continue
    const rank = affinities.rank(want.organizationId, want.affinityKey, live.browserSessionId)
    if (rank >= bestRank) continue
    best = live
    bestRank = rank
  }
  return best
}

function isOfKind(live: LiveSession, want: Want & { readonly kind: 'any' }, registry: Pick<SessionRegistry, 'reuseKey'>): boolean {
  return live.organizationId === want.organizationId && registry.reuseKey(live.browserSessionId) === want.key
}

function isFree(live: LiveSession, { promised, refused }: PlanFacts): boolean {
  const { browserSessionId, lease, life } = live
  return lease === undefined && life.unfit === null && !promised.has(browserSessionId) && !refused.has(browserSessionId)
}
