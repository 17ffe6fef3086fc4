import type { TriggeredRun, TriggerRunRequest } from '../../blocks/index.js'
import type { SessionLease } from '../../sessions/index.js'
import type { RunBlockRow, RunRow, WorkflowRow } from '../../storage/index.js'

/** Which block attempt starts a run below its own. */
export interface TriggerParams {
  readonly request: TriggerRunRequest
  /** The run as it was claimed. */
  readonly parent: RunRow
  readonly entry: RunBlockRow
  readonly signal: AbortSignal
  /** The browser of the parent, and what its workflow is held to; for a run that is to run in it. */
  readonly lent?: { readonly lease: SessionLease; readonly workflowPolicy: WorkflowRow['scopePolicy'] } | undefined
}

/** What executions need to start runs below their own. */
export interface ChildRunStarter {
  /** See `BlockContext.triggerRun`. */
  trigger(params: TriggerParams): Promise<TriggeredRun>
}
