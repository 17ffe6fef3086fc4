import type { RunStatus } from '../storage/index.js'

/** A status after which nothing follows. */
export type FinalRunStatus = 'completed' | 'failed' | 'terminated' | 'canceled' | 'timed_out'

/** Which status may follow which. The one table; every writer goes through it. */
export const RUN_TRANSITIONS: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  created: ['queued', 'failed', 'canceled'],
  queued: ['running', 'failed', 'canceled'],
  running: ['paused', 'completed', 'failed', 'terminated', 'canceled', 'timed_out'],
  paused: ['running', 'failed', 'canceled', 'timed_out'],
  completed: [],
  failed: [],
  terminated: [],
  canceled: [],
  timed_out: [],
}

/** Whether a run may go from one status to another; to the same one never. */
export const canTransition = (from: RunStatus, to: RunStatus): boolean => RUN_TRANSITIONS[from].includes(to)

/** The statuses from which a run may go to `to`: the `in` list of the conditional write. */
export const sourcesOf = (to: RunStatus): readonly RunStatus[] =>
  (Object.keys(RUN_TRANSITIONS) as RunStatus[]).filter((from) => canTransition(from, to))

const FINAL_EVENTS: ReadonlySet<string> = new Set(['run.completed', 'run.failed', 'run.terminated', 'run.canceled', 'run.timed_out'])

/** Whether an event of this type ends its run. */
export const isFinalEvent = (type: string): boolean => FINAL_EVENTS.has(type)

/** Whether nothing can follow. */
export const isFinalStatus = (status: RunStatus): status is FinalRunStatus => RUN_TRANSITIONS[status].length === 0
