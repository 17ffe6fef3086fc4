import type { Json } from '../errors/index.js'
import type { ActionRow, RunBlockRow, StepRow, TaskRow } from '../storage/index.js'

type WithoutOwner<R> = Readonly<Omit<R, 'organizationId' | 'workflowRunId'>>

/** One action of a block attempt. */
export type TimelineAction = WithoutOwner<ActionRow>
/** One attempt at one step of a task. */
export type TimelineStep = WithoutOwner<StepRow>
/** The task of a goal block, with its steps in order. */
export type TimelineTask = WithoutOwner<TaskRow> & { readonly steps: readonly TimelineStep[] }

/** One attempt at a block. */
export interface TimelineAttempt
  extends Readonly<
    Pick<
      RunBlockRow,
      'runBlockId' | 'attempt' | 'status' | 'output' | 'failureReason' | 'errorCode' | 'branch' | 'startedAt' | 'finishedAt' | 'durationMs'
    >
  > {
  /** Newest first. */
  readonly actions: readonly TimelineAction[]
  /** What an agent thought, newest first. Empty so far: thoughts are not kept yet. */
  readonly thoughts: readonly Json[]
  /** Null for blocks that are no goal blocks, and for attempts that ended before their steps began. */
  readonly task: TimelineTask | null
  /** Blocks below it, in the order in which they began: a loop's children, iteration after iteration; the blocks of a conditional's branch. */
  readonly blocks: readonly TimelineBlock[]
}

/** One execution of a block, with all its attempts. */
export interface TimelineBlock {
  readonly label: string
  readonly type: string
  /** Iteration of the loop around it, from 0; null outside loops. */
  readonly currentIndex: number | null
  /** Value of that iteration; null outside loops, and in loops without values. */
  readonly currentValue: Json
  /** In order; the last one counts. */
  readonly attempts: readonly TimelineAttempt[]
}

/** What belongs to one attempt, in any order. */
export interface AttemptParts {
  readonly actions: readonly ActionRow[]
  readonly task: TaskRow | null
  readonly steps: readonly StepRow[]
}

/** While it is built. */
interface OpenAttempt extends TimelineAttempt {
  readonly blocks: TimelineBlock[]
}
interface OpenBlock extends TimelineBlock {
  readonly attempts: OpenAttempt[]
}

/**
 * Nests the attempts of a run: children below their loop's attempt, a branch's blocks below the last attempt of their conditional.
 * @param rows - in the order in which they began
 * @param scopeOf - by label, the conditional whose branch a block stands in. Pure.
 */
export function buildTimeline(
  rows: readonly RunBlockRow[],
  partsOf: (row: RunBlockRow) => AttemptParts,
  scopeOf: ReadonlyMap<string, string>,
): readonly TimelineBlock[] {
  const top: TimelineBlock[] = []
  const attempts = new Map<string, OpenAttempt>()
  /** The last execution of each block, by level, iteration and label. */
  const latest = new Map<string, OpenBlock>()
  const place = (row: RunBlockRow, label: string) => JSON.stringify([row.parentRunBlockId, row.currentIndex, label])
  for (const row of rows) {
    const attempt: OpenAttempt = { ...attemptOf(row, partsOf(row)), blocks: [] }
    attempts.set(row.runBlockId, attempt)
    const before = latest.get(place(row, row.label))
    if (row.attempt > 1 && before !== undefined) {
      before.attempts.push(attempt)
      continue
    }
    const { label, type, currentIndex, currentValue } = row
    const block: OpenBlock = { label, type, currentIndex, currentValue, attempts: [attempt] }
    latest.set(place(row, label), block)
    const conditional = scopeOf.get(label)
    const around = conditional === undefined ? undefined : latest.get(place(row, conditional))?.attempts.at(-1)
    const loop = row.parentRunBlockId === null ? undefined : attempts.get(row.parentRunBlockId)
    const level = (around ?? loop)?.blocks ?? top
    level.push(block)
  }
  return top
}

function attemptOf(row: RunBlockRow, { actions, task, steps }: AttemptParts): Omit<TimelineAttempt, 'blocks'> {
  const { runBlockId, attempt, status, output, failureReason, errorCode, branch, startedAt, finishedAt, durationMs } = row
  return {
    ...{ runBlockId, attempt, status, output, failureReason, errorCode, branch, startedAt, finishedAt, durationMs },
    actions: [...actions].sort(newestFirst).map(withoutOwner),
    thoughts: [],
    task: task === null ? null : { ...withoutOwner(task), steps: [...steps].sort(inOrder).map(withoutOwner) },
  }
}

const newestFirst = (a: ActionRow, b: ActionRow) =>
  b.createdAt.getTime() - a.createdAt.getTime() || b.stepIndex - a.stepIndex || (a.actionId < b.actionId ? 1 : -1)

const inOrder = (a: StepRow, b: StepRow) => a.order - b.order || a.retryIndex - b.retryIndex || (a.stepId < b.stepId ? -1 : 1)

function withoutOwner<R extends { readonly organizationId: string; readonly workflowRunId: string }>(row: R): WithoutOwner<R> {
  const { organizationId, workflowRunId, ...own } = row
  return own
}
