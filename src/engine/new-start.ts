import type { NewEvent, NewRow, RunBlockRow, RunRow } from '../storage/index.js'
import type { CompiledWorkflow } from './compiled-workflow.js'

/** What of a run that is being stored decides whether it may begin at once. */
export type StartingRun = Pick<
  NewRow<RunRow>,
  | 'workflowRunId'
  | 'workflowPermanentId'
  | 'organizationId'
  | 'blockLabels'
  | 'browserSessionId'
  | 'browserAddress'
  | 'scopePolicy'
  | 'dependsOnWorkflowRunId'
  | 'sequentialLane'
  | 'sessionLane'
> & { readonly workflowRunId: string; readonly workflowPermanentId: string; readonly organizationId: string }

/** A run that begins with the commit that stores it: what that writes beside it, and whom it tells. */
export interface NewStart {
  /** Of its row: the claim. */
  readonly changes: Partial<NewRow<RunRow>>
  /** After `run.queued`. */
  readonly events: readonly NewEvent[]
  /** The attempt that it begins with; null: something has to be set up before. */
  readonly block: NewRow<RunBlockRow> | null
  /** It was stored: its execution goes on. */
  stored(run: RunRow, block: RunBlockRow | null): void
  /** It was refused: there is nothing to execute. */
  refused(): void
  /** Nobody knows whether it was stored: its execution looks. */
  failed(): void
}

/** Port to whoever begins runs in the commit that stores them. */
export interface NewStarts {
  /** Null: there is no worker for it now, or something is to be looked at first. `workflow` is compiled where it is at hand. */
  begin(run: StartingRun, workflow: CompiledWorkflow | null): NewStart | null
}

/** Whether a run needs nothing but a worker. Pure. */
export const needsOnlyWorker = (run: StartingRun): boolean =>
  run.browserSessionId == null && run.dependsOnWorkflowRunId == null && run.sequentialLane == null && run.sessionLane == null
