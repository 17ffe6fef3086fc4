import { RunLeaseLostError, TimeoutError } from '../errors/index.js'
import { type Logger, type Timer, withDeadline } from '../runtime/index.js'
import { type RunRow, renewals } from '../storage/index.js'
import { type ClaimedRun, type NewClaim, RunClaims, type RunClaimsOptions } from './dispatch/run-claims.js'

export type { ClaimedRun } from './dispatch/run-claims.js'

/** How long a run's lease lives without a heartbeat, in milliseconds; a heartbeat comes every third of it. */
export const DEFAULT_RUN_LEASE_TTL_MS = 30_000

/** What the keeper tells the execution of a run. */
export interface LeasedRun {
  readonly run: RunRow
  /** Somebody asked for a cancel, perhaps in another process. */
  cancel(by: string): void
  /** The lease is gone, or could not be renewed in time. */
  abandon(reason: string): void
}

export interface RunLeasesOptions extends Omit<RunClaimsOptions, 'isExecuted'> {
  readonly logger: Logger
}

/** Claims runs for this host, and renews all of its leases with one statement. */
export class RunLeases {
  readonly #options: RunLeasesOptions
  readonly #claims: RunClaims
  readonly #held = new Map<string, { readonly leased: LeasedRun; renewedAtMs: number }>()
  #timer: Timer | null = null
  #beating: Promise<void> | null = null
  #isAskedAgain = false

  constructor(options: RunLeasesOptions) {
    this.#options = options
    this.#claims = new RunClaims({ ...options, isExecuted: (id) => this.#held.has(id) })
  }

  /**
   * Takes a run that nobody executes: one that is queued, whose pause was decided, that was given back, or whose host was lost. Status,
   * fence, lease, lanes and event in one commit. Null when it is not to be had (now, or any more), or not for this host.
   */
  claim(workflowRunId: string, isForUs: (run: RunRow) => Promise<boolean> = async () => true): Promise<ClaimedRun | null> {
    return this.#claims.claim(workflowRunId, isForUs)
  }

  /** The claim that goes with the insert of a run; see {@link RunClaims}. */
  claimOfNew(run: Parameters<RunClaims['ofNew']>[0]): NewClaim {
    return this.#claims.ofNew(run)
  }

  isClaimOfNew(run: RunRow): boolean {
    return this.#claims.isOfNew(run)
  }

  /** Hands over a row that this host has just inserted: its claim begins with it, instead of a read. */
  remember(run: RunRow): void {
    this.#claims.remember(run)
  }

  /** Whether this host executes a run, or is about to take it as it was handed over. */
  isOurs(workflowRunId: string): boolean {
    return this.#held.has(workflowRunId) || this.#claims.isFresh(workflowRunId)
  }

  /** Renews the run's lease from now on. */
  hold(leased: LeasedRun, claimedAtMs: number): void {
    this.#held.set(leased.run.workflowRunId, { leased, renewedAtMs: claimedAtMs })
    this.#schedule(this.#options.ttlMs / 3)
  }

  /** Renews it no longer; does nothing for an execution that is not the one held. */
  drop(leased: LeasedRun): void {
    if (this.get(leased.run.workflowRunId) !== leased) return
    this.#held.delete(leased.run.workflowRunId)
    if (this.#held.size > 0) return
    this.#timer?.cancel()
    this.#timer = null
  }

  /** The execution of a run on this host. */
  get(workflowRunId: string): LeasedRun | undefined {
    return this.#held.get(workflowRunId)?.leased
  }

  all(): readonly LeasedRun[] {
    return [...this.#held.values()].map(({ leased }) => leased)
  }

  /** Makes a heartbeat at once: somebody has something to tell. One that is under way already is followed by another. */
  async beatNow(): Promise<void> {
    if (this.#held.size === 0) return
    if (this.#beating !== null) {
      this.#isAskedAgain = true
      return this.#beating
    }
    await this.#beatOnce()
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== null || this.#held.size === 0) return
    const { clock, ttlMs } = this.#options
    this.#timer = clock.setTimer(() => {
      this.#timer = null
      const startedAtMs = clock.monotonicMs()
      void this.#beatOnce().finally(() => this.#schedule(Math.max(0, startedAtMs + ttlMs / 3 - clock.monotonicMs())))
    }, delayMs)
  }

  /** One heartbeat at a time; asked for meanwhile, another follows. */
  #beatOnce(): Promise<void> {
    this.#beating ??= (async () => {
      do {
        this.#isAskedAgain = false
        await this.#beat()
      } while (this.#isAskedAgain && this.#held.size > 0)
    })().finally(() => {
      this.#beating = null
    })
    return this.#beating
  }

  /**
   * One heartbeat: renews every lease, and brings back what others asked for. On a storage that hangs it ends after a third of the TTL,
   * or with the oldest lease, so that each run is stopped before its lease ends.
   */
  async #beat(): Promise<void> {
    const { clock, ttlMs, logger } = this.#options
    const oldestMs = Math.max(...[...this.#held.values()].map(({ renewedAtMs }) => clock.monotonicMs() - renewedAtMs))
    const timeoutMs = Math.max(0, Math.min(ttlMs / 3, ttlMs - oldestMs))
    try {
      const onTimeout = () => new TimeoutError('A heartbeat of the engine', timeoutMs)
      await withDeadline({ run: () => this.#renew(), timeoutMs, onTimeout, clock })
    } catch (error) {
      logger.warn('run leases could not be renewed', { error })
    }
    this.#stopLapsed()
  }

  async #renew(): Promise<void> {
    const { storage, clock, ttlMs, hostId } = this.#options
    const sentAtMs = clock.monotonicMs()
    const leases = this.all().map(({ run }) => ({ id: run.workflowRunId, holder: hostId, fence: run.leaseFence }))
    const result = await storage.commit([renewals({ table: 'runs', leases, ttlMs, where: { status: 'running' } })])
    if (!result.ok) return // updateAll never refuses
    const asked = leases.map(({ id }) => id)
    await this.#onRenewed((result.rows[0] ?? []) as readonly RunRow[], asked, sentAtMs)
  }

  async #onRenewed(renewed: readonly RunRow[], asked: readonly string[], sentAtMs: number): Promise<void> {
    const rows = new Map(renewed.map((row) => [row.workflowRunId, row]))
    for (const id of asked) {
      const held = this.#held.get(id)
      const row = rows.get(id)
      if (held === undefined) continue
      if (row !== undefined) {
        held.renewedAtMs = Math.max(held.renewedAtMs, sentAtMs)
        if (row.cancelRequestedAt !== null) held.leased.cancel(row.cancelRequestedBy ?? 'unknown')
      } else await this.#onRefused(held.leased)
    }
  }

  /** A lease that was not renewed: it may just have been given back here, by the end of the run, by a pause, or to be handed over. */
  async #onRefused(leased: LeasedRun): Promise<void> {
    const row = await this.#options.storage.get('runs', leased.run.workflowRunId)
    if (row?.leaseHolder === null && row.leaseFence === leased.run.leaseFence) return
    leased.abandon(new RunLeaseLostError(leased.run.workflowRunId, 'its lease was taken over').message)
  }

  /** A host that cannot renew stops itself before its lease ends: the next heartbeat would come too late for these. */
  #stopLapsed(): void {
    const { clock, ttlMs } = this.#options
    for (const { leased, renewedAtMs } of this.#held.values()) {
      if (clock.monotonicMs() - renewedAtMs >= (ttlMs * 2) / 3) leased.abandon('its lease could not be renewed in time')
    }
  }
}
