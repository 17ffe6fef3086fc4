import type { Logger } from '../runtime/index.js'
import type { SessionLease } from '../sessions/index.js'
import type { RunRow, Storage } from '../storage/index.js'
import type { RunSessions } from './run-browser.js'
import { isFinalStatus } from './run-status.js'

export interface ParkedSessionsOptions {
  readonly storage: Storage
  readonly sessions: RunSessions | undefined
  readonly logger: Logger
}

interface Parked {
  readonly run: Pick<RunRow, 'workflowRunId' | 'organizationId' | 'leaseFence'>
  readonly lease: SessionLease
  readonly isPrivate: boolean
  readonly forget: () => void
}

/**
 * The sessions that runs keep on this host without driving them: those of paused runs, and those that could not be given back. Until the run
 * goes on here, or has ended, or went on elsewhere: then they are given back.
 */
export class ParkedSessions {
  readonly #options: ParkedSessionsOptions
  readonly #parked = new Map<string, Parked>()

  constructor(options: ParkedSessionsOptions) {
    this.#options = options
  }

  /** Keeps the lease for the run's next execution. One that is lost meanwhile is forgotten. */
  park(run: Parked['run'], lease: SessionLease, isPrivate: boolean): void {
    if (!lease.isHeld) return
    const { workflowRunId } = run
    const onLost = () => {
      if (this.#parked.get(workflowRunId)?.lease === lease) this.#parked.delete(workflowRunId)
    }
    lease.signal.addEventListener('abort', onLost, { once: true })
    this.#parked.set(workflowRunId, { run, lease, isPrivate, forget: () => lease.signal.removeEventListener('abort', onLost) })
  }

  /** The lease of a run that goes on here; null: there is none. */
  take(workflowRunId: string): SessionLease | null {
    const parked = this.#parked.get(workflowRunId)
    if (parked === undefined) return null
    this.#parked.delete(workflowRunId)
    parked.forget()
    return parked.lease.isHeld ? parked.lease : null
  }

  /** Gives back what is kept for runs that have ended, or went on elsewhere; what cannot be now, the next time. */
  async sweep(): Promise<void> {
    const ids = [...this.#parked.keys()].slice(0, 10_000)
    if (ids.length === 0) return
    const rows = await this.#options.storage.find({ table: 'runs', where: { workflowRunId: { in: ids } }, limit: 10_000 })
    const byId = new Map(rows.map((row) => [row.workflowRunId, row]))
    for (const id of ids) {
      const row = byId.get(id)
      const parked = this.#parked.get(id)
      if (parked === undefined) continue
      const isOver = row === undefined || isFinalStatus(row.status) || row.leaseFence > parked.run.leaseFence
      if (isOver) await this.#giveBack(parked)
    }
  }

  async #giveBack(parked: Parked): Promise<void> {
    const { run, lease, isPrivate } = parked
    if (this.take(run.workflowRunId) === null) return
    try {
      if (!isPrivate) await lease.release()
      else {
        const { organizationId } = run
        await this.#options.sessions?.close({ organizationId, browserSessionId: lease.browserSessionId, reason: 'released', lease })
      }
    } catch (error) {
      const { workflowRunId } = run
      this.#options.logger.warn('the session of a run that has ended, or went on elsewhere, could not be given back', {
        workflowRunId,
        error,
      })
      this.park(run, lease, isPrivate)
    }
  }
}
