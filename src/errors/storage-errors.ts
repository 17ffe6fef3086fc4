import type { Json } from './json.js'
import { RunwrightError } from './runwright-error.js'

/** Codes of {@link StorageError}. */
export type StorageErrorCode =
  | 'STORAGE_FAILED'
  | 'STORAGE_CLOSED'
  | 'STORAGE_INVALID_BATCH'
  | 'STORAGE_INVALID_ROW'
  | 'STORAGE_INVALID_QUERY'
  /** The database cannot be reached, is shutting down, or has no room: connections, memory, disk. Nothing was applied. */
  | 'STORAGE_UNAVAILABLE'
  /** The database gave up waiting: statement or lock time-out. Nothing was applied. */
  | 'STORAGE_TIMEOUT'
  /** The connection was lost while a commit was under way, and the database could not be asked whether it applied. */
  | 'STORAGE_OUTCOME_UNKNOWN'
  /** The stored schema wants a newer library; `details` name both versions. */
  | 'STORAGE_SCHEMA_NEWER'
  /** The stored schema is older than the library, or not there, and the library may not change it. */
  | 'STORAGE_MIGRATION_MISSING'
  /** Another process has the directory. */
  | 'STORAGE_LOCKED'

/**
 * A storage failed or was misused. Codes: `STORAGE_FAILED`, `STORAGE_CLOSED`, `STORAGE_INVALID_BATCH`, `STORAGE_INVALID_ROW`,
 * `STORAGE_INVALID_QUERY`; of databases also `STORAGE_UNAVAILABLE`, `STORAGE_TIMEOUT`, `STORAGE_OUTCOME_UNKNOWN`, `STORAGE_SCHEMA_NEWER`,
 * `STORAGE_MIGRATION_MISSING`, `STORAGE_LOCKED`.
 */
export class StorageError extends RunwrightError {
  static override readonly kind: string = 'StorageError'
  constructor(
    message: string,
    options: {
      code: StorageErrorCode
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
