import type { Json } from './json.js'
import { RunwrightError } from './runwright-error.js'

type Details = Readonly<Record<string, Json | undefined>>

/** No such workflow, or no such version, in this organisation. Code `WORKFLOW_NOT_FOUND`. */
export class WorkflowNotFoundError extends RunwrightError {
  static override readonly kind = 'WorkflowNotFoundError'
  constructor(workflowPermanentId: string, version?: number) {
    super(`No workflow ${workflowPermanentId}${version === undefined ? '' : ` with version ${version}`} in this organisation`, {
      code: 'WORKFLOW_NOT_FOUND',
      details: { workflowPermanentId, version },
    })
  }
}

/** Somebody else saved the same version first. Code `WORKFLOW_VERSION_CONFLICT`, retryable after reading again. */
export class WorkflowVersionConflictError extends RunwrightError {
  static override readonly kind = 'WorkflowVersionConflictError'
  constructor(workflowPermanentId: string, version: number) {
    super(`Version ${version} of workflow ${workflowPermanentId} was saved by somebody else meanwhile`, {
      code: 'WORKFLOW_VERSION_CONFLICT',
      details: { workflowPermanentId, version },
      retryable: true,
    })
  }
}

/** No such run in this organisation. Code `RUN_NOT_FOUND`. */
export class RunNotFoundError extends RunwrightError {
  static override readonly kind = 'RunNotFoundError'
  constructor(workflowRunId: string) {
    super(`No run ${workflowRunId} in this organisation`, { code: 'RUN_NOT_FOUND', details: { workflowRunId } })
  }
}

/** Something was asked of a run that only a running one can do. Code `RUN_NOT_RUNNING`; `details.status` says where it is. */
export class RunNotRunningError extends RunwrightError {
  static override readonly kind = 'RunNotRunningError'
  constructor(workflowRunId: string, status: string) {
    super(`Run ${workflowRunId} is ${status}, not running`, { code: 'RUN_NOT_RUNNING', details: { workflowRunId, status } })
  }
}

/** Another host executes the run; only there can it be acted on. Code `RUN_ELSEWHERE`; `details.leaseHolder` names the host. */
export class RunElsewhereError extends RunwrightError {
  static override readonly kind = 'RunElsewhereError'
  constructor(workflowRunId: string, leaseHolder: string | null) {
    super(`Run ${workflowRunId} is executed by another host: ${leaseHolder ?? 'none at the moment'}`, {
      code: 'RUN_ELSEWHERE',
      details: { workflowRunId, leaseHolder },
    })
  }
}

/** The run has no browser at this moment: no block has needed one so far. Code `RUN_WITHOUT_BROWSER`. */
export class RunWithoutBrowserError extends RunwrightError {
  static override readonly kind = 'RunWithoutBrowserError'
  constructor(workflowRunId: string) {
    super(`Run ${workflowRunId} has no browser: no block has needed one so far`, {
      code: 'RUN_WITHOUT_BROWSER',
      details: { workflowRunId },
    })
  }
}

/** The result of a run was asked for that has not ended. Code `RUN_NOT_ENDED`; `details.status` says where it is. */
export class RunNotEndedError extends RunwrightError {
  static override readonly kind = 'RunNotEndedError'
  constructor(workflowRunId: string, status: string) {
    super(`Run ${workflowRunId} is ${status}, and has no result yet`, { code: 'RUN_NOT_ENDED', details: { workflowRunId, status } })
  }
}

/** The run waits for nobody. Code `RUN_NOT_PAUSED`; `details.status` says where it is. */
export class RunNotPausedError extends RunwrightError {
  static override readonly kind = 'RunNotPausedError'
  constructor(workflowRunId: string, status: string) {
    super(`Run ${workflowRunId} is ${status}, not paused`, { code: 'RUN_NOT_PAUSED', details: { workflowRunId, status } })
  }
}

/** The token belongs to another pause of the run. Code `RESUME_TOKEN_MISMATCH`. */
export class ResumeTokenError extends RunwrightError {
  static override readonly kind = 'ResumeTokenError'
  constructor(workflowRunId: string) {
    super(`The resume token does not belong to the present pause of run ${workflowRunId}`, {
      code: 'RESUME_TOKEN_MISMATCH',
      details: { workflowRunId },
    })
  }
}

/** Too many runs wait already. Code `QUEUE_FULL`, retryable; `details` tell how many wait and how many may. */
export class QueueFullError extends RunwrightError {
  static override readonly kind = 'QueueFullError'
  constructor(details: { readonly queued: number; readonly maxQueuedRuns: number }) {
    super(`${details.queued} runs wait already, and at most ${details.maxQueuedRuns} may`, { code: 'QUEUE_FULL', details, retryable: true })
  }
}

/** The rate limiter refused the run. Code `RATE_LIMITED`, retryable; `details.retryAfterMs` says when, where that is known. */
export class RateLimitedError extends RunwrightError {
  static override readonly kind = 'RateLimitedError'
  constructor(retryAfterMs: number | null, reason: string | null = null) {
    super(reason ?? `Too many runs were started${retryAfterMs === null ? '' : `: try again in ${retryAfterMs} ms`}`, {
      code: 'RATE_LIMITED',
      details: { retryAfterMs },
      retryable: true,
    })
  }
}

/** The authorizer refused the call. Code `NOT_AUTHORIZED`. */
export class NotAuthorizedError extends RunwrightError {
  static override readonly kind = 'NotAuthorizedError'
  constructor(action: string, reason: string | null = null) {
    super(reason ?? `${action} is not allowed`, { code: 'NOT_AUTHORIZED', details: { action } })
  }
}

/** No such debug session in this organisation. Code `DEBUG_SESSION_NOT_FOUND`. */
export class DebugSessionNotFoundError extends RunwrightError {
  static override readonly kind = 'DebugSessionNotFoundError'
  constructor(debugSessionId: string) {
    super(`No debug session ${debugSessionId} in this organisation`, { code: 'DEBUG_SESSION_NOT_FOUND', details: { debugSessionId } })
  }
}

/** The run has nothing to deliver: it named no address, or has not ended. Code `WEBHOOK_DELIVERY_NOT_FOUND`. */
export class WebhookDeliveryNotFoundError extends RunwrightError {
  static override readonly kind = 'WebhookDeliveryNotFoundError'
  constructor(workflowRunId: string) {
    super(`Run ${workflowRunId} has no webhook to deliver: it named no address, or has not ended`, {
      code: 'WEBHOOK_DELIVERY_NOT_FOUND',
      details: { workflowRunId },
    })
  }
}

/** What is wrong with a webhook that cannot be trusted. */
export type WebhookVerificationFailure = 'missing_header' | 'malformed' | 'wrong_signature' | 'too_old' | 'from_the_future'

/** A webhook is not what it says: wrong signature, too old, or malformed. Code `WEBHOOK_NOT_VERIFIED`; `details.reason` says why. */
export class WebhookVerificationError extends RunwrightError {
  static override readonly kind = 'WebhookVerificationError'
  constructor(reason: WebhookVerificationFailure, message: string) {
    super(`The webhook cannot be trusted: ${message}`, { code: 'WEBHOOK_NOT_VERIFIED', details: { reason } })
  }
}

/** A status that the run's present one may not go to. Code `ILLEGAL_TRANSITION`. */
export class IllegalTransitionError extends RunwrightError {
  static override readonly kind = 'IllegalTransitionError'
  constructor(workflowRunId: string, from: string, to: string) {
    super(`Run ${workflowRunId} cannot go from ${from} to ${to}`, { code: 'ILLEGAL_TRANSITION', details: { workflowRunId, from, to } })
  }
}

/** This execution no longer owns the run: another host took it over, or it ended. Code `RUN_LEASE_LOST`. */
export class RunLeaseLostError extends RunwrightError {
  static override readonly kind = 'RunLeaseLostError'
  constructor(workflowRunId: string, reason: string) {
    super(`Run ${workflowRunId} is no longer executed here: ${reason}`, { code: 'RUN_LEASE_LOST', details: { workflowRunId, reason } })
  }
}

/** The reason with which a canceled run's signal aborts. Code `RUN_CANCELED`. */
export class RunCanceledError extends RunwrightError {
  static override readonly kind = 'RunCanceledError'
  constructor(workflowRunId: string, by: string) {
    super(`Run ${workflowRunId} was canceled by ${by}`, { code: 'RUN_CANCELED', details: { workflowRunId, by } })
  }
}

/** Thrown by a `code` handler to fail its block with a reason of its own. Code as given, default `BLOCK_FAILED`. */
export class BlockFailed extends RunwrightError {
  static override readonly kind = 'BlockFailed'
  constructor(message: string, options: { code?: string; cause?: unknown; details?: Details } = {}) {
    super(message, { ...options, code: options.code ?? 'BLOCK_FAILED' })
  }
}

/** Thrown by a `code` handler to terminate its block (a wanted early end). Code as given, default `BLOCK_TERMINATED`. */
export class BlockTerminated extends RunwrightError {
  static override readonly kind = 'BlockTerminated'
  constructor(message: string, options: { code?: string; cause?: unknown; details?: Details } = {}) {
    super(message, { ...options, code: options.code ?? 'BLOCK_TERMINATED' })
  }
}
