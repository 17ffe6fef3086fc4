import { RunwrightError } from './runwright-error.js'

/** The debug session has been completed, and its browser closed: `getOrCreate` makes the next. Code `DEBUG_SESSION_ENDED`. */
export class DebugSessionEndedError extends RunwrightError {
  static override readonly kind = 'DebugSessionEndedError'
  constructor(debugSessionId: string) {
    super(`Debug session ${debugSessionId} has been completed`, { code: 'DEBUG_SESSION_ENDED', details: { debugSessionId } })
  }
}

/** Others kept changing the debug session meanwhile. Code `DEBUG_SESSION_CONFLICT`, retryable. */
export class DebugSessionConflictError extends RunwrightError {
  static override readonly kind = 'DebugSessionConflictError'
  constructor(workflowPermanentId: string, userId: string, attempts: number) {
    super(`The debug session of ${userId} for workflow ${workflowPermanentId} was changed by others ${attempts} times meanwhile`, {
      code: 'DEBUG_SESSION_CONFLICT',
      details: { workflowPermanentId, userId, attempts },
      retryable: true,
    })
  }
}
