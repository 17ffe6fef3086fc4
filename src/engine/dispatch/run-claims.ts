import { type AnyEvent, runStream } from '../../events/index.js'
import type { Clock } from '../../runtime/index.js'
import {
  type Changes,
  type CommitResult,
  increment,
  leaseSet,
  type NewEvent,
  type NewRow,
  type RunRow,
  type Storage,
  storageNow,
  type Where,
  type Write,
  whereLapsed,
} from '../../storage/index.js'
import type { EventFactory } from '../event-factory.js'
import { lanesOf } from '../terminal-writes.js'
import { type ClaimKind, claimKindOf, continuesAfterLoss, type OnHostLost } from './claim-kind.js'

/** A run that this host has taken. */
export interface ClaimedRun {
  /** As it stands after the claim. */
  readonly run: RunRow
  /** By the host's monotonic clock, from before the claim was sent: the lease counts from here. */
  readonly claimedAtMs: number
  readonly kind: ClaimKind
}

/** A claim that goes with the insert of its run. */
export interface NewClaim extends Pick<ClaimedRun, 'claimedAtMs'> {
  readonly changes: Partial<NewRow<RunRow>>
  readonly event: NewEvent
}

/** Port to what may stand between a queued run and its beginning. */
export interface StartGate {
  /** `open`: it may begin. `closed`: it may not, and somebody sees to it when it may. `changed`: what was found is not so any more. */
  check(run: RunRow): Promise<'open' | 'closed' | 'changed'>
}

export interface RunClaimsOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly hostId: string
  readonly ttlMs: number
  /** Whether this host executes a run: its own heartbeat decides about that, whatever the lease says. */
  readonly isExecuted: (workflowRunId: string) => boolean
  /** What the run's workflow says about lost hosts. @default 'fail' */
  readonly onHostLostOf?: ((run: RunRow) => Promise<OnHostLost>) | undefined
  /** @default everything may begin */
  readonly gate?: StartGate | undefined
}

/** Looks at a run that keeps changing; the sweep comes back to it. */
const MAX_LOOKS = 5
/** So many rows are kept until they are claimed; the oldest go first. */
const MAX_FRESH = 1_000

/** Takes runs for this host, whatever state they were left in: one conditional write each. */
export class RunClaims {
  readonly #options: RunClaimsOptions
  /** Rows that this host has just written: a claim need not read them again. */
  readonly #fresh = new Map<string, RunRow>()

  constructor(options: RunClaimsOptions) {
    this.#options = options
  }

  /** Hands over a row that was just inserted, as it stands: the next claim of it begins with that instead of a read. */
  remember(run: RunRow): void {
    const oldest = this.#fresh.keys().next()
    if (this.#fresh.size >= MAX_FRESH && !oldest.done) this.#fresh.delete(oldest.value)
    this.#fresh.set(run.workflowRunId, run)
  }

  /** Whether a row was handed over and is still to be claimed. */
  isFresh(workflowRunId: string): boolean {
    return this.#fresh.has(workflowRunId)
  }

  /** Takes a run: status, lease, fence, lanes and event in one commit. Null when it is not to be had (now, or any more), or not for this host. */
  async claim(workflowRunId: string, isForUs: (run: RunRow) => Promise<boolean>): Promise<ClaimedRun | null> {
    const { storage, gate, isExecuted } = this.#options
    for (let look = 0; look < MAX_LOOKS; look++) {
      const fresh = this.#fresh.get(workflowRunId)
      this.#fresh.delete(workflowRunId)
      const run = fresh ?? (await storage.get('runs', workflowRunId))
      const kind = run === undefined ? null : claimKindOf(run)
      if (run === undefined || kind === null || (kind === 'takeOver' && isExecuted(workflowRunId))) return null
      if (kind === 'start' && gate !== undefined) {
        const verdict = await gate.check(run)
        if (verdict === 'changed') continue
        if (verdict === 'closed') return null
      }
      if (!(await isForUs(run))) return null
      const claimed = await this.#take(run, kind)
      if (claimed !== 'again') return claimed
    }
    return null
  }

  /** The claim that goes with the insert of a run, as `start` of one that waits for nothing: what its row says then, and what the stream is told. */
  ofNew(run: { readonly workflowRunId: string; readonly workflowPermanentId: string; readonly organizationId: string }): NewClaim {
    const { hostId, ttlMs, events, clock } = this.#options
    const { workflowRunId, workflowPermanentId, organizationId } = run
    const claim = { attempt: 1, leaseHolder: hostId, leaseFence: 1 }
    return {
      claimedAtMs: clock.monotonicMs(),
      changes: { ...claim, status: 'running', leaseExpiresAt: storageNow({ plusMs: ttlMs }), startedAt: storageNow() },
      event: events.create(organizationId, 'run.started', { workflowRunId, workflowPermanentId, ...claim }),
    }
  }

  /** Whether a claim of a new run is in force, and this host's: for one of which is not known whether it was written. */
  isOfNew({ status, leaseHolder, leaseFence }: RunRow): boolean {
    return status === 'running' && leaseHolder === this.#options.hostId && leaseFence === 1
  }

  /** `again`: a lane was taken meanwhile. Null: lost to a cancel or to another host, which is success for somebody. */
  async #take(run: RunRow, kind: ClaimKind): Promise<ClaimedRun | null | 'again'> {
    const { storage, clock, emit } = this.#options
    const event = await this.#eventOf(run, kind)
    const writes = [this.#update(run, kind), ...(event === null ? [] : [append(run, event)]), ...(kind === 'start' ? laneRows(run) : [])]
    const claimedAtMs = clock.monotonicMs()
    const result: CommitResult = await storage.commit(writes)
    if (!result.ok) return result.reason === 'duplicate' ? 'again' : null
    for (const appended of result.events.flat()) emit(appended as AnyEvent)
    return { run: result.rows[0]?.[0] as RunRow, claimedAtMs, kind }
  }

  #update(run: RunRow, kind: ClaimKind): Write {
    const { hostId, ttlMs } = this.#options
    const set: Changes<RunRow> = { ...leaseSet({ holder: hostId, ttlMs }), ...changesOf(run, kind), modifiedAt: storageNow() }
    return { op: 'update', table: 'runs', id: run.workflowRunId, where: { leaseFence: run.leaseFence, ...conditionOf(kind) }, set }
  }

  /** What the stream is told. Going on after a pause was told with the decision, and an end tells of itself. */
  async #eventOf(run: RunRow, kind: ClaimKind): Promise<NewEvent | null> {
    const { events, hostId, onHostLostOf } = this.#options
    const { workflowRunId, workflowPermanentId, organizationId } = run
    const claim = { workflowRunId, workflowPermanentId, attempt: run.attempt + 1, leaseHolder: hostId, leaseFence: run.leaseFence + 1 }
    if (kind === 'start') return events.create(organizationId, 'run.started', claim)
    if (kind !== 'handOver' && kind !== 'takeOver') return null
    const takeovers = run.takeovers + (kind === 'takeOver' ? 1 : 0)
    const continues = continuesAfterLoss({ ...run, takeovers }, (await onHostLostOf?.(run)) ?? 'fail')
    return events.create(organizationId, 'run.recovered', { ...claim, formerHolder: run.leaseHolder, continues })
  }
}

/** What has to be so still, beside the fence. Pure. */
function conditionOf(kind: ClaimKind): Where<RunRow> {
  switch (kind) {
    case 'start':
      return { status: 'queued' }
    case 'end':
      return { status: 'paused', cancelRequestedAt: { isNull: false } }
    case 'takeOver':
      return { status: 'running', ...whereLapsed() }
    case 'resume':
      return { status: 'running', leaseHolder: null, pauseDecision: { isNull: false } }
    case 'handOver':
      return { status: 'running', leaseHolder: null, pauseDecision: null }
  }
}

/** What changes with a claim, beside the lease. Pure. */
function changesOf(run: RunRow, kind: ClaimKind): Changes<RunRow> {
  const attempt = run.attempt + 1
  switch (kind) {
    case 'start':
      return { status: 'running', attempt, isParked: false, ...(run.startedAt === null ? { startedAt: storageNow() } : {}) }
    case 'end':
      return { status: 'running' }
    case 'takeOver':
      return { attempt, takeovers: increment() }
    case 'handOver':
      return { attempt }
    case 'resume':
      return {}
  }
}

const append = (run: RunRow, event: NewEvent): Write => ({ op: 'append', stream: runStream(run.workflowRunId), events: [event] })

/** A lane is held by its run, not by the host: it is taken with the start and lasts to the end. Pure. */
function laneRows(run: RunRow): Write[] {
  const { organizationId, workflowRunId } = run
  return lanesOf(run).map((leaseId) => ({
    op: 'insert',
    table: 'leases',
    row: { leaseId, organizationId, purpose: 'lane', leaseHolder: workflowRunId, leaseFence: 1, createdAt: storageNow() },
  }))
}
