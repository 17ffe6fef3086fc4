import type { ActionResult } from '../actions/index.js'
import type { Json } from '../errors/index.js'
import type { RunResult } from '../events/index.js'
import type { ElementDescriptor, PageDialog } from '../sessions/ports.js'
import type { ActionRow, StepRow } from '../storage/index.js'
import type { SingleActionInput } from './single-action-params.js'

/** What became of a single action; secrets in it are placeholders. */
export interface SingleActionResult {
  /** The run that it is recorded in. */
  readonly workflowRunId: string
  /** Its row; null when it never came to be performed, or an agent performed it by others. */
  readonly actionId: string | null
  readonly type: SingleActionInput['type']
  /** `blocked`: a policy refused it. `terminated`: an agent ended it early on purpose. */
  readonly status: 'completed' | 'failed' | 'blocked' | 'canceled' | 'terminated'
  /** What it gave: extracted data, a picture's artifact id, an element, where a navigation ended, an agent's answer; null for most. */
  readonly value: Json
  /** Why it did not complete; null: it did. */
  readonly error: { readonly code: string; readonly message: string } | null
  /** The page's address afterwards; null without a page. */
  readonly url: string | null
  /** What was touched, or found, with several ways to find it again; null: no element. */
  readonly element: ElementDescriptor | null
  /** Dialogs that the page showed meanwhile. */
  readonly dialogs: readonly PageDialog[]
  /** The picture that it took, or that was taken when it failed; null: none. */
  readonly screenshotArtifactId: string | null
  /** Whether it was only checked. */
  readonly dryRun: boolean
  /** From the call to its end, in milliseconds; null when it never came to be performed. */
  readonly durationMs: number | null
}

export interface OwnRunFacts {
  readonly type: SingleActionInput['type']
  readonly run: RunResult
  readonly dryRun: boolean
  /** Of the action; undefined when it never came to be performed. */
  readonly action: ActionRow | undefined
  /** The attempt at a step that it belongs to. */
  readonly step: StepRow | undefined
}

/** The result of an action that had a run of its own, as that run was recorded. Pure. */
export function ofOwnRun({ type, run, dryRun, action, step }: OwnRunFacts): SingleActionResult {
  const status = action === undefined || run.status !== 'completed' ? statusOf(run, action) : action.status
  return {
    workflowRunId: run.workflowRunId,
    actionId: action?.actionId ?? null,
    type,
    status,
    value: step?.output ?? (type === 'screenshot' ? (action?.screenshotArtifactId ?? null) : null),
    error: status === 'completed' ? null : errorOf(run, action),
    url: action?.url ?? null,
    element: (action?.element ?? null) as ElementDescriptor | null,
    dialogs: (action?.dialogs ?? []) as unknown as readonly PageDialog[],
    screenshotArtifactId: action?.screenshotArtifactId ?? null,
    dryRun,
    durationMs: action?.durationMs ?? null,
  }
}

/** A `terminate` action completes although its run does not. */
function statusOf({ status, errorCode }: RunResult, action: ActionRow | undefined): SingleActionResult['status'] {
  if (action !== undefined) return action.status
  if (errorCode === 'ACTION_BLOCKED') return 'blocked'
  return status === 'canceled' || status === 'terminated' ? status : 'failed'
}

function errorOf({ failureReason, errorCode, status }: RunResult, action: ActionRow | undefined): SingleActionResult['error'] {
  const recorded = action?.error as { readonly code: string; readonly message: string } | null | undefined
  return recorded ?? { code: errorCode ?? 'ACTION_FAILED', message: failureReason ?? `the run is ${status}` }
}

/** The result of an action that was performed in a run that goes on. Pure. */
export function ofActionResult(workflowRunId: string, result: ActionResult): SingleActionResult {
  const { actionId, type, status, value, error, url, element, dialogs, dryRun, durationMs } = result
  return {
    workflowRunId,
    actionId,
    type,
    status,
    value,
    error: error === null ? null : { code: error.code, message: error.message },
    url,
    element,
    dialogs,
    screenshotArtifactId: type === 'screenshot' && typeof value === 'string' ? value : null,
    dryRun,
    durationMs,
  }
}
