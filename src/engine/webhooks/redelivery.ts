import { RunNotFoundError, StorageError, WebhookDeliveryNotFoundError } from '../../errors/index.js'
import { type Storage, storageNow, type WebhookDeliveryRow } from '../../storage/index.js'

/** A delivery as callers see it. */
export type WebhookDelivery = Readonly<
  Pick<
    WebhookDeliveryRow,
    'deliveryId' | 'workflowRunId' | 'url' | 'status' | 'attempts' | 'statusCode' | 'failureReason' | 'nextAttemptAt'
  >
>

/** How often it is looked again when others keep writing the delivery. */
const MOST_TRIES = 10

/**
 * Has a run's result delivered once more, with as many attempts as at first and the same delivery id. One that is being delivered at this
 * moment is given back as it is; one that waits for its next attempt waits no longer.
 * @throws {RunNotFoundError} {WebhookDeliveryNotFoundError}
 */
export async function redeliver(storage: Storage, params: { organizationId: string; workflowRunId: string }): Promise<WebhookDelivery> {
  const { organizationId, workflowRunId } = params
  const run = await storage.get('runs', workflowRunId)
  if (run === undefined || run.organizationId !== organizationId) throw new RunNotFoundError(workflowRunId)
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const [delivery] = await storage.find({
      table: 'webhook_deliveries',
      where: { workflowRunId, organizationId },
      orderBy: [{ column: 'createdAt', direction: 'desc' }],
      limit: 1,
    })
    if (delivery === undefined) throw new WebhookDeliveryNotFoundError(workflowRunId)
    if (delivery.leaseHolder !== null) return toDelivery(delivery)
    const result = await storage.commit([
      {
        op: 'update',
        table: 'webhook_deliveries',
        id: delivery.deliveryId,
        where: { status: delivery.status, attempts: delivery.attempts, leaseFence: delivery.leaseFence, leaseHolder: null },
        set: { ...fresh(delivery), nextAttemptAt: storageNow(), modifiedAt: storageNow() },
      },
      { op: 'update', table: 'runs', id: workflowRunId, set: { webhookStatus: 'pending', modifiedAt: storageNow() } },
    ])
    if (result.ok) return toDelivery(result.rows[0]?.[0] as WebhookDeliveryRow)
  }
  throw new StorageError(`The delivery of run ${workflowRunId} is written by others again and again`, {
    code: 'STORAGE_FAILED',
    details: { workflowRunId },
  })
}

/** One that has attempts left goes on counting. */
const fresh = ({ status }: WebhookDeliveryRow) => (status === 'pending' ? {} : ({ status: 'pending', attempts: 0 } as const))

function toDelivery(row: WebhookDeliveryRow): WebhookDelivery {
  const { deliveryId, workflowRunId, url, status, attempts, statusCode, failureReason, nextAttemptAt } = row
  return { deliveryId, workflowRunId, url, status, attempts, statusCode, failureReason, nextAttemptAt }
}
