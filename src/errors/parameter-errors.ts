import type { Json } from './json.js'
import { RunwrightError } from './runwright-error.js'

/** One parameter whose value does not fit its type. Holds the kind of the value, never the value. */
export interface ParameterIssue {
  readonly key: string
  /** The declared type. */
  readonly expected: string
  /** The kind of what was given, for example `object`. */
  readonly received: string
  readonly message: string
}

/** Base of the three ways in which the parameters of a run can be wrong. `workflowRunId` names the failed run, once there is one. */
export class ParameterError extends RunwrightError {
  static override readonly kind: string = 'ParameterError'
  /** The run that was recorded as failed because of this; undefined where no run was asked for. */
  workflowRunId?: string | undefined
}

/** Values that do not fit their declared types, all of them at once. Code `INVALID_PARAMETERS`. */
export class InvalidParameterError extends ParameterError {
  static override readonly kind = 'InvalidParameterError'
  readonly issues: readonly ParameterIssue[]
  constructor(issues: readonly ParameterIssue[]) {
    super(`Invalid parameters: ${issues.map((issue) => issue.message).join('; ')}`, {
      code: 'INVALID_PARAMETERS',
      details: { issues: issues as unknown as Json },
    })
    this.issues = issues
  }
}

/** Required parameters without a value, all of them at once, sorted. Code `MISSING_PARAMETERS`. */
export class MissingParameterError extends ParameterError {
  static override readonly kind = 'MissingParameterError'
  readonly keys: readonly string[]
  constructor(keys: readonly string[]) {
    super(`Missing parameters: ${keys.join(', ')}`, { code: 'MISSING_PARAMETERS', details: { keys } })
    this.keys = keys
  }
}

/** Keys that the workflow does not declare, each with the nearest declared one. Code `UNKNOWN_PARAMETERS`. */
export class UnknownParameterError extends ParameterError {
  static override readonly kind = 'UnknownParameterError'
  readonly keys: readonly { readonly key: string; readonly suggestion?: string | undefined }[]
  constructor(keys: readonly { readonly key: string; readonly suggestion?: string | undefined }[], declared: readonly string[]) {
    const list = keys.map(({ key, suggestion }) => `"${key}"${suggestion === undefined ? '' : ` (did you mean "${suggestion}"?)`}`)
    super(`Unknown parameters: ${list.join(', ')}; declared: ${declared.length === 0 ? 'none' : declared.join(', ')}`, {
      code: 'UNKNOWN_PARAMETERS',
      details: { keys: keys as unknown as Json, declared },
    })
    this.keys = keys
  }
}

/** The template of the workflow's `sequentialKey` cannot be rendered with the parameters of the run. Code `SEQUENTIAL_KEY_FAILED`; no run is on record. */
export class SequentialKeyError extends ParameterError {
  static override readonly kind = 'SequentialKeyError'
  constructor(workflowPermanentId: string, reason: string, options: { cause?: unknown } = {}) {
    super(`The sequential key of workflow ${workflowPermanentId} cannot be rendered: ${reason}`, {
      ...options,
      code: 'SEQUENTIAL_KEY_FAILED',
      details: { workflowPermanentId, reason },
    })
  }
}

/** A secret that the credential provider does not hold, or cannot give. Code `CREDENTIAL_NOT_FOUND` or `CREDENTIAL_PROVIDER_FAILED`. */
export class CredentialError extends RunwrightError {
  static override readonly kind = 'CredentialError'
  constructor(
    message: string,
    options: {
      code: 'CREDENTIAL_NOT_FOUND' | 'CREDENTIAL_PROVIDER_FAILED'
      cause?: unknown
      details?: Readonly<Record<string, Json | undefined>>
    },
  ) {
    super(message, options)
  }
}
