import type { Json } from './json.js'
import { RunwrightError } from './runwright-error.js'

/**
 * A display or its live view is not to be had.
 * Codes: `DISPLAY_PROGRAM_MISSING` (names program and package), `DISPLAY_START_FAILED`, `DISPLAY_NOT_FOUND`, `STREAM_UNAVAILABLE` (says why), `STREAM_LIMIT`.
 */
export class StreamingError extends RunwrightError {
  static override readonly kind = 'StreamingError'
  constructor(
    message: string,
    options: {
      code: 'DISPLAY_PROGRAM_MISSING' | 'DISPLAY_START_FAILED' | 'DISPLAY_NOT_FOUND' | 'STREAM_UNAVAILABLE' | 'STREAM_LIMIT'
      details?: Readonly<Record<string, Json | undefined>>
      cause?: unknown
      retryable?: boolean
    },
  ) {
    super(message, options)
  }
}
