import { RunwrightError } from './runwright-error.js'

/** An option or argument that does not fit; `details` names the path, what was expected and what came. Code `INVALID_ARGUMENT`. */
export class InvalidArgumentError extends RunwrightError {
  static override readonly kind = 'InvalidArgumentError'
  constructor(
    message: string,
    details: { path: string; expected: string; received?: string | undefined } & Record<string, string | undefined>,
  ) {
    super(message, { code: 'INVALID_ARGUMENT', details })
  }
}

/** A call on a service that is not started, or is stopped already. Code `NOT_RUNNING`. */
export class NotRunningError extends RunwrightError {
  static override readonly kind = 'NotRunningError'
  constructor(service: string, state: string) {
    super(`${service} is ${state}; call start() first`, { code: 'NOT_RUNNING', details: { service, state } })
  }
}

/** Something took longer than it may. Code `TIMEOUT` unless a narrower one is given; distinct from an abort, which keeps the name `AbortError`. */
export class TimeoutError extends RunwrightError {
  static override readonly kind = 'TimeoutError'
  constructor(what: string, timeoutMs: number, options: { code?: string; cause?: unknown } = {}) {
    super(`${what} took longer than ${Math.round(timeoutMs)} ms`, {
      code: options.code ?? 'TIMEOUT',
      details: { what, timeoutMs },
      cause: options.cause,
      retryable: true,
    })
  }
}

/** An optional peer dependency that an entry needs and cannot load. Code `DEPENDENCY_MISSING`; `details.package` names it. */
export class DependencyMissingError extends RunwrightError {
  static override readonly kind = 'DependencyMissingError'
  constructor(packageName: string, neededBy: string, cause?: unknown) {
    super(`${neededBy} needs the package "${packageName}", which is not installed; run: npm install ${packageName}`, {
      code: 'DEPENDENCY_MISSING',
      details: { package: packageName, neededBy },
      cause,
    })
  }
}
