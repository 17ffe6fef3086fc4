import type { Json } from '../errors/index.js'
import type { BlockRunRow, RunRow, Storage } from '../storage/index.js'
import type { DebugPlace } from './debug-session.js'

/** Block runs of one look; their runs come with their outputs. */
const PAGE_SIZE = 100

const newestFirst = [
  { column: 'createdAt', direction: 'desc' },
  { column: 'blockRunId', direction: 'desc' },
] as const

/**
 * The output of the newest run that completed, for each of these blocks that has one. Two queries for a hundred block runs; blocks that
 * were found are not looked for any further.
 */
export async function newestOutputs(storage: Storage, place: DebugPlace, labels: readonly string[]): Promise<Record<string, Json>> {
  const missing = new Set(labels)
  const found = new Map<string, Json>()
  for (let after: string | undefined; missing.size > 0; ) {
    const rows: BlockRunRow[] = await storage.find({
      table: 'block_runs',
      where: { ...place, blockLabel: { in: [...missing] } },
      orderBy: newestFirst,
      limit: PAGE_SIZE,
      ...(after === undefined ? {} : { after }),
    })
    const completed = await runsOf(storage, rows, 'completed')
    for (const { blockLabel, workflowRunId, outputParameter } of rows) {
      const run = completed.get(workflowRunId)
      if (run === undefined || !missing.delete(blockLabel)) continue
      found.set(blockLabel, run.outputs?.[outputParameter] ?? null)
    }
    after = rows.at(-1)?.blockRunId
    if (rows.length < PAGE_SIZE) break
  }
  return Object.fromEntries(labels.flatMap((label) => (found.has(label) ? [[label, found.get(label) as Json]] : [])))
}

/** The runs of block runs, by id, in one query. */
export async function runsOf(storage: Storage, rows: readonly BlockRunRow[], status?: RunRow['status']): Promise<Map<string, RunRow>> {
  const ids = [...new Set(rows.map(({ workflowRunId }) => workflowRunId))]
  if (ids.length === 0) return new Map()
  const where = { workflowRunId: { in: ids }, ...(status === undefined ? {} : { status }) }
  const runs = await storage.find({ table: 'runs', where, limit: ids.length })
  return new Map(runs.map((run) => [run.workflowRunId, run]))
}

/** A page of the blocks that were run in a debug session, newest first; those whose run was pruned are left out. */
export async function blockRunsOf(
  storage: Storage,
  request: {
    readonly organizationId: string
    readonly debugSessionId: string
    readonly limit: number
    readonly after?: string | undefined
  },
) {
  const { organizationId, debugSessionId, limit, after } = request
  const rows = await storage.find({
    table: 'block_runs',
    where: { organizationId, debugSessionId },
    orderBy: newestFirst,
    limit,
    ...(after === undefined ? {} : { after }),
  })
  const runs = await runsOf(storage, rows)
  return rows.flatMap(({ blockRunId, blockLabel, outputParameter, workflowRunId }) => {
    const run = runs.get(workflowRunId)
    if (run === undefined) return []
    const { status, failureReason, errorCode, createdAt, startedAt, finishedAt } = run
    const block = { blockRunId, debugSessionId, blockLabel, outputParameter, workflowRunId }
    return [{ ...block, status, failureReason, errorCode, createdAt, startedAt, finishedAt }]
  })
}
