import { RunLeaseLostError, TimeoutError } from '../errors/index.js'
import { type AnyEvent, runStream } from '../events/index.js'
import { type Clock, type Logger, type Timer, withDeadline } from '../runtime/index.js'
import { leaseSet, type RunRow, renewals, type Storage, storageNow } from '../storage/index.js'
import type { EventFactory } from './event-factory.js'
import { isFinalStatus, sourcesOf } from './run-status.js'

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

/** A run that this host has taken. */
export interface ClaimedRun {
  readonly run: RunRow
  /** By the host's monotonic clock, from before the claim was sent: the lease counts from here. */
  readonly claimedAtMs: number
}

export interface RunLeasesOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly hostId: string
  readonly ttlMs: number
}

/** Claims runs for this host, and renews all of its leases with one statement. */
export class RunLeases {
  readonly #options: RunLeasesOptions
  readonly #held = new Map<string, { readonly leased: LeasedRun; renewedAtMs: number }>()
  #timer: Timer | null = null

  constructor(options: RunLeasesOptions) {
    this.#options = options
  }

  /**
   * Takes a queued run: status, fence, lease and `run.started` in one commit. Null when it is not to be had (any more), or not for this host.
   */
  async claim(workflowRunId: string, isForUs: (run: RunRow) => Promise<boolean> = async () => true): Promise<ClaimedRun | null> {
    const { storage, clock, events, hostId, ttlMs, emit } = this.#options
    const run = await storage.get('runs', workflowRunId)
    if (run === undefined || !sourcesOf('running').includes(run.status) || run.status === 'paused') return null
    if (!(await isForUs(run))) return null
    const leaseFence = run.leaseFence + 1
    const attempt = run.attempt + 1
    const { workflowPermanentId, organizationId } = run
    const started = events.create(organizationId, 'run.started', {
      workflowRunId,
      workflowPermanentId,
      attempt,
      leaseHolder: hostId,
      leaseFence,
    })
    const claimedAtMs = clock.monotonicMs()
    const result = await storage.commit([
      {
        op: 'update',
        table: 'runs',
        id: workflowRunId,
        where: { status: run.status, leaseFence: run.leaseFence },
        set: {
          status: 'running',
          ...leaseSet({ holder: hostId, ttlMs }),
          attempt,
          ...(run.startedAt === null ? { startedAt: storageNow() } : {}),
          modifiedAt: storageNow(),
        },
      },
      { op: 'append', stream: runStream(workflowRunId), events: [started] },
    ])
    if (!result.ok) return null // lost to a cancel or to another host, which is success for somebody
    for (const event of result.events.flat()) emit(event as AnyEvent)
    return { run: result.rows[0]?.[0] as RunRow, claimedAtMs }
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

  #schedule(delayMs: number): void {
    if (this.#timer !== null || this.#held.size === 0) return
    const { clock, ttlMs } = this.#options
    this.#timer = clock.setTimer(() => {
      this.#timer = null
      const startedAtMs = clock.monotonicMs()
      void this.#beat().finally(() => this.#schedule(Math.max(0, startedAtMs + ttlMs / 3 - clock.monotonicMs())))
    }, delayMs)
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

  /** A lease that was not renewed: the run may just have ended here. */
  async #onRefused(leased: LeasedRun): Promise<void> {
    const row = await this.#options.storage.get('runs', leased.run.workflowRunId)
    if (row !== undefined && isFinalStatus(row.status) && row.leaseFence === leased.run.leaseFence) return
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
