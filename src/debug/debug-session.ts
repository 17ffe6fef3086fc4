import type { BlockRunRow, DebugSessionRow, RunRow } from '../storage/index.js'

/** A workflow that somebody edits on a live browser. At most one is live for each organisation, user and workflow. */
export type DebugSession = Readonly<DebugSessionRow>

/** Whose debug session, for which workflow. */
export interface DebugPlace {
  readonly organizationId: string
  readonly userId: string
  readonly workflowPermanentId: string
}

/** A block that was run by itself, and where its run is. */
export type BlockRun = Readonly<Pick<BlockRunRow, 'blockRunId' | 'debugSessionId' | 'blockLabel' | 'outputParameter' | 'workflowRunId'>> &
  Readonly<Pick<RunRow, 'status' | 'failureReason' | 'errorCode' | 'createdAt' | 'startedAt' | 'finishedAt'>>

/** What names a debug session. */
export type NamedDebugSession = Pick<DebugSession, 'debugSessionId' | 'userId' | 'workflowPermanentId' | 'browserSessionId'>

/** How an event names a debug session. Pure. */
export const named = ({ debugSessionId, userId, workflowPermanentId, browserSessionId }: NamedDebugSession): NamedDebugSession => ({
  debugSessionId,
  userId,
  workflowPermanentId,
  browserSessionId,
})
