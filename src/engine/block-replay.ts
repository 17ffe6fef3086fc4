import { type BlockResult, failed } from '../blocks/index.js'
import { type BlockDefinition, isLoopBlock } from '../definition/index.js'
import type { RunBlockRow } from '../storage/index.js'
import { allBlocks } from './compiled-workflow.js'
import { pauseOf } from './people/run-pause.js'
import { type BlockVisit, countedAttempts, HOST_LOST, isSettled } from './run-history.js'
import { unknownOutcome } from './run-plan.js'
import type { RunState } from './run-state.js'

/** What earlier executions have done of a block. */
export interface PastBlock {
  /** How it ended, for good; null: it is still to be run. */
  readonly result: BlockResult | null
  /** The attempt that is gone on with; null: the next one is to begin. */
  readonly entry: RunBlockRow | null
  /** Of the last attempt; 0: there was none. */
  readonly attempt: number
  /** Attempts that have ended and count against the retries. */
  readonly counted: number
}

/**
 * Comes by a block again: what has ended is not done again, only known again; what was under way is gone on with where that has rows of
 * its own (a loop) or waits for a decision, else it is closed as interrupted, and made again.
 */
export function pastOf(state: RunState, block: BlockDefinition, visit: BlockVisit): PastBlock {
  const last = visit.at(-1)
  if (last === undefined) return { result: null, entry: null, attempt: 0, counted: 0 }
  const { attempt } = last
  const counted = countedAttempts(visit.filter(({ status }) => status !== 'running'))
  const again: PastBlock = { result: null, entry: null, attempt, counted }
  if (isSettled(visit, block.maxRetries)) return { ...again, result: known(state, block, visit, last) }
  if (last.status !== 'running') return again
  if (isLoopBlock(block) || pauseOf(state.run)?.runBlockId === last.runBlockId) return { ...again, entry: last }
  if (last.intent !== null) return { ...again, result: endUnknown(state, last) }
  state.blocks.retry(last, failed('its host was lost, or stopped', HOST_LOST), 0)
  return again
}

function known(state: RunState, block: BlockDefinition, visit: BlockVisit, last: RunBlockRow): BlockResult {
  for (const row of visit) recall(state, block, row)
  return resultOf(last)
}

/** Outputs as the end of an attempt left them; a loop's children keep those of its last iteration. */
function recall(state: RunState, block: BlockDefinition, row: RunBlockRow): void {
  const { scope, history } = state
  if (isLoopBlock(block)) {
    const children = history.lastIteration(row)
    if (children.length > 0) for (const { label } of allBlocks(block.loopBlocks)) scope.unsetOutput(label)
    for (const child of children) {
      const definition = block.loopBlocks.find(({ label }) => label === child.label)
      if (definition !== undefined) recall(state, definition, child)
    }
  }
  if (row.status !== 'running') scope.setOutput(block.label, row.status === 'completed' ? row.output : null)
}

/** Outputs of everything that earlier executions have run, for a run whose walk is over. */
export function recallAll(state: RunState): void {
  for (const row of state.history.rows) {
    const block = row.parentRunBlockId === null ? state.workflow.blocks.get(row.label) : undefined
    if (block !== undefined) recall(state, block, row)
  }
}

/** The result that a row tells of. Pure. */
function resultOf({ status, output, branch, failureReason, errorCode }: RunBlockRow): BlockResult {
  if (status === 'completed') {
    return branch === null ? { status, output } : { status, output, branch: branch as never }
  }
  if (status === 'running') throw new TypeError('A block attempt that is under way has no result')
  return { status, output, failureReason: failureReason ?? status, errorCode }
}

/** An attempt that must not be made again, as what was in flight may have taken effect. */
function endUnknown({ blocks, scope }: RunState, row: RunBlockRow): BlockResult {
  const result = failed(unknownOutcome(row), 'OUTCOME_UNKNOWN')
  blocks.end(row, result)
  scope.setOutput(row.label, null)
  return result
}
