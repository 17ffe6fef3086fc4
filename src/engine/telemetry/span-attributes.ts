import type { EventPayload } from '../../events/index.js'
import type { Attributes } from '../run-ports.js'

type Value = string | number | boolean | null | undefined

/** What is known, under the names of this library. Ids, labels, types and codes only: never a parameter, an output or a value. */
const attributesOf = (values: Readonly<Record<string, Value>>): Attributes =>
  Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === null || value === undefined ? [] : [[`runwright.${key}`, value] as const])),
  )

export const runAttributes = (run: {
  readonly workflowRunId: string
  readonly organizationId: string
  readonly workflowPermanentId?: string
  readonly attempt?: number
}): Attributes =>
  attributesOf({
    workflow_run_id: run.workflowRunId,
    organization_id: run.organizationId,
    workflow_permanent_id: run.workflowPermanentId,
    'run.attempt': run.attempt,
  })

/** What is known of a run when its span ends. */
export const runEndAttributes = (run: {
  readonly status: string
  readonly errorCode?: string | null
  readonly workflowPermanentId?: string
}) => attributesOf({ 'run.status': run.status, 'error.code': run.errorCode, workflow_permanent_id: run.workflowPermanentId })

export const blockAttributes = (block: EventPayload<'block.started'>): Attributes =>
  attributesOf({
    workflow_run_id: block.workflowRunId,
    run_block_id: block.runBlockId,
    'block.label': block.label,
    'block.type': block.type,
    'block.attempt': block.attempt,
    'block.index': block.currentIndex,
  })

export const blockEndAttributes = (status: string, { errorCode }: { readonly errorCode: string | null }): Attributes =>
  attributesOf({ 'block.status': status, 'error.code': errorCode })

export const actionAttributes = (action: EventPayload<'action.blocked'>, status: string, errorCode: string | null): Attributes =>
  attributesOf({
    workflow_run_id: action.workflowRunId,
    run_block_id: action.runBlockId,
    action_id: action.actionId,
    'block.label': action.blockLabel,
    'action.type': action.type,
    'action.status': status,
    'error.code': errorCode,
  })
