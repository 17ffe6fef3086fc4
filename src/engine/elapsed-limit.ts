import type { RunRow, WorkflowRow } from '../storage/index.js'

/** Minutes that a run may take when its workflow names none. */
export const DEFAULT_MAX_ELAPSED_MINUTES = 240

type Limits = Pick<WorkflowRow, 'maxElapsedTimeMinutes' | 'pauseCounts'>

/** How long runs of a workflow may take, in minutes. Pure. */
export const limitMinutesOf = ({ maxElapsedTimeMinutes }: Pick<Limits, 'maxElapsedTimeMinutes'>): number =>
  maxElapsedTimeMinutes ?? DEFAULT_MAX_ELAPSED_MINUTES

/**
 * When a run's time is over, by the storage's clock: counted from its first start, over all hosts that executed it. The time for which it
 * was paused so far is added, unless the workflow says that it counts. Pure.
 */
export function elapsedLimitAt(run: Pick<RunRow, 'startedAt' | 'createdAt' | 'pausedMs'>, workflow: Limits): Date {
  const startedAtMs = (run.startedAt ?? run.createdAt).getTime()
  return new Date(startedAtMs + limitMinutesOf(workflow) * 60_000 + (workflow.pauseCounts ? 0 : run.pausedMs))
}
