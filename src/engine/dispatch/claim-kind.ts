import type { RunRow } from '../../storage/index.js'

/**
 * How a run comes to a host. `start`: it was queued. `resume`: a pause was decided. `handOver`: a host that stopped gave it back.
 * `takeOver`: its host let the lease lapse. `end`: it was paused, and somebody cancelled it: only its end is left to do.
 */
export type ClaimKind = 'start' | 'resume' | 'handOver' | 'takeOver' | 'end'

/** What becomes of a run whose host is lost; the workflow says it. */
export type OnHostLost = 'fail' | 'resume'

/** How often a run is taken over from lost hosts before it is taken for their cause. */
export const MAX_TAKEOVERS = 3

type Claimable = Pick<RunRow, 'status' | 'leaseHolder' | 'pauseDecision' | 'cancelRequestedAt'>

/** As what a run can be claimed; null: there is nothing to claim. Whether a holder's lease has lapsed is decided by the claim itself. Pure. */
export function claimKindOf({ status, leaseHolder, pauseDecision, cancelRequestedAt }: Claimable): ClaimKind | null {
  if (status === 'queued') return 'start'
  if (status === 'paused') return cancelRequestedAt === null ? null : 'end'
  if (status !== 'running') return null
  if (leaseHolder !== null) return 'takeOver'
  return pauseDecision === null ? 'handOver' : 'resume'
}

/** Whether a run that comes from another host goes on; else it is only brought to its end. `takeovers` counts this one. Pure. */
export function continuesAfterLoss(
  run: Pick<RunRow, 'pendingOutcome' | 'cancelRequestedAt'> & { readonly takeovers: number },
  onHostLost: OnHostLost,
): boolean {
  return onHostLost === 'resume' && run.pendingOutcome === null && run.cancelRequestedAt === null && run.takeovers <= MAX_TAKEOVERS
}
