import type { Json } from './json.js'
import { RunwrightError } from './runwright-error.js'

type Details = Readonly<Record<string, Json | undefined>>

/** Base of what can go wrong with a browser session. */
export class SessionError extends RunwrightError {
  static override readonly kind: string = 'SessionError'
}

/** No such session in this organisation. Code `SESSION_NOT_FOUND`. */
export class SessionNotFoundError extends SessionError {
  static override readonly kind = 'SessionNotFoundError'
  constructor(browserSessionId: string) {
    super(`No browser session ${browserSessionId} in this organisation`, { code: 'SESSION_NOT_FOUND', details: { browserSessionId } })
  }
}

/** Who holds an occupied session. */
export interface SessionHolder {
  /** For example `workflow_run`. */
  readonly runnableType: string
  readonly runnableId: string
  /** The host that renews the lease. */
  readonly leaseHolder: string | null
}

/** Somebody else holds the session: the holder and the end of its lease are in the error. Code `SESSION_OCCUPIED`, retryable. */
export class SessionOccupiedError extends SessionError {
  static override readonly kind = 'SessionOccupiedError'
  readonly holder: SessionHolder
  /** When the holder took the session. */
  readonly since: Date | null
  /** When its lease ends unless it is renewed. */
  readonly leaseExpiresAt: Date | null
  /** How long was waited for it in vain, in milliseconds; null: not at all. */
  readonly waitedMs: number | null
  constructor(
    browserSessionId: string,
    holder: SessionHolder,
    since: Date | null,
    leaseExpiresAt: Date | null,
    waitedMs: number | null = null,
  ) {
    super(
      `Browser session ${browserSessionId} is occupied by ${holder.runnableType} ${holder.runnableId}${since ? ` since ${since.toISOString()}` : ''}${
        leaseExpiresAt ? `, lease until ${leaseExpiresAt.toISOString()}` : ''
      }${waitedMs === null ? '' : `; waited ${Math.round(waitedMs)} ms for it`}`,
      {
        code: 'SESSION_OCCUPIED',
        retryable: true,
        details: {
          browserSessionId,
          holder: { ...holder },
          since: since?.toISOString() ?? null,
          leaseExpiresAt: leaseExpiresAt?.toISOString() ?? null,
          ...(waitedMs === null ? {} : { waitedMs }),
        },
      },
    )
    this.holder = holder
    this.since = since
    this.leaseExpiresAt = leaseExpiresAt
    this.waitedMs = waitedMs
  }
}

/** The session has ended, or is past its end. Code `SESSION_ENDED` (final status) or `SESSION_EXPIRED` (past `expiresAt`). */
export class SessionEndedError extends SessionError {
  static override readonly kind = 'SessionEndedError'
  constructor(
    browserSessionId: string,
    options: { code: 'SESSION_ENDED' | 'SESSION_EXPIRED'; status: string; closeReason: string | null },
  ) {
    super(
      options.code === 'SESSION_EXPIRED'
        ? `Browser session ${browserSessionId} has expired`
        : `Browser session ${browserSessionId} has ended: ${options.status}${options.closeReason ? ` (${options.closeReason})` : ''}`,
      { code: options.code, details: { browserSessionId, status: options.status, closeReason: options.closeReason } },
    )
  }
}

/** A host that does not own the session's browser cannot connect to it. Code `SESSION_NOT_ATTACHABLE`. */
export class SessionNotAttachableError extends SessionError {
  static override readonly kind = 'SessionNotAttachableError'
  constructor(browserSessionId: string, reason: string) {
    super(`Browser session ${browserSessionId} cannot be attached to: ${reason}`, {
      code: 'SESSION_NOT_ATTACHABLE',
      details: { browserSessionId, reason },
    })
  }
}

/** The session takes no new holder: it was retired, or is worn out, and ends with its present lease. Code `SESSION_RETIRED`. */
export class SessionRetiredError extends SessionError {
  static override readonly kind = 'SessionRetiredError'
  constructor(browserSessionId: string, reason: string) {
    super(`Browser session ${browserSessionId} takes no new holder: ${reason}`, {
      code: 'SESSION_RETIRED',
      details: { browserSessionId, reason },
    })
  }
}

/** This host gives out no more sessions: its pool is being drained. Code `POOL_DRAINING`, retryable on another host. */
export class PoolDrainingError extends SessionError {
  static override readonly kind = 'PoolDrainingError'
  constructor(hostId: string) {
    super(`The session pool of host ${hostId} is being drained and gives out no more sessions`, {
      code: 'POOL_DRAINING',
      details: { hostId },
      retryable: true,
    })
  }
}

/** The session's browser lives on another host, or its host is dead. Code `SESSION_HOST_UNAVAILABLE`. */
export class SessionHostUnavailableError extends SessionError {
  static override readonly kind = 'SessionHostUnavailableError'
  constructor(browserSessionId: string, hostId: string | null) {
    super(`The host of browser session ${browserSessionId} (${hostId ?? 'none'}) is not this one or is not alive`, {
      code: 'SESSION_HOST_UNAVAILABLE',
      details: { browserSessionId, hostId },
    })
  }
}

/** The session cannot be renewed: it is final or never started. Code `SESSION_NOT_RENEWABLE`. */
export class SessionNotRenewableError extends SessionError {
  static override readonly kind = 'SessionNotRenewableError'
  constructor(browserSessionId: string, reason: string) {
    super(`Browser session ${browserSessionId} cannot be renewed: ${reason}`, {
      code: 'SESSION_NOT_RENEWABLE',
      details: { browserSessionId, reason },
    })
  }
}

/** A write with a fence that is no longer the session's: it changed nothing. Code `STALE_LEASE`. */
export class StaleLeaseError extends SessionError {
  static override readonly kind = 'StaleLeaseError'
  constructor(browserSessionId: string, leaseFence: number) {
    super(`The lease with fence ${leaseFence} on browser session ${browserSessionId} is no longer held`, {
      code: 'STALE_LEASE',
      details: { browserSessionId, leaseFence },
    })
  }
}

/** Reason of a lease's aborted signal: the lease lapsed, was ended by force, or could not be renewed. Code `LEASE_LOST`. */
export class LeaseLostError extends SessionError {
  static override readonly kind = 'LeaseLostError'
  constructor(browserSessionId: string, reason: string, cause?: unknown) {
    super(`The lease on browser session ${browserSessionId} was lost: ${reason}`, {
      code: 'LEASE_LOST',
      details: { browserSessionId, reason },
      cause,
    })
  }
}

/** Reason of a lease's aborted signal: the browser crashed or disconnected. Code `SESSION_LOST`. */
export class SessionCrashedError extends SessionError {
  static override readonly kind = 'SessionCrashedError'
  constructor(browserSessionId: string, reason: string, cause?: unknown) {
    super(`The browser of session ${browserSessionId} is gone: ${reason}`, {
      code: 'SESSION_LOST',
      details: { browserSessionId, reason },
      cause,
    })
  }
}

/**
 * A run or lease has a policy of what may be reached, and nothing holds the session's browser to it. Code `SCOPE_NOT_ENFORCEABLE`.
 * Make the session with `guarded: true`.
 */
export class ScopeNotEnforceableError extends SessionError {
  static override readonly kind = 'ScopeNotEnforceableError'
  constructor(browserSessionId: string, reason: string) {
    super(`No policy can be enforced on browser session ${browserSessionId}: ${reason}`, {
      code: 'SCOPE_NOT_ENFORCEABLE',
      details: { browserSessionId, reason },
    })
  }
}

/** More sessions than this host, or this organisation, may have, or more who wait than may. Code `POOL_SATURATED`, retryable. */
export class PoolSaturatedError extends SessionError {
  static override readonly kind = 'PoolSaturatedError'
  constructor(message: string, details: Details) {
    super(message, { code: 'POOL_SATURATED', details, retryable: true })
  }
}

/** What stood in the way of an `acquire` until its deadline. */
export interface AcquireFigures {
  readonly organizationId: string
  /** From the call to its deadline, in milliseconds. */
  readonly waitedMs: number
  /** Place in the line, 1 for the first; null: its browser was being launched, or its session taken. */
  readonly position: number | null
  /** Calls of all organisations that wait on this host. */
  readonly waiting: number
  /** Sessions of this host. */
  readonly sessions: {
    readonly running: number
    readonly held: number
    readonly starting: number
    readonly ending: number
    readonly warm: number
    readonly maxSessions: number
  }
}

/** No session came free, and none could be made, by the deadline of `acquire`; `details` holds the figures. Code `ACQUIRE_TIMEOUT`, retryable. */
export class AcquireTimeoutError extends SessionError {
  static override readonly kind = 'AcquireTimeoutError'
  constructor(figures: AcquireFigures) {
    const { running, held, starting, ending, maxSessions } = figures.sessions
    const place =
      figures.position === null ? 'its session was on its way' : `it was number ${figures.position} of ${figures.waiting} in line`
    super(
      `No browser session for organisation ${figures.organizationId} within ${Math.round(figures.waitedMs)} ms: ${place}; of ${maxSessions} sessions ${running} run (${held} held), ${starting} start, ${ending} end`,
      { code: 'ACQUIRE_TIMEOUT', details: { ...figures, sessions: { ...figures.sessions } }, retryable: true },
    )
  }
}

/** Browsers failed to launch several times in a row: none is tried for `retryAfterMs`. Code `BREAKER_OPEN`, retryable. */
export class BreakerOpenError extends SessionError {
  static override readonly kind = 'BreakerOpenError'
  /** In milliseconds. */
  readonly retryAfterMs: number
  constructor(failures: number, retryAfterMs: number) {
    super(`${failures} launches of a browser have failed in a row; the next is tried in ${retryAfterMs} ms`, {
      code: 'BREAKER_OPEN',
      details: { failures, retryAfterMs },
      retryable: true,
    })
    this.retryAfterMs = retryAfterMs
  }
}

/** Why a browser could not be launched. */
export type LaunchFailureCategory =
  | 'executable_missing'
  | 'display'
  | 'port'
  | 'profile_locked'
  | 'crashed'
  | 'timeout'
  | 'aborted'
  /** Nothing that could be attached to answers at the address. */
  | 'unreachable'
  /** The driver cannot attach to browsers that run already. */
  | 'unsupported'
  | 'unknown'

/** A browser could not be launched; `category` says why. Codes `BROWSER_NOT_FOUND`, `PROFILE_LOCKED`, `BROWSER_LAUNCH_FAILED`. */
export class BrowserLaunchError extends SessionError {
  static override readonly kind = 'BrowserLaunchError'
  readonly category: LaunchFailureCategory
  constructor(message: string, options: { category: LaunchFailureCategory; retryable?: boolean; cause?: unknown; details?: Details }) {
    super(message, {
      code:
        options.category === 'executable_missing'
          ? 'BROWSER_NOT_FOUND'
          : options.category === 'profile_locked'
            ? 'PROFILE_LOCKED'
            : 'BROWSER_LAUNCH_FAILED',
      details: { category: options.category, ...options.details },
      cause: options.cause,
      retryable: options.retryable ?? false,
    })
    this.category = options.category
  }
}
