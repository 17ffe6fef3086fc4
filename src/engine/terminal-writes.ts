import type { Json } from '../errors/index.js'
import type { RunResult } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import { type RunRow, storageNow, type Write } from '../storage/index.js'

/** What of a run's row says what else its end has to write. */
export type EndingRun = Pick<
  RunRow,
  'workflowRunId' | 'organizationId' | 'leaseFence' | 'sequentialLane' | 'sessionLane' | 'webhookCallbackUrl'
>

/**
 * What the commit that ends a run writes beside its row and its final event, whoever writes it: its lanes are freed, and its result goes to
 * where it was asked for. A run that was never claimed holds no lane. Pure but for the id.
 */
export function terminalWrites(run: EndingRun, result: RunResult, ids: Ids): Write[] {
  return [...freedLanes(run), ...delivery(run, result, ids)]
}

/** The lanes that a run is in. Pure. */
export const lanesOf = (run: Pick<RunRow, 'sequentialLane' | 'sessionLane'>): string[] =>
  [run.sequentialLane, run.sessionLane].filter((lane) => lane !== null)

function freedLanes(run: EndingRun): Write[] {
  if (run.leaseFence === 0) return []
  return lanesOf(run).map((id) => ({ op: 'delete', table: 'leases', id, where: { leaseHolder: run.workflowRunId } }))
}

function delivery({ workflowRunId, organizationId, webhookCallbackUrl: url }: EndingRun, result: RunResult, ids: Ids): Write[] {
  if (url === null) return []
  return [
    {
      op: 'insert',
      table: 'webhook_deliveries',
      row: {
        ...{ deliveryId: ids.next('whd'), organizationId, workflowRunId, url, status: 'pending', attempts: 0, leaseFence: 0 },
        body: result as unknown as Record<string, Json>,
        nextAttemptAt: storageNow(),
        createdAt: storageNow(),
        modifiedAt: storageNow(),
      },
    },
  ]
}
