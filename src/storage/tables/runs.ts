import type { Json } from '../../errors/index.js'
import { bool, floatOrNull, instant, instantOrNull, int, intOrNull, json, jsonOrNull, table, text, textOrNull } from '../columns.js'

/** Status of a run. */
export type RunStatus = 'created' | 'queued' | 'running' | 'paused' | 'completed' | 'failed' | 'terminated' | 'canceled' | 'timed_out'
/** Status of a block attempt. */
export type BlockStatus = 'running' | 'completed' | 'failed' | 'terminated' | 'canceled' | 'timed_out'
/** What a run executes. */
export type RunType = 'workflow' | 'task' | 'block' | 'action'

/** One execution of a workflow. The status is written only by compare-and-set along the transition table. */
export const runs = table({
  primaryKey: 'workflowRunId',
  columns: {
    workflowRunId: text(),
    organizationId: text(),
    /** The version that this run is pinned to. */
    workflowId: text(),
    workflowPermanentId: text(),
    workflowTitle: text(),
    runType: text<RunType>(),
    status: text<RunStatus>(),
    /** Coerced values by key, defaults filled in; a secret is never among them. */
    parameters: json<Record<string, Json>>(),
    /** Whitelist of labels to run; null: all. */
    blockLabels: jsonOrNull<string[]>(),
    /** Outputs given at the start, by label; null: none. */
    blockOutputs: jsonOrNull<Record<string, Json>>(),
    /** The outcome that is being finished; written by the finalizer and before the finally block; null until then. */
    pendingOutcome: jsonOrNull<Record<string, Json>>(),
    /** The outputs by `<label>_output`; written by the terminal commit; null until then. */
    outputs: jsonOrNull<Record<string, Json>>(),
    /** Why the run did not complete; null when it did, or has not ended. */
    failureReason: textOrNull(),
    errorCode: textOrNull(),
    parentWorkflowRunId: textOrNull(),
    /** The topmost run above this one; its own id when it has no parent. */
    rootWorkflowRunId: text(),
    /** The session that the run occupies: given at the start, or its private one once that exists; null: none yet. */
    browserSessionId: textOrNull(),
    /** The session is the run's own and is closed with it. */
    ownsSession: bool(),
    browserProfileId: textOrNull(),
    browserAddress: textOrNull(),
    proxyLocation: textOrNull(),
    extraHttpHeaders: jsonOrNull<Record<string, string>>(),
    webhookCallbackUrl: textOrNull(),
    maxSteps: intOrNull(),
    runWith: textOrNull<'agent' | 'code'>(),
    priority: int(),
    requestId: textOrNull(),
    /** The same key gives back the same run; null: none was given. */
    idempotencyKey: textOrNull(),
    /** The host's own facts about the run, at most 20 keys. */
    runMetadata: jsonOrNull<Record<string, string>>(),
    /** Set once by `cancel`; from then on no outcome but canceled can be committed. */
    cancelRequestedAt: instantOrNull(),
    cancelRequestedBy: textOrNull(),
    /** The host that executes the run; null when nobody does. Written with the claim and cleared by the terminal commit. */
    leaseHolder: textOrNull(),
    /** One more with each claim; every write of an execution carries it. */
    leaseFence: int(),
    /** By the storage's clock; renewed by the holder's heartbeat. */
    leaseExpiresAt: instantOrNull(),
    /** Number of claims so far. */
    attempt: int(),
    stepCount: int(),
    actionCount: int(),
    /** From `startedAt` to `finishedAt`; null until then. */
    durationMs: floatOrNull(),
    /** First queued; set once. */
    queuedAt: instantOrNull(),
    /** First running; set once. */
    startedAt: instantOrNull(),
    /** First final; set once. */
    finishedAt: instantOrNull(),
    createdAt: instant(),
    modifiedAt: instant(),
  },
  unique: [{ name: 'runs_idempotency_key', columns: ['organizationId', 'idempotencyKey'] }],
  indexes: [
    ['status', 'priority', 'queuedAt'],
    ['organizationId', 'createdAt'],
    ['browserSessionId', 'modifiedAt'],
    ['status', 'leaseExpiresAt'],
  ],
})

/** One attempt at one block of a run. Written by the execution that holds the run's lease; a block that never started has no row. */
export const runBlocks = table({
  primaryKey: 'runBlockId',
  columns: {
    runBlockId: text(),
    organizationId: text(),
    workflowRunId: text(),
    /** The loop that this block is a child of; null at the top level. */
    parentRunBlockId: textOrNull(),
    label: text(),
    type: text(),
    status: text<BlockStatus>(),
    /** From 1. */
    attempt: int(),
    /** Order of start within the run, from 1. */
    sequence: int(),
    /** Index of the loop's iteration, from 0; null outside loops. */
    currentIndex: intOrNull(),
    currentValue: jsonOrNull(),
    /** What the block produced, also when it did not complete; null: nothing. */
    output: jsonOrNull(),
    failureReason: textOrNull(),
    errorCode: textOrNull(),
    /** A conditional's decision; null for other types. */
    branch: jsonOrNull<Record<string, Json>>(),
    startedAt: instant(),
    /** Null while it runs. */
    finishedAt: instantOrNull(),
    durationMs: floatOrNull(),
  },
  indexes: [['workflowRunId', 'sequence']],
})

/** One action on a page. Written in batches by the recorder; never changed afterwards. */
export const actions = table({
  primaryKey: 'actionId',
  columns: {
    actionId: text(),
    organizationId: text(),
    workflowRunId: text(),
    blockLabel: text(),
    runBlockId: text(),
    /** Place of the action among those of its block attempt, from 0. */
    stepIndex: int(),
    type: text(),
    target: jsonOrNull(),
    intention: textOrNull(),
    /** The value, secrets as `{{ KEY }}`; null where the type has none. */
    value: jsonOrNull(),
    status: text<'completed' | 'failed' | 'blocked' | 'canceled'>(),
    error: jsonOrNull<Record<string, Json>>(),
    /** The page's address after the action. */
    url: textOrNull(),
    screenshotArtifactId: textOrNull(),
    durationMs: floatOrNull(),
    createdAt: instant(),
  },
  indexes: [['workflowRunId', 'runBlockId', 'stepIndex']],
})
