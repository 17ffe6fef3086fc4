import type { RunRow, Storage, Where } from '../../storage/index.js'
import { isFinalStatus } from '../run-status.js'

/** What has not ended. */
const UNFINISHED = ['created', 'queued', 'running', 'paused'] as const
const PAGE_SIZE = 1_000

/** The runs below another that have not ended, at any depth, those above first. */
export async function* unfinishedBelow(storage: Storage, workflowRunId: string): AsyncGenerator<RunRow, void, undefined> {
  let level: readonly string[] = [workflowRunId]
  while (level.length > 0) {
    const next: string[] = []
    for (const parent of level) {
      // ended ones too: what they have started may go on
      for await (const child of pages(storage, { parentWorkflowRunId: parent })) {
        next.push(child.workflowRunId)
        if (!isFinalStatus(child.status)) yield child
      }
    }
    level = next
  }
}

/** The runs that a run was waiting for and that have not ended. */
export const unfinishedAwaited = (storage: Storage, workflowRunId: string): AsyncGenerator<RunRow, void, undefined> =>
  pages(storage, { parentWorkflowRunId: workflowRunId, awaitedByRunBlockId: { isNull: false }, status: { in: UNFINISHED } })

/** Unfinished runs whose parent has ended and should have taken them along: it was canceled, or was waiting for them. */
export async function orphans(storage: Storage): Promise<RunRow[]> {
  const found: RunRow[] = []
  let page: RunRow[] = []
  for await (const run of pages(storage, { parentWorkflowRunId: { isNull: false }, status: { in: UNFINISHED } })) {
    page.push(run)
    if (page.length < PAGE_SIZE) continue
    found.push(...(await withoutParent(storage, page)))
    page = []
  }
  return [...found, ...(await withoutParent(storage, page))]
}

async function withoutParent(storage: Storage, runs: readonly RunRow[]): Promise<RunRow[]> {
  if (runs.length === 0) return []
  const ids = [...new Set(runs.map(({ parentWorkflowRunId }) => parentWorkflowRunId ?? ''))]
  const parents = await storage.find({ table: 'runs', where: { workflowRunId: { in: ids } }, limit: PAGE_SIZE })
  const statuses = new Map(parents.map(({ workflowRunId, status }) => [workflowRunId, status]))
  return runs.filter(({ parentWorkflowRunId, awaitedByRunBlockId }) => {
    const status = statuses.get(parentWorkflowRunId ?? '')
    return status !== undefined && isFinalStatus(status) && (status === 'canceled' || awaitedByRunBlockId !== null)
  })
}

async function* pages(storage: Storage, where: Where<RunRow>): AsyncGenerator<RunRow, void, undefined> {
  for (let after: string | undefined; ; ) {
    const page = await storage.find({ table: 'runs', where, limit: PAGE_SIZE, ...(after === undefined ? {} : { after }) })
    yield* page
    after = page.at(-1)?.workflowRunId
    if (page.length < PAGE_SIZE || after === undefined) return
  }
}
