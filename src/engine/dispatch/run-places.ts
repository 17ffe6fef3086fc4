import type { Templates } from '../../definition/index.js'
import { type Json, RunNotFoundError, RunwrightError, SequentialKeyError } from '../../errors/index.js'
import type { RunRow, Storage, WorkflowRow, Write } from '../../storage/index.js'
import type { StartRunRequest } from '../engine-params.js'
import { isFinalStatus } from '../run-status.js'
import { lanesFor } from './lane-names.js'
import { FINAL_STATUSES } from './obstacles.js'

/** Where a run stands in the queue. */
export type RunPlace = Pick<RunRow, 'sequentialLane' | 'sessionLane' | 'isParked'>

export interface PlaceParams {
  readonly storage: Storage
  readonly templates: Templates
  readonly request: Pick<StartRunRequest, 'browserSessionId' | 'wait' | 'dependsOnWorkflowRunId'> & { readonly organizationId: string }
  readonly workflow: Pick<WorkflowRow, 'workflowPermanentId'> & Partial<Pick<WorkflowRow, 'runSequentially' | 'sequentialKey'>>
  /** Coerced; secrets are not among them. */
  readonly parameters: Readonly<Record<string, Json>>
}

/**
 * The lanes of a run to come, and whether it begins to wait at once, as the run that it depends on has not ended.
 * @throws {SequentialKeyError} @throws {RunNotFoundError} for a dependency that is not there
 */
export async function placeOf(params: PlaceParams): Promise<RunPlace> {
  const { organizationId, browserSessionId, wait, dependsOnWorkflowRunId } = params.request
  const { workflowPermanentId, runSequentially = false } = params.workflow
  const lanes = lanesFor({
    organizationId,
    workflowPermanentId,
    runSequentially,
    sequentialKey: renderedKey(params),
    browserSessionId: wait === undefined ? null : (browserSessionId ?? null),
  })
  if (dependsOnWorkflowRunId === undefined) return { ...lanes, isParked: false }
  const dependency = await params.storage.get('runs', dependsOnWorkflowRunId)
  if (dependency?.organizationId !== organizationId) throw new RunNotFoundError(dependsOnWorkflowRunId)
  return { ...lanes, isParked: !isFinalStatus(dependency.status) }
}

/**
 * Goes with the run that depends on another: whoever ends that one finds that somebody waits. Refused when it has ended, and then the run
 * need not wait. Pure.
 */
export function announceDependent(dependsOnWorkflowRunId: string): Write {
  const where = { status: { notIn: FINAL_STATUSES } }
  return { op: 'update', table: 'runs', id: dependsOnWorkflowRunId, where, set: { hasDependents: true } }
}

function renderedKey({ templates, workflow, parameters }: PlaceParams): string | null {
  const { sequentialKey = null } = workflow
  if (sequentialKey === null) return null
  try {
    return templates.render(sequentialKey, parameters).trim()
  } catch (error) {
    throw new SequentialKeyError(workflow.workflowPermanentId, RunwrightError.is(error) ? error.message : String(error), { cause: error })
  }
}
