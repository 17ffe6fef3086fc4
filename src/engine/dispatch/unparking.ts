import { type RunRow, type Storage, storageNow } from '../../storage/index.js'
import type { RunDispatcher } from '../dispatcher.js'

export interface UnparkOptions {
  readonly storage: Storage
  readonly dispatcher: Pick<RunDispatcher, 'dispatch'>
  /** Takes the row as it stands then: its claim need not read it again. */
  readonly remember: (run: RunRow) => void
}

/** Has a parked run looked at again, here and by every other host; what else stands in its way parks it anew. */
export async function unpark({ storage, dispatcher, remember }: UnparkOptions, run: RunRow): Promise<void> {
  const { workflowRunId: id, priority } = run
  const result = await storage.commit([
    { op: 'update', table: 'runs', id, where: { status: 'queued', isParked: true }, set: { isParked: false, modifiedAt: storageNow() } },
  ])
  if (!result.ok) return // somebody else was faster, or it has ended
  remember(result.rows[0]?.[0] as RunRow)
  await dispatcher.dispatch(id, { priority })
}
