import type { Json } from '../../errors/index.js'
import { instant, instantOrNull, int, intOrNull, json, table, text, textOrNull } from '../columns.js'

/** Status of a delivery. */
export type DeliveryStatus = 'pending' | 'delivered' | 'failed'

/** The result of a run on its way to where it was asked for. Written by the commit that ends the run, then by whoever delivers it. */
export const webhookDeliveries = table({
  primaryKey: 'deliveryId',
  columns: {
    /** This delivery; the same in every attempt, so that receivers can tell repetitions. */
    deliveryId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** The run that ended. */
    workflowRunId: text(),
    /** Where to. */
    url: text(),
    /** What is delivered: the run's result. */
    body: json<Record<string, Json>>(),
    /** `pending` until it was taken, or given up. */
    status: text<DeliveryStatus>(),
    /** Attempts so far. */
    attempts: int(),
    /** When the next attempt is due, by the storage's clock; null: none is. */
    nextAttemptAt: instantOrNull(),
    /** The host that delivers it now; null: none. */
    leaseHolder: textOrNull(),
    /** One more with each attempt. */
    leaseFence: int(),
    /** By the storage's clock; null: nobody delivers it. */
    leaseExpiresAt: instantOrNull(),
    /** Status of the last answer; null: there was none. */
    statusCode: intOrNull(),
    /** Why the last attempt failed; null: none has. */
    failureReason: textOrNull(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
    /** When the row was last written, by the storage's clock. */
    modifiedAt: instant(),
  },
  indexes: [['status', 'nextAttemptAt'], ['workflowRunId']],
})
