import type { Json } from './json.js'
import { RunwrightError } from './runwright-error.js'

/** A storage failed or was misused. Codes: `STORAGE_FAILED`, `STORAGE_CLOSED`, `STORAGE_INVALID_BATCH`, `STORAGE_INVALID_ROW`, `STORAGE_INVALID_QUERY`. */
export class StorageError extends RunwrightError {
  static override readonly kind: string = 'StorageError'
  constructor(
    message: string,
    options: {
      code: 'STORAGE_FAILED' | 'STORAGE_CLOSED' | 'STORAGE_INVALID_BATCH' | 'STORAGE_INVALID_ROW' | 'STORAGE_INVALID_QUERY'
      details?: Readonly<Record<string, Json | undefined>>
      cause?: unknown
      retryable?: boolean
    },
  ) {
    super(message, options)
  }
}

/** An artifact that cannot be stored or read. Codes: `ARTIFACT_NOT_FOUND`, `ARTIFACT_TOO_LARGE`, `ARTIFACT_KEY_INVALID`, `ARTIFACT_FAILED`. */
export class ArtifactError extends RunwrightError {
  static override readonly kind = 'ArtifactError'
  constructor(
    message: string,
    options: {
      code: 'ARTIFACT_NOT_FOUND' | 'ARTIFACT_TOO_LARGE' | 'ARTIFACT_KEY_INVALID' | 'ARTIFACT_FAILED'
      details?: Readonly<Record<string, Json | undefined>>
      cause?: unknown
    },
  ) {
    super(message, options)
  }
}
