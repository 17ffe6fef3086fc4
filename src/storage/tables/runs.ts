import type { Json } from '../../errors/index.js'
import { bool, float, floatOrNull, instant, instantOrNull, int, intOrNull, json, jsonOrNull, table, text, textOrNull } from '../columns.js'

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
    /** Identity of the run; made by `startRun`. */
    workflowRunId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** The version that this run is pinned to. */
    workflowId: text(),
    /** The workflow through all its versions; copied at the start. */
    workflowPermanentId: text(),
    /** Its title when the run was started. */
    workflowTitle: text(),
    /** What is executed: a workflow, a task, or one action. */
    runType: text<RunType>(),
    /** Where the run is; written by compare-and-set along the transition table only. */
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
    /** Code of the failure; null when it completed, or has not ended. Written by the terminal commit. */
    errorCode: textOrNull(),
    /** The run whose block started it; null: the host did. */
    parentWorkflowRunId: textOrNull(),
    /** The block attempt of that run that waits for its end; null: none does. */
    awaitedByRunBlockId: textOrNull(),
    /** The topmost run above this one; its own id when it has no parent. */
    rootWorkflowRunId: text(),
    /** The debug session that it was started in; null: none. */
    debugSessionId: textOrNull(),
    /** The session that the run occupies: given at the start, or its private one once that exists; null: none yet. */
    browserSessionId: textOrNull(),
    /** How long it waits for that session while somebody else holds it, in milliseconds; as given at the start. Null: not at all. */
    waitTimeoutMs: intOrNull(),
    /** When that wait ends, counted from `queuedAt`; null: it does not wait. */
    waitDeadlineAt: instantOrNull(),
    /** Its lane by workflow or by sequential key: of the runs in one, one runs at a time, in the order they were queued. Null: none. */
    sequentialLane: textOrNull(),
    /** Its lane by the session that it waits for; null: none. */
    sessionLane: textOrNull(),
    /** Whether engines pass over it while it is queued: it waits for its lane, or for the run that it depends on. */
    isParked: bool(),
    /** The run that must have completed before this one begins; null: none. */
    dependsOnWorkflowRunId: textOrNull(),
    /** Whether other runs wait for its end. */
    hasDependents: bool(),
    /** The session is the run's own and is closed with it. */
    ownsSession: bool(),
    /** The profile that its private browser is made from; given at the start, null: none. */
    browserProfileId: textOrNull(),
    /** The browser that it was asked to attach to; null: none. */
    browserAddress: textOrNull(),
    /** Name of its proxy; null: none. */
    proxyLocation: textOrNull(),
    /** Headers of every request of its browser; null: none. */
    extraHttpHeaders: jsonOrNull<Record<string, string>>(),
    /** What it may do and where, beside the policies of its workflow and its organisation; given at the start, null: nothing more. */
    scopePolicy: jsonOrNull<Record<string, Json>>(),
    /** Whether its actions are only checked: nothing is done to pages. Given at the start. */
    dryRun: bool(),
    /** Where its result is to be delivered; null: nowhere. */
    webhookCallbackUrl: textOrNull(),
    /** What became of that; null: there is nothing to deliver, or the run has not ended. Written by the terminal commit and by deliveries. */
    webhookStatus: textOrNull<'pending' | 'delivered' | 'failed'>(),
    /** Why the last attempt to deliver it failed; null: none has. */
    webhookFailureReason: textOrNull(),
    /** For one-time codes that come by message; null: none. */
    totpIdentifier: textOrNull(),
    /** Most steps of an agent in a block that names no number; null: the default. */
    maxSteps: intOrNull(),
    /** Overrides the workflow's; null: does not. Not written so far. */
    runWith: textOrNull<'agent' | 'code'>(),
    /** Higher begins first; given at the start, 0 without. */
    priority: int(),
    /** The host's own id of the request; null: none. */
    requestId: textOrNull(),
    /** The same key gives back the same run; null: none was given. */
    idempotencyKey: textOrNull(),
    /** The host's own facts about the run, at most 20 keys. */
    runMetadata: jsonOrNull<Record<string, string>>(),
    /** Set once by `cancel`; from then on no outcome but canceled can be committed. */
    cancelRequestedAt: instantOrNull(),
    /** Who asked for the cancel; null: nobody. Written together with `cancelRequestedAt`. */
    cancelRequestedBy: textOrNull(),
    /** The host that executes the run; null when nobody does. Written with the claim and cleared by the terminal commit. */
    leaseHolder: textOrNull(),
    /** One more with each claim; every write of an execution carries it. */
    leaseFence: int(),
    /** By the storage's clock; renewed by the holder's heartbeat. */
    leaseExpiresAt: instantOrNull(),
    /** Number of claims so far; going on after a pause is none. */
    attempt: int(),
    /** How often it was taken over from a host that was lost. */
    takeovers: int(),
    /** What it waits for while it is paused, and what it waited for until it goes on again; null: nothing. */
    pause: jsonOrNull<Record<string, Json>>(),
    /** What was decided about that pause; null: nothing yet. */
    pauseDecision: jsonOrNull<Record<string, Json>>(),
    /** When it was paused; null: it is not. */
    pausedAt: instantOrNull(),
    /** When the pause ends by itself; null: it is not paused. */
    pauseExpiresAt: instantOrNull(),
    /** How long it was paused in all, in milliseconds. */
    pausedMs: float(),
    /** Attempts at steps, of lists and of agents; written by the terminal commit, 0 until then. */
    stepCount: int(),
    /** Actions performed; written by the terminal commit, 0 until then. */
    actionCount: int(),
    /** What models have used so far, `tokens` and `calls`; null: nothing. */
    usage: jsonOrNull<{ tokens: number; calls: number }>(),
    /** The recording of its display; null: none was made. */
    recordingArtifactId: textOrNull(),
    /** From `startedAt` to `finishedAt`; null until then. */
    durationMs: floatOrNull(),
    /** First queued; set once. */
    queuedAt: instantOrNull(),
    /** First running; set once. */
    startedAt: instantOrNull(),
    /** First final; set once. */
    finishedAt: instantOrNull(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
    /** When the row was last written, by the storage's clock. */
    modifiedAt: instant(),
  },
  unique: [{ name: 'runs_idempotency_key', columns: ['organizationId', 'idempotencyKey'] }],
  indexes: [
    ['status', 'isParked', 'priority', 'queuedAt'],
    ['organizationId', 'createdAt'],
    // not by modifiedAt: an index on what every write changes makes every write go to every index
    ['browserSessionId', 'status'],
    ['leaseExpiresAt'],
    ['pauseExpiresAt'],
    ['waitDeadlineAt'],
    ['sequentialLane', 'status', 'queuedAt'],
    ['sessionLane', 'status', 'queuedAt'],
    ['dependsOnWorkflowRunId'],
    ['parentWorkflowRunId'],
    ['debugSessionId', 'createdAt'],
  ],
})

/** One attempt at one block of a run. Written by the execution that holds the run's lease; a block that never started has no row. */
export const runBlocks = table({
  primaryKey: 'runBlockId',
  columns: {
    /** This attempt; made when it begins. */
    runBlockId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** Its run. */
    workflowRunId: text(),
    /** The loop that this block is a child of; null at the top level. */
    parentRunBlockId: textOrNull(),
    /** The block's label in the definition. */
    label: text(),
    /** The block's type. */
    type: text(),
    /** `running` from the commit that begins the attempt to the one that ends it. */
    status: text<BlockStatus>(),
    /** From 1. */
    attempt: int(),
    /** Order of start within the run, from 1. */
    sequence: int(),
    /** Index of the loop's iteration, from 0; null outside loops. */
    currentIndex: intOrNull(),
    /** Value of the loop's iteration; null outside loops, and in loops without values. */
    currentValue: jsonOrNull(),
    /** What the block produced, also when it did not complete; null: nothing. */
    output: jsonOrNull(),
    /** Why the attempt did not complete; null when it did, or still runs. */
    failureReason: textOrNull(),
    /** Code of that; null when there is none. */
    errorCode: textOrNull(),
    /** A conditional's decision; null for other types. */
    branch: jsonOrNull<Record<string, Json>>(),
    /** The task of a goal block, written when its steps begin; null for other types. */
    taskId: textOrNull(),
    /** What it was about to do that must not be done twice, written before it is done; null: nothing of the kind. */
    intent: jsonOrNull<Record<string, Json>>(),
    /** When the attempt began: the storage's time, reckoned by the host. */
    startedAt: instant(),
    /** Null while it runs. */
    finishedAt: instantOrNull(),
    /** From `startedAt` to `finishedAt`, in milliseconds; null while it runs. */
    durationMs: floatOrNull(),
  },
  indexes: [['workflowRunId', 'sequence']],
})

/** Status of a task and of its steps. */
export type TaskStatus = 'running' | 'completed' | 'failed' | 'terminated' | 'canceled' | 'timed_out'

/** The work of one attempt at a goal block. Written by the execution that holds the run's lease, in batches. */
export const tasks = table({
  primaryKey: 'taskId',
  columns: {
    /** This task; made when the steps of the block begin. */
    taskId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** Its run. */
    workflowRunId: text(),
    /** Its block attempt. */
    runBlockId: text(),
    /** Its block's label. */
    blockLabel: text(),
    /** Address that it began at, templates rendered; null: the page as it was. */
    url: textOrNull(),
    /** What is to be reached, in the author's words; null: not said. */
    goal: textOrNull(),
    /** `running` until the block attempt has ended. */
    status: text<TaskStatus>(),
    /** Why it did not complete; null when it did, or still runs. */
    errorCode: textOrNull(),
    /** Attempts at the block before this one, from 0. */
    retry: int(),
    /** Order among the tasks of the run, from 0. */
    order: int(),
    /** When it began: the storage's time, reckoned by the host. */
    createdAt: instant(),
    /** When the row was last written, reckoned likewise. */
    modifiedAt: instant(),
  },
  indexes: [['workflowRunId', 'order']],
})

/** One attempt at one step of a task. Written when it has ended; never changed afterwards. */
export const steps = table({
  primaryKey: 'stepId',
  columns: {
    /** This attempt at a step. */
    stepId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** Its run. */
    workflowRunId: text(),
    /** Its task. */
    taskId: text(),
    /** Place of the step in the list, from 0; steps of nested playbooks count on. */
    order: int(),
    /** Attempts at the step before this one, from 0. */
    retryIndex: int(),
    /** How it ended. */
    status: text<TaskStatus>(),
    /** Why this attempt was made: the step's first (null), or how it was recovered. */
    recovery: textOrNull<'retry' | 'alternative_target' | 'agent'>(),
    /** Name of the playbook that the step stands in; null: the block's own list. */
    playbook: textOrNull(),
    /** What it gave: an action's value, or an agent's summary, secrets as references; null: nothing. */
    output: jsonOrNull(),
    /** Tokens that a model used for it; null: no model. */
    tokens: intOrNull(),
    /** When it ended: the storage's time, reckoned by the host. */
    createdAt: instant(),
  },
  indexes: [['workflowRunId', 'taskId', 'order']],
})

/** One action on a page. Written in batches by the recorder; never changed afterwards. */
export const actions = table({
  primaryKey: 'actionId',
  columns: {
    /** This action; made by the router. */
    actionId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** Its run. */
    workflowRunId: text(),
    /** Its block's label. */
    blockLabel: text(),
    /** Its run's workflow, through all versions; looked up when an element has to be found by other ways. */
    workflowPermanentId: text(),
    /** Its block attempt. */
    runBlockId: text(),
    /** The attempt at a step that it belongs to; null: none, as for actions of handlers. */
    stepId: textOrNull(),
    /** Place of the action among those of its block attempt, from 0. */
    stepIndex: int(),
    /** The action type. */
    type: text(),
    /** The element it was aimed at, templates rendered, secrets as references; null where the type has none. */
    target: jsonOrNull(),
    /** Stable text of that target, by which its element is remembered; null where the type has none. */
    targetKey: textOrNull(),
    /** What the element was, with several ways to find it again; null: none was touched. */
    element: jsonOrNull<Record<string, Json>>(),
    /** Why it was done, in the author's words; null: not said. */
    intention: textOrNull(),
    /** Key of the parameter that the value is, where it is exactly one; null otherwise. */
    sourceParameter: textOrNull(),
    /** The value, secrets as `{{ KEY }}`; null where the type has none. */
    value: jsonOrNull(),
    /** How it ended. */
    status: text<'completed' | 'failed' | 'blocked' | 'canceled'>(),
    /** `code` and `message`; null when it completed. */
    error: jsonOrNull<Record<string, Json>>(),
    /** The page's address after the action. */
    url: textOrNull(),
    /** The picture that it took, or that was taken when it failed; null: none. */
    screenshotArtifactId: textOrNull(),
    /** Dialogs that the page showed meanwhile: type, message, and whether each was accepted; null: none. */
    dialogs: jsonOrNull<Json[]>(),
    /** How it came to be made again; null: it was not. */
    recovery: textOrNull<'retry' | 'alternative_target' | 'agent'>(),
    /** Whether it was only checked, and nothing was done. */
    dryRun: bool(),
    /** From the call to its end, in milliseconds. */
    durationMs: floatOrNull(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
  },
  indexes: [
    ['workflowRunId', 'runBlockId', 'stepIndex'],
    ['workflowPermanentId', 'targetKey'],
  ],
})
