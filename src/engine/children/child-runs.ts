import { isDeepStrictEqual } from 'node:util'
import type { TriggeredRun } from '../../blocks/index.js'
import { BlockFailed, type Json, RunLeaseLostError, StorageError } from '../../errors/index.js'
import type { Logger } from '../../runtime/index.js'
import type { RunRow, Storage, WorkflowRow, Write } from '../../storage/index.js'
import type { RunDispatcher } from '../dispatcher.js'
import type { CancelRequest } from '../run-canceller.js'
import type { RunEnds } from '../run-ends.js'
import type { RunReader } from '../run-reader.js'
import { isFinalStatus } from '../run-status.js'
import type { RunSubmissions } from '../run-submission.js'
import { RunSuspendedError } from '../run-suspended.js'
import type { Workflows } from '../workflows.js'
import { type Ancestors, loadAncestors, MAX_TRIGGER_DEPTH, sharedLane } from './ancestors.js'
import type { ChildRunStarter, TriggerParams } from './child-run-port.js'
import { firstAttemptOf } from './first-attempt.js'
import { LentSessions } from './lent-sessions.js'
import { orphans, unfinishedAwaited, unfinishedBelow } from './orphans.js'

export interface ChildRunsOptions {
  readonly storage: Storage
  readonly submit: RunSubmissions['submitWith']
  readonly dispatcher: RunDispatcher
  readonly waitFor: RunReader['waitFor']
  readonly cancel: (request: CancelRequest) => Promise<RunRow>
  readonly workflows: Workflows
  readonly logger: Logger
}

/** Starts runs below others, and waits for them. */
export class ChildRuns implements ChildRunStarter, RunEnds {
  readonly lent = new LentSessions()
  readonly #options: ChildRunsOptions
  /** Runs that have started others in this process, and have not ended here. */
  readonly #parents = new Set<string>()
  readonly #working = new Set<Promise<void>>()

  constructor(options: ChildRunsOptions) {
    this.#options = options
  }

  /** See `BlockContext.triggerRun`. */
  async trigger(params: TriggerParams): Promise<TriggeredRun> {
    const { request, parent, signal } = params
    signal.throwIfAborted()
    const ancestors = await loadAncestors(this.#options.storage, parent)
    if (ancestors.length > MAX_TRIGGER_DEPTH) {
      throw new BlockFailed(`a run may be started at most ${MAX_TRIGGER_DEPTH} runs below the first`, {
        code: 'TRIGGER_DEPTH_EXCEEDED',
        details: { maxDepth: MAX_TRIGGER_DEPTH, rootWorkflowRunId: parent.rootWorkflowRunId },
      })
    }
    const loans: (() => void)[] = []
    try {
      const child = await this.#start(params, loans)
      if (!request.waitForCompletion) return outcomeOf(child)
      return await this.#untilEnd(child, params, ancestors)
    } finally {
      for (const takeBack of loans) takeBack()
    }
  }

  /**
   * A run has ended: those that it was waiting for end with it, and all that it has started if it was canceled. What a crash leaves is found
   * by `cancelOrphans`.
   */
  ended(run: RunRow): void {
    // most runs start none, and are not asked for any: whoever goes on with another's run counts another attempt
    const mayHaveChildren = this.#parents.delete(run.workflowRunId) || run.attempt > 1 || run.status === 'canceled'
    if (!mayHaveChildren) return
    const work = this.#endBelow(run).finally(() => this.#working.delete(work))
    this.#working.add(work)
  }

  /** Waits for what follows from runs that ended; for a stop. */
  async settled(): Promise<void> {
    await Promise.all(this.#working)
  }

  async #endBelow({ workflowRunId, status }: RunRow): Promise<void> {
    const { storage, logger } = this.#options
    try {
      const left = status === 'canceled' ? unfinishedBelow(storage, workflowRunId) : unfinishedAwaited(storage, workflowRunId)
      for await (const child of left) await this.#cancel(child, `run ${workflowRunId}`)
    } catch (error) {
      logger.warn('the runs below an ended one could not be looked for', { workflowRunId, error })
    }
  }

  /** Cancels what a parent should have taken along when it ended; for the sweep. Gives how many there were. */
  async cancelOrphans(): Promise<number> {
    const left = await orphans(this.#options.storage)
    for (const run of left) await this.#cancel(run, `run ${run.parentWorkflowRunId}`)
    return left.length
  }

  async #start({ request, parent, entry, lent }: TriggerParams, loans: (() => void)[]): Promise<RunRow> {
    const { submit, dispatcher, storage, workflows } = this.#options
    const first = await firstAttemptOf(storage, entry)
    this.#parents.add(parent.workflowRunId)
    // the version that is looked at here is the one that is run
    const { row: workflow } = await workflows.load({ ...request, organizationId: parent.organizationId })
    const lend = (workflowRunId: string, workflowId: string) => {
      const coversPolicy = workflowId === workflow.workflowId && isCovered(workflow.scopePolicy, lent?.workflowPolicy ?? null)
      if (lent !== undefined) loans.push(this.lent.lend(workflowRunId, lent.lease, coversPolicy))
    }
    const { organizationId, priority, dryRun, scopePolicy, workflowRunId, rootWorkflowRunId } = parent
    const submitted = await submit(
      {
        ...{ organizationId, priority, dryRun },
        workflowPermanentId: request.workflowPermanentId,
        version: workflow.version,
        parameters: { ...request.parameters },
        browserSessionId: lent?.lease.browserSessionId ?? request.browserSessionId,
        // what the run may not do, it cannot have done by another
        ...(scopePolicy === null ? {} : { scopePolicy }),
        idempotencyKey: `run_block:${first.runBlockId}`,
        parent: { workflowRunId, rootWorkflowRunId, awaitedByRunBlockId: request.waitForCompletion ? first.runBlockId : null },
      },
      (childRunId) => {
        lend(childRunId, workflow.workflowId) // it may be claimed as soon as it is stored
        return [stillRuns(parent)]
      },
    )
    if (submitted === null) throw new RunLeaseLostError(workflowRunId, 'it has ended, or was canceled, before the run below it began')
    const { run, isNew, hasBegun } = submitted
    if (run.parentWorkflowRunId !== workflowRunId) {
      throw new BlockFailed(`run ${run.workflowRunId} has the idempotency key that this block needs`, { code: 'CHILD_RUN_CONFLICT' })
    }
    if (!isNew) lend(run.workflowRunId, run.workflowId)
    if (!hasBegun && !isFinalStatus(run.status)) await dispatcher.dispatch(run.workflowRunId, { priority })
    return run
  }

  async #untilEnd(child: RunRow, params: TriggerParams, ancestors: Ancestors): Promise<TriggeredRun> {
    const { dispatcher, waitFor } = this.#options
    const { signal, parent } = params
    const { organizationId, workflowRunId } = child
    const lane = sharedLane(child, ancestors)
    if (lane !== null && !isFinalStatus(child.status)) {
      await this.#cancel(child, `run ${parent.workflowRunId}`)
      throw new BlockFailed(`run ${workflowRunId} would wait for run ${lane}, which waits for it: both are in one lane`, {
        code: 'CHILD_RUN_DEADLOCK',
        details: { workflowRunId, laneOf: lane },
      })
    }
    const wait = () => waitFor({ organizationId, workflowRunId, signal })
    try {
      const { status, outputs, failureReason } = await (dispatcher.whileWaiting?.(wait) ?? wait())
      return { workflowRunId, status, outputs: outputs as Record<string, Json>, failureReason }
    } catch (error) {
      if (signal.aborted && endsChild(signal.reason)) await this.#cancel(child, `run ${parent.workflowRunId}`)
      throw error
    }
  }

  /** Whoever ends the parent, and then the sweep, see to it once more. */
  async #cancel({ organizationId, workflowRunId }: RunRow, by: string): Promise<void> {
    try {
      await this.#options.cancel({ organizationId, workflowRunId, by })
    } catch (error) {
      this.#options.logger.warn('a run below another could not be canceled', { workflowRunId, error })
    }
  }
}

/** A run is started only by one that still runs, under the lease that its execution holds. */
const stillRuns = ({ workflowRunId: id, leaseFence }: RunRow): Write => ({
  op: 'update',
  table: 'runs',
  id,
  where: { status: 'running', leaseFence, cancelRequestedAt: null },
  set: {},
})

/** Whether a browser that is held to the policies of a run is so to those of one below it: all but its workflow's are the same. Pure. */
const isCovered = (policy: WorkflowRow['scopePolicy'], parents: WorkflowRow['scopePolicy']) =>
  policy === null || isDeepStrictEqual(policy, parents)

/** Whether the parent has come to its end with its block. If not, another host may go on with it, and finds the child. */
const endsChild = (reason: unknown) =>
  !(reason instanceof RunLeaseLostError || reason instanceof StorageError || reason instanceof RunSuspendedError)

const outcomeOf = ({ workflowRunId, status, outputs, failureReason }: RunRow): TriggeredRun => ({
  workflowRunId,
  status,
  outputs,
  failureReason,
})
