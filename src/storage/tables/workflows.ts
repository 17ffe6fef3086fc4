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
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** From 1, one more with each update. */
    version: int(),
    /** As `createWorkflow` was given it. */
    title: text(),
    /** As `createWorkflow` was given it; null: none. */
    description: textOrNull(),
    /** The parsed definition, defaults filled in. */
    definition: json<Json>(),
    /** `auto_generated` ones belong to a single task or action and are hidden from lists. */
    status: text<WorkflowStatus>(),
    /** Readable and runnable by every organisation. */
    isTemplate: bool(),
    /** For hosts that sort workflows into folders; null: none. Not written so far. */
    folderId: textOrNull(),
    /** Name of a proxy, unless a run names another; null: none. */
    proxyLocation: textOrNull(),
    /** Where results are to be delivered, unless a run names another place; null: nowhere. */
    webhookCallbackUrl: textOrNull(),
    /** For one-time codes that come by message, unless a run names another; null: none. */
    totpIdentifier: textOrNull(),
    /** Headers of every request of its browsers, unless a run names others; null: none. */
    extraHttpHeaders: jsonOrNull<Record<string, string>>(),
    /** 1 to 480; null: the engine's default of 240. */
    maxElapsedTimeMinutes: floatOrNull(),
    /** Whether the state of private browsers is kept from run to run, in a profile of its own. */
    persistBrowserSession: bool(),
    /** Whether blocks are run by their definition (`agent`) or by generated code; always `agent` so far. */
    runWith: text<'agent' | 'code'>(),
    /** Whether a failing script falls back to the agent; always false so far. */
    aiFallback: bool(),
    /** Template that chooses among scripts; null: the default one. Not written so far. */
    cacheKey: textOrNull(),
    /** Whether its runs wait for each other: one at a time, in the order they were queued. */
    runSequentially: bool(),
    /** Template whose equal values wait for each other; null: none. */
    sequentialKey: textOrNull(),
    /** What becomes of a run whose host died. */
    onHostLost: text<'fail' | 'resume'>(),
    /** Whether paused time counts against the elapsed limit. */
    pauseCounts: bool(),
    /** Time that the finally block has for itself, in seconds. */
    finallyTimeoutSeconds: floatOrNull(),
    /** What its runs may do and where; null: no policy of its own. */
    scopePolicy: jsonOrNull<Record<string, Json>>(),
    /** Codes that its blocks may end with, each with its meaning; null: none. */
    errorCodeMapping: jsonOrNull<Record<string, string>>(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
    /** When the row was last written, by the storage's clock. */
    modifiedAt: instant(),
    /** Null: not deleted. */
    deletedAt: instantOrNull(),
  },
  unique: [{ name: 'workflows_permanent_id_version', columns: ['workflowPermanentId', 'version'] }],
  indexes: [['organizationId', 'createdAt']],
})

/** A stored version of a playbook. Written by `savePlaybook`; a version is never changed afterwards, but for `deletedAt`. */
export const playbooks = table({
  primaryKey: 'playbookId',
  columns: {
    /** This version. */
    playbookId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** The workflow that it is stored with. */
    workflowPermanentId: text(),
    /** Identifier, unique within the workflow. */
    name: text(),
    /** From 1, one more with each save. A run uses the newest that there was when it was created. */
    version: int(),
    /** For readers; null: none. */
    description: textOrNull(),
    /** The parsed parameters. */
    parameters: json<Json>(),
    /** The parsed steps. */
    steps: json<Json>(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
    /** When the row was last written, by the storage's clock. */
    modifiedAt: instant(),
    /** Null: not deleted. Deleting one version deletes all. */
    deletedAt: instantOrNull(),
  },
  unique: [{ name: 'playbooks_name_version', columns: ['workflowPermanentId', 'name', 'version'] }],
  indexes: [['organizationId', 'workflowPermanentId', 'name']],
})
