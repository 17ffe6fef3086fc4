import type { RunBlockRow, RunRow, WorkflowRow } from '../storage/index.js'
import { type ClaimKind, MAX_TAKEOVERS } from './dispatch/claim-kind.js'
import { HOST_LOST, type RunHistory } from './run-history.js'
import { fromPending, outcomes, type RunOutcome } from './run-outcome.js'

/** How an execution goes on with a run. */
export type RunPlan =
  /** Walks its blocks: from the first, or past what earlier executions have done. */
  | { readonly kind: 'walk' }
  /** What it comes to is decided already. */
  | { readonly kind: 'finish'; readonly outcome: RunOutcome; readonly runsFinally: boolean }

export interface RunPlanParams {
  readonly kind: ClaimKind
  readonly run: Pick<RunRow, 'cancelRequestedAt' | 'cancelRequestedBy' | 'pendingOutcome' | 'takeovers' | 'leaseFence'>
  readonly onHostLost: WorkflowRow['onHostLost']
  readonly history: RunHistory
  readonly finallyLabel: string | null
}

/** What becomes of a run that was claimed. Pure. */
export function planRun({ kind, run, onHostLost, history, finallyLabel }: RunPlanParams): RunPlan {
  if (run.cancelRequestedAt !== null) return finish(outcomes.canceled(run.cancelRequestedBy ?? 'unknown'), false)
  if (kind === 'start' || kind === 'end') return { kind: 'walk' }
  const isCrashLoop = kind === 'takeOver' && run.takeovers > MAX_TAKEOVERS
  const pending = run.pendingOutcome === null ? null : fromPending(run.pendingOutcome)
  if (pending !== null) return finish(pending, !isCrashLoop && pending.kind !== 'canceled' && pending.kind !== 'setupFailed')
  if (isCrashLoop) {
    return finish(outcomes.failed(`its host was lost ${run.takeovers} times: it may be what hosts die of`, 'CRASH_LOOP'), false)
  }
  if (kind !== 'resume' && onHostLost === 'fail') {
    const how = kind === 'takeOver' ? 'the host that executed the run is gone' : 'the host that executed the run was stopped'
    return finish(outcomes.failed(how, HOST_LOST), true)
  }
  const inFlight = history.open.find((row) => row.intent !== null && row.label !== finallyLabel)
  return inFlight === undefined ? { kind: 'walk' } : finish(outcomes.failed(unknownOutcome(inFlight), 'OUTCOME_UNKNOWN'), true)
}

/** Why an attempt that was interrupted is not made again: what was in flight may have taken effect. Pure. */
export function unknownOutcome({ label, intent }: Pick<RunBlockRow, 'label' | 'intent'>): string {
  const action = typeof intent?.description === 'string' ? intent.description : 'an action'
  return `Block "${label}" is not to be done twice, and its host was lost while this was in flight: ${action}`
}

const finish = (outcome: RunOutcome, runsFinally: boolean): RunPlan => ({ kind: 'finish', outcome, runsFinally })
