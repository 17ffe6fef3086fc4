import {
  AcquireTimeoutError,
  BreakerOpenError,
  PoolSaturatedError,
  SessionEndedError,
  SessionError,
  SessionOccupiedError,
} from '../errors/index.js'
import type { Timer } from '../runtime/index.js'
import { AffinityMemory } from './affinity-memory.js'
import { type AcquireRequest, mayComeFree, type Plan, planFor, type Want } from './allocation-plan.js'
import type { Runnable } from './browser-session.js'
import type { LaunchQueue } from './launch-queue.js'
import type { LeaseKeeper, OccupyRequest } from './lease-keeper.js'
import { occupiedError } from './occupy-refusal.js'
import type { SessionPoolSettings } from './options.js'
import { type DurationFigures, SampleWindow } from './sample-window.js'
import type { SessionLauncher } from './session-launcher.js'
import type { SessionLease } from './session-lease.js'
import type { SessionRegistry } from './session-registry.js'
import { specKey } from './session-spec.js'
import { Waiter } from './waiter.js'
import { type LineEntry, WaitingLine } from './waiting-line.js'
import type { WarmSpares } from './warm-spares.js'

/** A request of `occupy`. */
export interface WaitingOccupyRequest extends OccupyRequest {
  readonly wait?: { readonly timeoutMs: number } | undefined
  readonly priority: number
}

interface Seeker {
  readonly want: Want
  readonly runnable: Runnable
  readonly waiter: Waiter
  readonly take: (plan: Plan) => Promise<SessionLease>
  /** Why it does not have its session yet. */
  refusal: SessionOccupiedError | null
  /** Whether it was let into the line: it may stay then. */
  isAdmitted: boolean
}

export interface AllocatorParts {
  readonly settings: SessionPoolSettings
  readonly registry: SessionRegistry
  readonly keeper: Pick<LeaseKeeper, 'occupy'>
  readonly launcher: Pick<SessionLauncher, 'createOccupied'>
  readonly queue: Pick<LaunchQueue, 'breaker'>
  readonly spares: Pick<WarmSpares, 'has' | 'canMakeRoom'>
  /** Told how long an `acquire`, or an `occupy` with `wait`, took. */
  readonly onAcquired?: (waitedMs: number) => void
}

/** What other processes do to sessions is seen no later than this, in milliseconds. */
const POLL_MS = 1_000
/** Refusals that end the search for any session: the next one would say the same. */
const FINAL_REFUSALS: readonly string[] = ['SCOPE_NOT_ENFORCEABLE', 'POOL_DRAINING']

/**
 * Decides who gets which session when several want one: a line in this process, served whenever a session comes free or there is room
 * for one. It only proposes: what makes somebody the holder is the one conditional write, and whoever loses that waits on at his place.
 */
export class Allocator {
  readonly #parts: AllocatorParts
  readonly #line = new WaitingLine<Seeker>()
  readonly #affinities = new AffinityMemory()
  readonly #waits = new SampleWindow()
  readonly #promised = new Map<string, Runnable>()
  readonly #refused = new Set<string>()
  readonly #fullOrganizations = new Set<string>()
  #timer: Timer | undefined
  #isDue = false
  #isServing = false

  constructor(parts: AllocatorParts) {
    this.#parts = parts
    parts.registry.onChange((endedOrganizationId) => this.#onChange(endedOrganizationId))
  }

  /** Ends every wait with this reason; what is under way for one is given back. */
  stop(reason: Error): void {
    for (const { value } of this.#line.entries()) value.waiter.reject(reason)
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Whether nobody waits. */
  get isIdle(): boolean {
    return this.#line.length === 0
  }

  /** How many wait, of each organisation. */
  get waiting(): Readonly<Record<string, number>> {
    return this.#line.lengths()
  }

  /** How long the last acquires took. */
  get acquireTimes(): DurationFigures | null {
    return this.#waits.figures()
  }

  /** Without `wait` it never waits for a holder; a session that is being handed to somebody in the line is his already. */
  async occupy(request: WaitingOccupyRequest): Promise<SessionLease> {
    const { organizationId, browserSessionId, wait } = request
    if (this.#isDue) this.#serve()
    const live = this.#parts.registry.live(browserSessionId)
    const isOurs = live?.organizationId === organizationId
    const promised = isOurs ? this.#promised.get(browserSessionId) : undefined
    if (wait === undefined) {
      if (promised !== undefined) throw this.#beingHandedOver(browserSessionId, promised)
      return this.#parts.keeper.occupy(request)
    }
    const holder = isOurs && live.lease !== undefined && !isSame(live.lease.runnable, request) ? live.lease : undefined
    const refusal = promised ? this.#beingHandedOver(browserSessionId, promised) : holder ? occupiedError(holder.row) : null
    const seeker = this.#seeker({
      want: { kind: 'session', organizationId, browserSessionId },
      request,
      timeoutMs: wait.timeoutMs,
      refusal,
      take: (signal) => this.#parts.keeper.occupy({ ...request, signal }),
      onTimeout: (self, waitedMs) => this.#stillOccupied(self, browserSessionId, waitedMs),
    })
    // else asked at once: it may be free, the asker's own, or out of reach
    return this.#join(seeker, request, refusal === null ? { kind: 'ask' } : null)
  }

  /** Any session of the kind: a ready one, else a new one, else the first that comes free. */
  acquire(request: AcquireRequest): Promise<SessionLease> {
    const { organizationId, runnableType, runnableId, requestId, spec, affinityKey } = request
    const { settings, registry, keeper, launcher } = this.#parts
    const runnable = { runnableType, runnableId }
    const own = this.#ownLease(request)
    if (own !== undefined) return keeper.occupy({ ...request, browserSessionId: own })
    const seeker = this.#seeker({
      want: { kind: 'any', organizationId, key: specKey({ ...spec }, settings), affinityKey },
      request,
      timeoutMs: request.timeoutMs ?? settings.acquireTimeoutMs,
      refusal: null,
      take: (signal, plan) => {
        const { networkPolicy, runnableFence, priority } = request
        if (plan.kind === 'occupy') {
          const { browserSessionId } = plan.live
          return keeper.occupy({ organizationId, browserSessionId, ...runnable, runnableFence, requestId, networkPolicy, signal })
        }
        const shape = { ...spec, organizationId, private: false, priority, signal }
        return launcher.createOccupied({ ...shape, runnable, runnableFence, requestId, networkPolicy })
      },
      onTimeout: (self, waitedMs) => this.#acquireTimeout(self, waitedMs, registry),
    })
    return this.#join(seeker, request, null)
  }

  #seeker(params: {
    readonly want: Want
    readonly request: Runnable & { readonly signal?: AbortSignal | undefined }
    readonly timeoutMs: number
    readonly refusal: SessionOccupiedError | null
    readonly take: (signal: AbortSignal, plan: Plan) => Promise<SessionLease>
    readonly onTimeout: (seeker: Seeker, waitedMs: number) => Error
  }): Seeker {
    const { want, request, timeoutMs, refusal, take, onTimeout } = params
    const waiter = new Waiter({
      clock: this.#parts.settings.clock,
      timeoutMs,
      signal: request.signal,
      onTimeout: (waitedMs) => onTimeout(seeker, waitedMs),
      onSettled: (settled) => this.#leave(settled),
    })
    const { runnableType, runnableId } = request
    const runnable = { runnableType, runnableId }
    const seeker: Seeker = { want, runnable, waiter, take: (plan) => take(waiter.signal, plan), refusal, isAdmitted: false }
    return seeker
  }

  /** Puts a seeker in the line, has its turn, or somebody else's, come, and gives its promise. */
  #join(seeker: Seeker, params: { readonly organizationId: string; readonly priority: number }, first: Plan | null): Promise<SessionLease> {
    const { organizationId, priority } = params
    if (seeker.waiter.isSettled) return seeker.waiter.lease
    const entry = this.#line.join(seeker, { organizationId, priority })
    if (first !== null) this.#begin(entry, first)
    this.#serve()
    this.#admit(entry)
    return seeker.waiter.lease
  }

  #leave(waiter: Waiter): void {
    for (const entry of this.#line.entries()) if (entry.value.waiter === waiter) this.#line.leave(entry)
    this.#dueSoon()
  }

  /** Whoever has to wait is let in only if there is a place in the line. */
  #admit(entry: LineEntry<Seeker>): void {
    const { value: seeker, isServed } = entry
    if (isServed || seeker.isAdmitted || seeker.waiter.isSettled) return
    const { maxQueue } = this.#parts.settings
    const waiting = this.#line.length - 1
    seeker.isAdmitted = waiting < maxQueue
    if (seeker.isAdmitted) return
    const { running, held, starting, ending, warm, maxSessions } = this.#sessions()
    seeker.waiter.reject(
      new PoolSaturatedError(
        `${waiting} calls wait for a browser session on this host, and ${maxQueue} may; of ${maxSessions} sessions ${running} run (${held} held), ${starting} start, ${ending} end`,
        { maxQueue, waiting, maxSessions, running, held, starting, ending, warm },
      ),
    )
  }

  /** Serves whoever can be served, in order of their turns; each takes what it is to get before the next is looked at. */
  #serve(): void {
    this.#isDue = false
    if (this.#isServing) return
    this.#isServing = true
    try {
      for (;;) {
        let plan: Plan | null = null
        const facts = this.#facts()
        const entry = this.#line.next((seeker) => {
          const found = planFor(seeker.want, facts)
          if (found !== null) plan = found
          return found !== null
        })
        if (entry === undefined || plan === null) break
        this.#begin(entry, plan)
      }
    } finally {
      this.#isServing = false
    }
    this.#poll()
  }

  #begin(entry: LineEntry<Seeker>, plan: Plan): void {
    this.#line.serve(entry)
    if (plan.kind === 'occupy') this.#promised.set(plan.live.browserSessionId, entry.value.runnable)
    void this.#attempt(entry, plan)
  }

  /** Never rejects. */
  async #attempt(entry: LineEntry<Seeker>, plan: Plan): Promise<void> {
    const { waiter, want, take } = entry.value
    try {
      const lease = await this.#orEnded(want, plan, () => take(plan))
      if (want.kind === 'any' && want.affinityKey !== undefined)
        this.#affinities.note(want.organizationId, want.affinityKey, lease.browserSessionId)
      const { waitedMs } = waiter
      if (waiter.resolve(lease)) this.#noteWait(want, waitedMs)
      else await lease.release().catch(() => {}) // lapses after its TTL
    } catch (error) {
      this.#failed(entry, plan, error)
    } finally {
      if (plan.kind === 'occupy') this.#promised.delete(plan.live.browserSessionId)
      this.#serve()
      this.#admit(entry)
    }
  }

  #noteWait(want: Want, waitedMs: number): void {
    if (want.kind === 'any') this.#waits.add(waitedMs)
    this.#parts.onAcquired?.(waitedMs)
  }

  /** A session that has left this host but whose row may not say so yet: what is known here is the truth. */
  #orEnded(want: Want, plan: Plan, take: () => Promise<SessionLease>): Promise<SessionLease> {
    const ending = plan.kind === 'ask' && want.kind === 'session' ? this.#parts.registry.ending(want.browserSessionId) : undefined
    if (ending === undefined || ending.live.organizationId !== want.organizationId) return take()
    const { status, closeReason, live } = ending
    return Promise.reject(new SessionEndedError(live.browserSessionId, { code: 'SESSION_ENDED', status, closeReason }))
  }

  #failed(entry: LineEntry<Seeker>, plan: Plan, error: unknown): void {
    const seeker = entry.value
    if (seeker.waiter.isSettled) return
    if (this.#waitsOn(seeker, plan, error)) this.#line.putBack(entry)
    else seeker.waiter.reject(error)
  }

  /** Whether a failure leaves something to wait for; notes what is not to be tried again at once. */
  #waitsOn(seeker: Seeker, plan: Plan, error: unknown): boolean {
    const { want } = seeker
    if (want.kind === 'session') {
      if (!SessionOccupiedError.is(error)) return false
      seeker.refusal = error
      this.#noteRefusal(want.browserSessionId)
      return true
    }
    if (!SessionError.is(error) || FINAL_REFUSALS.includes(error.code)) return false
    if (plan.kind === 'occupy') {
      this.#noteRefusal(plan.live.browserSessionId)
      return true
    }
    if (PoolSaturatedError.is(error)) {
      if (error.details?.maxSessionsPerOrganization !== undefined) this.#fullOrganizations.add(want.organizationId)
      return true
    }
    return BreakerOpenError.is(error) && mayComeFree(want, this.#parts)
  }

  /** Held by somebody whom this process does not know of: it is looked at again later. */
  #noteRefusal(browserSessionId: string): void {
    if (this.#parts.registry.live(browserSessionId)?.lease === undefined) this.#refused.add(browserSessionId)
  }

  #onChange(endedOrganizationId: string | undefined): void {
    if (endedOrganizationId !== undefined) this.#fullOrganizations.delete(endedOrganizationId)
    if (!this.#line.isEmpty) this.#dueSoon()
  }

  /** After what goes on now: a session that is live in this moment may have its first lease in the next. */
  #dueSoon(): void {
    if (this.#isDue || this.#line.isEmpty) return
    this.#isDue = true
    queueMicrotask(() => {
      if (this.#isDue) this.#serve()
    })
  }

  #poll(): void {
    if (this.#timer !== undefined || this.#line.length === 0) return
    this.#timer = this.#parts.settings.clock.setTimer(() => {
      this.#timer = undefined
      this.#refused.clear()
      this.#fullOrganizations.clear()
      this.#serve()
    }, POLL_MS)
  }

  #facts() {
    const { registry, spares, queue } = this.#parts
    return {
      registry,
      spares,
      affinities: this.#affinities,
      promised: this.#promised,
      refused: this.#refused,
      fullOrganizations: this.#fullOrganizations,
      isBreakerOpen: queue.breaker.retryAfterMs > 0,
    }
  }

  /** The session that this very request was given already. */
  #ownLease({ organizationId, runnableType, runnableId, requestId }: AcquireRequest): string | undefined {
    if (requestId === undefined) return undefined
    const own = this.#parts.registry.allLive.find(({ organizationId: owner, lease }) => {
      if (owner !== organizationId || lease === undefined || lease.row.leaseRequestId !== requestId) return false
      return isSame(lease.runnable, { runnableType, runnableId })
    })
    return own?.browserSessionId
  }

  #beingHandedOver(browserSessionId: string, to: Runnable): SessionOccupiedError {
    return new SessionOccupiedError(browserSessionId, { ...to, leaseHolder: this.#parts.settings.hostId }, null, null)
  }

  #stillOccupied(seeker: Seeker, browserSessionId: string, waitedMs: number): Error {
    const row = this.#parts.registry.live(browserSessionId)?.lease?.row
    const last = row === undefined ? seeker.refusal : occupiedError(row)
    const holder = last?.holder ?? { runnableType: 'unknown', runnableId: 'unknown', leaseHolder: null }
    return new SessionOccupiedError(browserSessionId, holder, last?.since ?? null, last?.leaseExpiresAt ?? null, waitedMs)
  }

  #acquireTimeout(seeker: Seeker, waitedMs: number, registry: SessionRegistry): Error {
    const entry = this.#line.entries().find(({ value }) => value === seeker)
    return new AcquireTimeoutError({
      organizationId: seeker.want.organizationId,
      waitedMs,
      position: entry === undefined || entry.isServed ? null : this.#line.position(entry),
      waiting: this.#line.length,
      sessions: this.#sessions(registry),
    })
  }

  #sessions({ maxSessions }: SessionRegistry = this.#parts.registry) {
    const { live: running, held, launching: starting, ending, warm } = this.#parts.registry.counts()
    return { running, held, starting, ending, warm, maxSessions }
  }
}

const isSame = (a: Runnable, b: Runnable) => a.runnableType === b.runnableType && a.runnableId === b.runnableId
