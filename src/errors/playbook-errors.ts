import type { Json } from './json.js'
import { RunwrightError } from './runwright-error.js'

/** What can be wrong with the use of a playbook. */
export type PlaybookErrorCode = 'PLAYBOOK_NOT_FOUND' | 'PLAYBOOK_TOO_DEEP' | 'PLAYBOOK_VERSION_CONFLICT'

/**
 * A playbook that is not there (`PLAYBOOK_NOT_FOUND`, with the nearest name in `details.suggestion`), that is called more than 10 deep or
 * by itself (`PLAYBOOK_TOO_DEEP`), or whose next version others kept saving first (`PLAYBOOK_VERSION_CONFLICT`, retryable).
 */
export class PlaybookError extends RunwrightError {
  static override readonly kind = 'PlaybookError'
  declare readonly code: PlaybookErrorCode
  constructor(message: string, options: { code: PlaybookErrorCode; details?: Readonly<Record<string, Json | undefined>> }) {
    super(message, { ...options, retryable: options.code === 'PLAYBOOK_VERSION_CONFLICT' })
  }
}
