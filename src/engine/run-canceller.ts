import { RunNotFoundError } from '../errors/index.js'
import { type AnyEvent, runStream } from '../events/index.js'
import { type RunRow, type Storage, storageNow } from '../storage/index.js'
import { summarizeBlocks } from './block-summary.js'
import type { EventFactory } from './event-factory.js'
import { finalRow } from './run-finalizer.js'
import type { RunLeases } from './run-leases.js'
import { outcomes } from './run-outcome.js'
import { buildRunResult, secretKeysOf } from './run-result.js'
import { isFinalStatus } from './run-status.js'
import type { Workflows } from './workflows.js'

export interface RunCancellerOptions {
  readonly storage: Storage
  readonly workflows: Workflows
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly leases: RunLeases
}

/** Cancels runs, wherever they are. */
export class RunCanceller {
  readonly #options: RunCancellerOptions

  constructor(options: RunCancellerOptions) {
    this.#options = options
  }

  /**
   * A run that nobody executes is canceled in this write; for one that is executed the request is recorded, after which no other outcome
   * can be committed. A final run is given back as it is.
   */
  async cancel(params: { readonly organizationId: string; readonly workflowRunId: string; readonly by: string }): Promise<RunRow> {
    const { storage, leases } = this.#options
    for (;;) {
      const run = await storage.get('runs', params.workflowRunId)
      if (run === undefined || run.organizationId !== params.organizationId) throw new RunNotFoundError(params.workflowRunId)
      if (isFinalStatus(run.status)) return run
      const written = run.status === 'running' ? await this.#request(run, params.by) : await this.#end(run, params.by)
      if (written === null) continue // it changed meanwhile: look again
      leases.get(run.workflowRunId)?.cancel(written.cancelRequestedBy ?? params.by)
      return written
    }
  }

  async #request(run: RunRow, by: string): Promise<RunRow | null> {
    if (run.cancelRequestedAt !== null) return run
    const result = await this.#options.storage.commit([
      {
        op: 'update',
        table: 'runs',
        id: run.workflowRunId,
        where: { status: 'running', cancelRequestedAt: null },
        set: { cancelRequestedAt: storageNow(), cancelRequestedBy: by, modifiedAt: storageNow() },
      },
    ])
    return result.ok ? (result.rows[0]?.[0] as RunRow) : null
  }

  /** Ends a run that nobody executes. */
  async #end(run: RunRow, by: string): Promise<RunRow | null> {
    const { storage, workflows, events, emit } = this.#options
    const { definition } = await workflows.loadPinned(run.workflowId)
    const finishedAt = await storage.now()
    const blocks = await storage.find({
      table: 'run_blocks',
      where: { workflowRunId: run.workflowRunId },
      orderBy: [{ column: 'sequence' }],
      limit: 10_000,
    })
    const result = buildRunResult({
      run,
      outcome: outcomes.canceled(by),
      summary: summarizeBlocks(blocks),
      outputs: run.outputs ?? {},
      secretKeys: secretKeysOf(definition),
      finishedAt,
      actionCount: run.actionCount,
      browserSessionId: run.browserSessionId,
    })
    const committed = await storage.commit([
      {
        op: 'update',
        table: 'runs',
        id: run.workflowRunId,
        where: { status: run.status, leaseFence: run.leaseFence },
        set: { ...finalRow(run, result), cancelRequestedAt: storageNow(), cancelRequestedBy: by },
      },
      { op: 'append', stream: runStream(run.workflowRunId), events: [events.create(run.organizationId, 'run.canceled', result)] },
    ])
    if (!committed.ok) return null
    for (const event of committed.events.flat()) emit(event as AnyEvent)
    return committed.rows[0]?.[0] as RunRow
  }
}
