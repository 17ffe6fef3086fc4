import type { BlockResult } from '../blocks/index.js'
import type { Json } from '../errors/index.js'
import type { FinalRunStatus } from './run-status.js'

/** How a run ended, as a value. */
export interface RunOutcome {
  readonly kind: 'completed' | 'failed' | 'terminated' | 'canceled' | 'timedOut' | 'setupFailed'
  readonly status: FinalRunStatus
  readonly reason: string | null
  readonly errorCode: string | null
}

/** The outcomes that a run can have. */
export const outcomes = {
  completed: (): RunOutcome => ({ kind: 'completed', status: 'completed', reason: null, errorCode: null }),
  failed: (reason: string, errorCode: string | null): RunOutcome => ({ kind: 'failed', status: 'failed', reason, errorCode }),
  terminated: (reason: string, errorCode: string | null): RunOutcome => ({ kind: 'terminated', status: 'terminated', reason, errorCode }),
  canceled: (by: string): RunOutcome => ({ kind: 'canceled', status: 'canceled', reason: `canceled by ${by}`, errorCode: 'RUN_CANCELED' }),
  timedOut: (limitMinutes: number): RunOutcome => ({
    kind: 'timedOut',
    status: 'timed_out',
    reason: `the run took longer than ${limitMinutes} minutes`,
    errorCode: 'RUN_TIMED_OUT',
  }),
  setupFailed: (reason: string, errorCode: string): RunOutcome => ({ kind: 'setupFailed', status: 'failed', reason, errorCode }),
} as const

/** What the end of a block that stops the walk makes of its run: a block's time-out fails the run, as a run's own is its elapsed limit. */
export function outcomeOfBlock(label: string, result: Exclude<BlockResult, { status: 'completed' }>): RunOutcome {
  const reason = `Block "${label}" ${result.status === 'timed_out' ? 'timed out' : result.status}: ${result.failureReason}`
  switch (result.status) {
    case 'terminated':
      return outcomes.terminated(reason, result.errorCode)
    case 'canceled':
      return outcomes.canceled('the block')
    default:
      return outcomes.failed(reason, result.errorCode)
  }
}

/** The outcome after the finally block: only a would-be completed run can be turned by it. */
export function afterFinally(pending: RunOutcome, finallyOutcome: RunOutcome): RunOutcome {
  if (finallyOutcome.kind === 'canceled') return finallyOutcome
  return pending.kind === 'completed' ? finallyOutcome : pending
}

/** The form that is kept on the row while the run is being finished. */
export const toPending = ({ kind, reason, errorCode }: RunOutcome): Record<string, Json> => ({ kind, reason, errorCode })

/** The outcome that was kept on a row; null when it is not one. */
export function fromPending(pending: Readonly<Record<string, Json>>): RunOutcome | null {
  const { kind, reason, errorCode } = pending
  const text = typeof reason === 'string' ? reason : ''
  const code = typeof errorCode === 'string' ? errorCode : null
  switch (kind) {
    case 'completed':
      return outcomes.completed()
    case 'failed':
      return outcomes.failed(text, code)
    case 'setupFailed':
      return outcomes.setupFailed(text, code ?? 'SETUP_FAILED')
    case 'canceled':
      return { ...outcomes.canceled(''), reason: text, errorCode: code }
    case 'terminated':
      return outcomes.terminated(text, code)
    case 'timedOut':
      return { kind, status: 'timed_out', reason: text, errorCode: code }
    default:
      return null
  }
}
