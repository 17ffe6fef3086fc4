import { RunNotFoundError } from '../errors/index.js'
import type { Logger } from '../runtime/index.js'
import { type RunRow, type Storage, storageNow } from '../storage/index.js'
import { signalHost } from './dispatch/host-signals.js'
import type { RunDispatcher } from './dispatcher.js'
import type { EndUnexecuted } from './end-unexecuted.js'
import type { RunLeases } from './run-leases.js'
import { outcomes } from './run-outcome.js'
import { isFinalStatus } from './run-status.js'

export interface RunCancellerOptions {
  readonly storage: Storage
  readonly leases: RunLeases
  readonly endUnexecuted: EndUnexecuted
  readonly dispatcher: Pick<RunDispatcher, 'dispatch'>
  readonly logger: Logger
}

export interface CancelRequest {
  readonly organizationId: string
  readonly workflowRunId: string
  readonly by: string
}

/** Most children of one run that are canceled with it, a page at a time. */
const CHILDREN_PAGE = 1_000

/** Cancels runs, wherever they are, and what they have started. */
export class RunCanceller {
  readonly #options: RunCancellerOptions

  constructor(options: RunCancellerOptions) {
    this.#options = options
  }

  /**
   * A run that nobody executes is canceled in this write; for one that is executed the request is recorded, after which no other outcome
   * can be committed. So it is for a paused run that keeps a session: the host of that ends it. A final run is given back as it is.
   */
  async cancel(params: CancelRequest): Promise<RunRow> {
    const { storage, leases } = this.#options
    for (;;) {
      const run = await storage.get('runs', params.workflowRunId)
      if (run === undefined || run.organizationId !== params.organizationId) throw new RunNotFoundError(params.workflowRunId)
      if (isFinalStatus(run.status)) return run
      const written = await this.#write(run, params.by)
      if (written === null) continue // it changed meanwhile: look again
      const by = written.cancelRequestedBy ?? params.by
      leases.get(run.workflowRunId)?.cancel(by)
      if (!isFinalStatus(written.status) && written.leaseHolder === null) await this.#dispatch(written)
      await this.#cancelChildren(written, by)
      return written
    }
  }

  #write(run: RunRow, by: string): Promise<RunRow | null> {
    const isExecuted = run.status === 'running' || (run.status === 'paused' && run.browserSessionId !== null)
    return isExecuted ? this.#request(run, by) : this.#options.endUnexecuted(run, outcomes.canceled(by), by)
  }

  async #request(run: RunRow, by: string): Promise<RunRow | null> {
    if (run.cancelRequestedAt !== null) return run
    const { storage } = this.#options
    const holder = run.leaseHolder
    const result = await storage.commit([
      {
        op: 'update',
        table: 'runs',
        id: run.workflowRunId,
        where: { status: run.status, leaseFence: run.leaseFence, cancelRequestedAt: null },
        set: { cancelRequestedAt: storageNow(), cancelRequestedBy: by, modifiedAt: storageNow() },
      },
      ...(holder === null ? [] : [signalHost(holder)]),
    ])
    return result.ok ? (result.rows[0]?.[0] as RunRow) : null
  }

  /** Nobody executes it at the moment: whoever claims it ends it. */
  async #dispatch({ workflowRunId, priority }: RunRow): Promise<void> {
    try {
      await this.#options.dispatcher.dispatch(workflowRunId, { priority })
    } catch (error) {
      this.#options.logger.warn('a canceled run could not be dispatched; a sweep finds it', { workflowRunId, error })
    }
  }

  /** The request stands already: what fails here is made good by the blocks that wait for their children. */
  async #cancelChildren({ workflowRunId, organizationId }: RunRow, by: string): Promise<void> {
    const { storage, logger } = this.#options
    try {
      const children = await storage.find({
        table: 'runs',
        where: { parentWorkflowRunId: workflowRunId, status: { in: ['created', 'queued', 'running', 'paused'] } },
        limit: CHILDREN_PAGE,
      })
      await Promise.all(children.map((child) => this.cancel({ organizationId, workflowRunId: child.workflowRunId, by })))
    } catch (error) {
      logger.warn('the runs below a canceled one could not be canceled', { workflowRunId, error })
    }
  }
}
