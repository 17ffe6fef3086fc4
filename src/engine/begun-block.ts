import type { BlockDefinition } from '../definition/index.js'
import type { EventPayload } from '../events/index.js'
import type { RunBlockRow, RunRow } from '../storage/index.js'

/** Where in the run a block attempt stands. */
export interface BlockPlace {
  readonly parentRunBlockId: string | null
  readonly currentIndex: number | null
  readonly currentValue: RunBlockRow['currentValue']
}

/** What identifies an attempt, beside its block. */
export interface AttemptParams {
  readonly runBlockId: string
  readonly run: Pick<RunRow, 'workflowRunId' | 'organizationId'>
  readonly block: BlockDefinition
  readonly place: BlockPlace
  readonly attempt: number
  readonly sequence: number
  readonly intent: RunBlockRow['intent']
}

/** The row of an attempt that begins, but for when. Pure. */
export function begunBlock({ runBlockId, run, block, place, attempt, sequence, intent }: AttemptParams): Omit<RunBlockRow, 'startedAt'> {
  return {
    runBlockId,
    organizationId: run.organizationId,
    workflowRunId: run.workflowRunId,
    parentRunBlockId: place.parentRunBlockId,
    label: block.label,
    type: block.type,
    status: 'running',
    attempt,
    sequence,
    currentIndex: place.currentIndex,
    currentValue: place.currentValue,
    output: null,
    failureReason: null,
    errorCode: null,
    branch: null,
    taskId: null,
    intent,
    finishedAt: null,
    durationMs: null,
  }
}

/** What events say of an attempt. Pure. */
export function identityOf(entry: Omit<RunBlockRow, 'startedAt'>): EventPayload<'block.started'> {
  const { workflowRunId, runBlockId, parentRunBlockId, label, type, attempt, currentIndex } = entry
  return { workflowRunId, runBlockId, parentRunBlockId, label, type, attempt, currentIndex }
}
