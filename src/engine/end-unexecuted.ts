import type { BlockDefinition } from '../definition/index.js'
import { type AnyEvent, type EventPayload, type RunResult, runStream } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import { type RunBlockRow, type RunRow, type Storage, storageNow, type TaskRow, type Where, type Write } from '../storage/index.js'
import { summarizeBlocks } from './block-summary.js'
import type { EventFactory } from './event-factory.js'
import type { RunEnds } from './run-ends.js'
import { finalRow, withoutMissingLanes } from './run-finalizer.js'
import { loadBlockRows, RunHistory } from './run-history.js'
import type { RunOutcome } from './run-outcome.js'
import { buildRunResult, secretKeysOf } from './run-result.js'
import { terminalWrites } from './terminal-writes.js'
import type { Workflows } from './workflows.js'

export interface EndUnexecutedOptions {
  readonly storage: Storage
  readonly workflows: Workflows
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly ids: Ids
  readonly ends: RunEnds
}

/**
 * Ends a run that nobody executes: created, queued, or paused. One commit, under the condition that the row is still as `run` says; null when
 * it changed meanwhile, and nothing was written. `canceledBy` makes the cancel's request part of it.
 */
export type EndUnexecuted = (run: RunRow, outcome: RunOutcome, canceledBy?: string) => Promise<RunRow | null>

/** The finalizer of runs without an execution. */
export function createEndUnexecuted(options: EndUnexecutedOptions): EndUnexecuted {
  return async (run, outcome, canceledBy) => {
    const { storage, workflows, events, emit, ids, ends } = options
    const { definition, blocks } = await workflows.loadPinned(run.workflowId)
    const finishedAt = await storage.now()
    const left = await leftOver(storage, run, blocks)
    const result = await resultOf(storage, { run, outcome, finishedAt, left, secretKeys: secretKeysOf(definition) })
    const closings = left.history.open.map((block) => events.create(run.organizationId, `block.${statusOf(outcome)}`, endOf(block, result)))
    const final = events.create(run.organizationId, `run.${outcome.status}`, result)
    const batch: Write[] = [
      { op: 'update', table: 'runs', id: run.workflowRunId, where: conditionOf(run, outcome), set: endingRow(run, result, canceledBy) },
      ...left.history.open.map((block) => closeBlock(block, result)),
      ...left.tasks.map((task) => closeTask(task, result)),
      { op: 'append', stream: runStream(run.workflowRunId), events: [...closings, final] },
      ...terminalWrites(run, result, ids),
    ]
    const committed = await withoutMissingLanes(batch, (writes) => storage.commit(writes))
    if (!committed.ok) return null
    for (const event of committed.events.flat()) emit(event as AnyEvent)
    const row = committed.rows[0]?.[0] as RunRow
    ends.ended(row)
    return row
  }
}

interface LeftOver {
  readonly history: RunHistory
  readonly tasks: readonly TaskRow[]
}

/** What its executions have left open; a run that was never claimed has nothing. */
async function leftOver(storage: Storage, run: RunRow, blocks: ReadonlyMap<string, BlockDefinition>): Promise<LeftOver> {
  const { workflowRunId } = run
  const history = new RunHistory({ rows: run.leaseFence === 0 ? [] : await loadBlockRows(storage, workflowRunId), blocks })
  if (history.rows.length === 0) return { history, tasks: [] }
  return { history, tasks: await storage.find({ table: 'tasks', where: { workflowRunId, status: 'running' }, limit: 10_000 }) }
}

interface EndParams {
  readonly run: RunRow
  readonly outcome: RunOutcome
  readonly finishedAt: Date
  readonly left: LeftOver
  readonly secretKeys: readonly string[]
}

async function resultOf(storage: Storage, { run, outcome, finishedAt, left, secretKeys }: EndParams): Promise<RunResult> {
  const { history } = left
  const where = { workflowRunId: run.workflowRunId }
  const hasBegun = run.leaseFence > 0
  return buildRunResult({
    run: { ...run, stepCount: hasBegun ? await storage.count('steps', where) : 0 },
    outcome,
    summary: summarizeBlocks([...history.ended(), ...[...history.open].reverse().map((row) => closedRow(row, outcome))]),
    outputs: Object.fromEntries([
      ...Object.entries(run.blockOutputs ?? {}).map(([label, output]) => [`${label}_output`, output]),
      ...history.ended().flatMap(({ label, status, output }) => [[`${label}_output`, status === 'completed' ? output : null]]),
    ]),
    secretKeys,
    finishedAt,
    actionCount: hasBegun ? await storage.count('actions', where) : 0,
    browserSessionId: run.browserSessionId,
    usage: run.usage,
  })
}

/** The row of an attempt that ends with its run. Pure. */
const closedRow = (row: RunBlockRow, outcome: RunOutcome): RunBlockRow => ({
  ...row,
  status: statusOf(outcome),
  failureReason: outcome.reason ?? 'the run ended',
  errorCode: outcome.errorCode,
})

/** No outcome but canceled can be committed once a cancel was asked for. */
function conditionOf(run: RunRow, outcome: RunOutcome): Where<RunRow> {
  const where = { status: run.status, leaseFence: run.leaseFence, leaseHolder: null }
  return outcome.kind === 'canceled' ? where : { ...where, cancelRequestedAt: null }
}

function endingRow(run: RunRow, result: RunResult, canceledBy: string | undefined) {
  const request = canceledBy === undefined ? {} : { cancelRequestedAt: storageNow(), cancelRequestedBy: canceledBy }
  const pausedMs = run.pausedAt === null ? 0 : Math.max(0, new Date(result.finishedAt).getTime() - run.pausedAt.getTime())
  return { ...finalRow(run, result), ...request, pausedMs: run.pausedMs + pausedMs }
}

/** An open block is never completed by the end of its run. */
const statusOf = ({ status }: Pick<RunOutcome, 'status'>) => (status === 'completed' ? 'failed' : status)

function closeBlock(block: RunBlockRow, result: RunResult): Write {
  const { durationMs, failureReason, errorCode } = endOf(block, result)
  const set = { status: statusOf(result), failureReason, errorCode, finishedAt: new Date(result.finishedAt), durationMs }
  return { op: 'update', table: 'run_blocks', id: block.runBlockId, where: { status: 'running' }, set }
}

/** A task ends as its block does. */
function closeTask({ taskId }: TaskRow, result: RunResult): Write {
  const set = { status: statusOf(result), errorCode: result.errorCode, modifiedAt: new Date(result.finishedAt) }
  return { op: 'update', table: 'tasks', id: taskId, where: { status: 'running' }, set }
}

function endOf(block: RunBlockRow, result: RunResult): EventPayload<'block.failed'> {
  const { workflowRunId, runBlockId, parentRunBlockId, label, type, attempt, currentIndex } = block
  return {
    ...{ workflowRunId, runBlockId, parentRunBlockId, label, type, attempt, currentIndex },
    durationMs: Math.max(0, new Date(result.finishedAt).getTime() - block.startedAt.getTime()),
    failureReason: result.failureReason ?? 'the run ended',
    errorCode: result.errorCode,
  }
}
