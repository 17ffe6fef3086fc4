import type { Json } from '../../errors/index.js'
import { bool, floatOrNull, instant, instantOrNull, int, json, jsonOrNull, table, text, textOrNull } from '../columns.js'

/** Status of a stored workflow. */
export type WorkflowStatus = 'published' | 'draft' | 'auto_generated'

/** A stored version of a workflow. Written by `createWorkflow` and `updateWorkflow`; a version is never changed afterwards, but for `deletedAt`. */
export const workflows = table({
  primaryKey: 'workflowId',
  columns: {
    /** This version. */
    workflowId: text(),
    /** The workflow through all its versions. */
    workflowPermanentId: text(),
    organizationId: text(),
    /** From 1, one more with each update. */
    version: int(),
    title: text(),
    description: textOrNull(),
    /** The parsed definition, defaults filled in. */
    definition: json<Json>(),
    /** `auto_generated` ones belong to a single task or action and are hidden from lists. */
    status: text<WorkflowStatus>(),
    /** Readable and runnable by every organisation. */
    isTemplate: bool(),
    folderId: textOrNull(),
    /** Name of a proxy; null: none. */
    proxyLocation: textOrNull(),
    webhookCallbackUrl: textOrNull(),
    totpIdentifier: textOrNull(),
    extraHttpHeaders: jsonOrNull<Record<string, string>>(),
    /** 1 to 480; null: the engine's default of 240. */
    maxElapsedTimeMinutes: floatOrNull(),
    /** Keep the private browser's state from run to run. */
    persistBrowserSession: bool(),
    runWith: text<'agent' | 'code'>(),
    aiFallback: bool(),
    cacheKey: textOrNull(),
    runSequentially: bool(),
    sequentialKey: textOrNull(),
    /** What becomes of a run whose host died. */
    onHostLost: text<'fail' | 'resume'>(),
    pauseCounts: bool(),
    /** Time that the finally block has for itself, in seconds. */
    finallyTimeoutSeconds: floatOrNull(),
    errorCodeMapping: jsonOrNull<Record<string, string>>(),
    createdAt: instant(),
    modifiedAt: instant(),
    /** Null: not deleted. */
    deletedAt: instantOrNull(),
  },
  unique: [{ name: 'workflows_permanent_id_version', columns: ['workflowPermanentId', 'version'] }],
  indexes: [['organizationId', 'createdAt']],
})
