import type { Json, RunwrightError } from '../errors/index.js'
import type { RunResult } from '../events/index.js'
import { type NewRow, type RunRow, type RunType, storageNow, type WorkflowRow } from '../storage/index.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import type { RunPlace } from './dispatch/run-places.js'
import type { StartRunRequest } from './engine-params.js'
import { finalRow } from './run-finalizer.js'
import { outcomes } from './run-outcome.js'
import type { AuthorizationRequest } from './run-ports.js'
import { buildRunResult, secretKeysOf } from './run-result.js'
import type { EndingRun } from './terminal-writes.js'

/** What is asked of a run, whatever it executes. */
export type RunRequest = StartRunRequest & {
  readonly organizationId: string
  /** @default 'workflow' */
  readonly runType?: RunType
  /** @default false */
  readonly dryRun?: boolean
  readonly maxSteps?: number | undefined
  /** As what its caller asks for it: authorizer, rate limiter and the queue's limit have their say. What the engine starts itself is not asked about. */
  readonly admission?: AuthorizationRequest['action'] | undefined
  /** The debug session that it was asked for in. */
  readonly debugSessionId?: string | undefined
  /** Whatever the workflow says. */
  readonly runWith?: 'agent' | undefined
  /** The run that starts it; the host does when left out. */
  readonly parent?: Pick<RunRow, 'workflowRunId' | 'rootWorkflowRunId' | 'awaitedByRunBlockId'> | undefined
}

export interface NewRunParams {
  readonly workflowRunId: string
  /** The run's own, parsed; null: none. */
  readonly scopePolicy: RunRow['scopePolicy']
  readonly request: RunRequest
  readonly workflow: Pick<CompiledWorkflow, 'definition'> & {
    readonly row: Pick<WorkflowRow, 'workflowId' | 'workflowPermanentId' | 'title' | 'version'> &
      Partial<Pick<WorkflowRow, Inherited | 'runSequentially' | 'sequentialKey'>>
  }
}

/** What a run takes from its workflow where it does not say otherwise. */
type Inherited = 'webhookCallbackUrl' | 'proxyLocation' | 'extraHttpHeaders' | 'totpIdentifier'

/** The row of a run that was accepted: queued, its parameters coerced. Pure. */
export function queuedRun(params: NewRunParams, parameters: Readonly<Record<string, Json>>, place: RunPlace) {
  const { queuedAt, ...draft } = draftOf(params)
  const { wait } = params.request
  return {
    ...draft,
    ...place,
    status: 'queued',
    parameters: { ...parameters },
    ...(wait === undefined ? {} : { waitDeadlineAt: storageNow({ plusMs: wait.timeoutMs }) }),
    queuedAt,
    createdAt: storageNow(),
    modifiedAt: storageNow(),
  } satisfies NewRow<RunRow>
}

/** The row and the result of a run that was refused when it was created, at `now`. Pure. */
export function refusedRun(
  params: NewRunParams,
  error: RunwrightError,
  now: Date,
): { readonly row: NewRow<RunRow> & EndingRun; readonly result: RunResult } {
  const lanes = { sequentialLane: null, sessionLane: null }
  const run = { ...draftOf(params), ...lanes, parameters: {}, queuedAt: null, startedAt: null, createdAt: now, idempotencyKey: null }
  const result = buildRunResult({
    run,
    outcome: outcomes.setupFailed(error.message, error.code),
    summary: { errors: [], extractedInformation: [], downloadedFiles: [], screenshotArtifactIds: [] },
    outputs: {},
    secretKeys: secretKeysOf(params.workflow.definition),
    finishedAt: now,
    actionCount: 0,
    browserSessionId: run.browserSessionId,
  })
  return { row: { ...run, ...finalRow(run, result) }, result }
}

function draftOf({ workflowRunId, request, scopePolicy, workflow: { row: workflow } }: NewRunParams) {
  return {
    workflowRunId,
    organizationId: request.organizationId,
    workflowId: workflow.workflowId,
    workflowPermanentId: workflow.workflowPermanentId,
    workflowTitle: workflow.title,
    runType: request.runType ?? 'workflow',
    blockLabels: request.blockLabels ?? null,
    blockOutputs: request.blockOutputs ?? null,
    parentWorkflowRunId: request.parent?.workflowRunId ?? null,
    awaitedByRunBlockId: request.parent?.awaitedByRunBlockId ?? null,
    rootWorkflowRunId: request.parent?.rootWorkflowRunId ?? workflowRunId,
    debugSessionId: request.debugSessionId ?? null,
    runWith: request.runWith ?? null,
    browserSessionId: request.browserSessionId ?? null,
    waitTimeoutMs: request.wait?.timeoutMs ?? null,
    browserProfileId: request.browserProfileId ?? null,
    browserAddress: request.browserAddress ?? null,
    ownsSession: false,
    isParked: false,
    dependsOnWorkflowRunId: request.dependsOnWorkflowRunId ?? null,
    hasDependents: false,
    takeovers: 0,
    pausedMs: 0,
    dryRun: request.dryRun ?? false,
    maxSteps: request.maxSteps ?? null,
    scopePolicy,
    priority: request.priority,
    idempotencyKey: request.idempotencyKey ?? null,
    runMetadata: request.runMetadata ?? null,
    requestId: request.requestId ?? null,
    ...inherited(request, workflow),
    leaseFence: 0,
    attempt: 0,
    stepCount: 0,
    actionCount: 0,
    queuedAt: storageNow(),
  }
}

/** A null of the request is an answer, too: none. */
function inherited(request: RunRequest, workflow: NewRunParams['workflow']['row']): Pick<RunRow, Inherited> {
  const of = <K extends Inherited>(key: K) => (request[key] === undefined ? (workflow[key] ?? null) : request[key]) as RunRow[K]
  return {
    webhookCallbackUrl: of('webhookCallbackUrl'),
    proxyLocation: of('proxyLocation'),
    extraHttpHeaders: of('extraHttpHeaders'),
    totpIdentifier: of('totpIdentifier'),
  }
}
