import type { RunRow, Storage } from '../storage/index.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import type { ClaimKind } from './dispatch/claim-kind.js'
import { emptyHistory, loadBlockRows, RunHistory } from './run-history.js'

/** What the storage tells of a run's earlier executions. */
export interface RunPast {
  readonly history: RunHistory
  readonly taskCount: number
  readonly stepCount: number
  readonly actionCount: number
}

/** Reads what earlier executions have left; a run that begins has none. */
export async function loadPast(storage: Storage, run: RunRow, workflow: CompiledWorkflow, kind: ClaimKind): Promise<RunPast> {
  if (kind === 'start') return { history: emptyHistory(), taskCount: 0, stepCount: 0, actionCount: 0 }
  const where = { workflowRunId: run.workflowRunId }
  const [rows, taskCount, stepCount, actionCount] = await Promise.all([
    loadBlockRows(storage, run.workflowRunId),
    storage.count('tasks', where),
    storage.count('steps', where),
    storage.count('actions', where),
  ])
  return { history: new RunHistory({ rows, blocks: workflow.blocks }), taskCount, stepCount, actionCount }
}
