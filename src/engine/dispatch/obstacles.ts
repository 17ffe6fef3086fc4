import type { RunRow, RunStatus, Storage, Write } from '../../storage/index.js'
import { isFinalStatus, RUN_TRANSITIONS } from '../run-status.js'
import { lanesOf } from '../terminal-writes.js'

/** What keeps a queued run from beginning. */
export type Obstacle =
  /** The run that it depends on has not ended. */
  | { readonly kind: 'dependency'; readonly workflowRunId: string }
  /** That run has ended, and did not complete; or it is gone. */
  | { readonly kind: 'failedDependency'; readonly workflowRunId: string; readonly status: RunStatus | null }
  /** Another run has its lane. */
  | { readonly kind: 'lane'; readonly lane: string }
  /** Another run was queued in its lane before it. */
  | { readonly kind: 'behind'; readonly lane: string; readonly workflowRunId: string }

/** The one kind that no waiting removes. */
export type PassingObstacle = Exclude<Obstacle, { kind: 'failedDependency' }>

export const FINAL_STATUSES = (Object.keys(RUN_TRANSITIONS) as RunStatus[]).filter(isFinalStatus)

/** What keeps a queued run from beginning, as it stands; null: nothing. A run without lane and dependency costs no read. */
export async function findObstacle(storage: Storage, run: RunRow): Promise<Obstacle | null> {
  const { dependsOnWorkflowRunId: workflowRunId } = run
  if (workflowRunId !== null) {
    const status = (await storage.get('runs', workflowRunId))?.status ?? null
    if (status === null || (isFinalStatus(status) && status !== 'completed')) return { kind: 'failedDependency', workflowRunId, status }
    if (status !== 'completed') return { kind: 'dependency', workflowRunId }
  }
  for (const lane of lanesOf(run)) {
    if ((await storage.get('leases', lane)) !== undefined) return { kind: 'lane', lane }
    const head = await headOf(storage, lane)
    // one that waits for this very run lets it pass, however the clock of the storage has ordered them
    if (head === undefined || head.workflowRunId === run.workflowRunId || head.dependsOnWorkflowRunId === run.workflowRunId) continue
    return { kind: 'behind', lane, workflowRunId: head.workflowRunId }
  }
  return null
}

/** The run that is next in a lane: the one that has been queued longest. */
export async function headOf(storage: Storage, lane: string): Promise<RunRow | undefined> {
  const column = lane.split(':')[2] === 'session' ? 'sessionLane' : 'sequentialLane'
  const [head] = await storage.find({
    table: 'runs',
    where: { [column]: lane, status: 'queued' },
    orderBy: [{ column: 'queuedAt' }],
    limit: 1,
  })
  return head
}

/** The write that holds only while an obstacle is there: in the commit that parks a run, it makes the parking right. Pure. */
export function stillThere(obstacle: PassingObstacle): Write {
  switch (obstacle.kind) {
    case 'lane':
      return { op: 'update', table: 'leases', id: obstacle.lane, set: {} }
    case 'behind':
      return { op: 'update', table: 'runs', id: obstacle.workflowRunId, where: { status: 'queued' }, set: {} }
    case 'dependency':
      return { op: 'update', table: 'runs', id: obstacle.workflowRunId, where: { status: { notIn: FINAL_STATUSES } }, set: {} }
  }
}
