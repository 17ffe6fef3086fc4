import type { RunBlockRow, Storage } from '../../storage/index.js'

/**
 * The attempt in whose name a block starts a run: its own, or the first of those that were interrupted before it as their host was lost. So
 * an attempt that is made again for that reason finds what was started; one that is made again because it failed starts anew.
 */
export async function firstAttemptOf(storage: Storage, entry: RunBlockRow): Promise<RunBlockRow> {
  if (entry.attempt === 1) return entry
  const { workflowRunId, label } = entry
  const rows = await storage.find({
    table: 'run_blocks',
    where: { workflowRunId, label, sequence: { lt: entry.sequence } },
    orderBy: [{ column: 'sequence', direction: 'desc' }],
    limit: 10_000,
  })
  let first = entry
  for (const row of rows) {
    if (row.parentRunBlockId !== entry.parentRunBlockId || row.currentIndex !== entry.currentIndex) continue
    if (row.attempt !== first.attempt - 1 || row.errorCode !== 'HOST_LOST') break
    first = row
  }
  return first
}
