import type { CloseReason, SessionStatus } from '../storage/tables/browser-sessions.js'

export type FinalSessionStatus = Extract<SessionStatus, 'completed' | 'failed' | 'timeout'>
export type LiveSessionStatus = Exclude<SessionStatus, FinalSessionStatus>

const TRANSITIONS: Readonly<Record<SessionStatus, readonly SessionStatus[]>> = {
  created: ['running', 'completed', 'failed', 'timeout'],
  running: ['retry', 'completed', 'failed', 'timeout'],
  retry: ['running', 'completed', 'failed', 'timeout'],
  completed: [],
  failed: [],
  timeout: [],
}

/** Statuses of a session that has not ended. */
export const LIVE_STATUSES: readonly LiveSessionStatus[] = ['created', 'running', 'retry']

/** The statuses from which a session may go to `to`: the condition of every write that changes the status. */
export function statusesBefore(to: SessionStatus): readonly SessionStatus[] {
  return (Object.keys(TRANSITIONS) as SessionStatus[]).filter((from) => TRANSITIONS[from].includes(to))
}

export function isFinalStatus(status: SessionStatus): status is FinalSessionStatus {
  return TRANSITIONS[status].length === 0
}

const FAILURES: readonly CloseReason[] = ['crashed', 'disconnected', 'launch_failed', 'probe_failed', 'orphan', 'policy_violation']
const TIMEOUTS: readonly CloseReason[] = ['expired', 'idle_ttl']

/** The final status that a close reason stands for. */
export function statusFor(closeReason: CloseReason): FinalSessionStatus {
  if (FAILURES.includes(closeReason)) return 'failed'
  if (TIMEOUTS.includes(closeReason)) return 'timeout'
  return 'completed'
}
