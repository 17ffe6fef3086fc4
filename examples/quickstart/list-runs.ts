import { guardStorage, type Storage, WorkflowEngine } from 'runwright'
import { formatTable } from './result-table.js'

/** Earlier runs as a table, newest first. */
export async function listRuns(storage: Storage, organizationId: string): Promise<string> {
  await guardStorage(storage).open() // reading needs no started engine
  const runs = await new WorkflowEngine({ storage, organizationId }).listRuns({ limit: 50 })
  if (runs.length === 0) return 'No runs yet.'
  const rows = runs.map(({ workflowRunId, workflowTitle, status, errorCode, createdAt, durationMs }) => [
    createdAt.toISOString().slice(0, 19).replace('T', ' '),
    workflowTitle,
    errorCode === null ? status : `${status}: ${errorCode}`,
    durationMs === null ? '' : `${(durationMs / 1_000).toFixed(1)} s`,
    workflowRunId,
  ])
  return formatTable(['when (UTC)', 'workflow', 'status', 'took', 'run'], rows)
}
