import type { Json } from '../errors/index.js'

/** Where a conditional went; kept on the block's row. */
export interface BranchDecision {
  /** The matched branch's target; null when that is the conditional's own next. */
  readonly branchTaken: string | null
  readonly branchIndex: number
  readonly branchId: string
}

/** How a block attempt ended. */
export type BlockResult = BlockCompleted | BlockNotCompleted

/** The result of a block attempt that did what it should. */
export interface BlockCompleted {
  readonly status: 'completed'
  /** The block's output: JSON. */
  readonly output: Json
  /** Set by blocks that choose where the walk goes on. */
  readonly branch?: BranchDecision
}

/** The result of a block attempt that did not complete, and why. */
export interface BlockNotCompleted {
  readonly status: 'failed' | 'terminated' | 'canceled' | 'timed_out'
  readonly failureReason: string
  readonly errorCode: string | null
  /** What was produced nevertheless; null: nothing. */
  readonly output: Json
  readonly cause?: unknown
}

/** A block that did what it should. */
export const completed = (output: Json, branch?: BranchDecision): BlockCompleted =>
  branch === undefined ? { status: 'completed', output } : { status: 'completed', output, branch }

/** A block that went wrong. */
export const failed = (
  failureReason: string,
  errorCode: string | null,
  rest: { output?: Json; cause?: unknown } = {},
): BlockNotCompleted => ({
  status: 'failed',
  failureReason,
  errorCode,
  output: rest.output ?? null,
  cause: rest.cause,
})

/** A block that ended early on purpose. */
export const terminated = (failureReason: string, errorCode: string | null, output: Json = null): BlockNotCompleted => ({
  status: 'terminated',
  failureReason,
  errorCode,
  output,
})

/** A block that took longer than it may. */
export const timedOut = (failureReason: string, errorCode: string | null, output: Json = null): BlockNotCompleted => ({
  status: 'timed_out',
  failureReason,
  errorCode,
  output,
})
