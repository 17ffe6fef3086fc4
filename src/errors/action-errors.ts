import type { Json } from './json.js'
import { RunwrightError } from './runwright-error.js'

/** Why an action did not succeed. */
export type ActionErrorCode =
  | 'TARGET_NOT_FOUND'
  | 'TARGET_NOT_ACTIONABLE'
  | 'TARGET_AMBIGUOUS'
  | 'NAVIGATION_FAILED'
  | 'ACTION_TIMEOUT'
  | 'ACTION_FAILED'
  | 'ACTION_BLOCKED'
  | 'ASSERTION_FAILED'
  | 'EXTRACTION_FAILED'
  | 'SCHEMA_MISMATCH'
  | 'PAGE_CLOSED'
  | 'NO_PAGE'
  | 'DOWNLOAD_FAILED'
  | 'TEMPLATE_ERROR'
  | 'TEMPLATE_TOO_COMPLEX'
  | 'CREDENTIAL_NOT_FOUND'
  | 'CREDENTIAL_PROVIDER_FAILED'
  | 'STUCK'
  | 'MAX_STEPS'
  | 'AGENT_FAILED'

/** An action on a page failed; the code says how, `details` names target and page. */
export class ActionError extends RunwrightError {
  static override readonly kind = 'ActionError'
  declare readonly code: ActionErrorCode
  constructor(
    message: string,
    options: { code: ActionErrorCode; details?: Readonly<Record<string, Json | undefined>>; cause?: unknown; retryable?: boolean },
  ) {
    super(message, options)
  }
}

/** Something that only an agent can do, and the engine has none: pass it one as `agent`. Code `AGENT_REQUIRED`. */
export class AgentRequiredError extends RunwrightError {
  static override readonly kind = 'AgentRequiredError'
  /** @param what - what was asked for, for example `ai_click` */
  constructor(what: string) {
    super(`${what} needs an agent, and none is configured`, { code: 'AGENT_REQUIRED', details: { what } })
  }
}
