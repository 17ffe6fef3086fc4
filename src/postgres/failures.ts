import { type Json, RunwrightError, StorageError, type StorageErrorCode } from '../errors/index.js'
import { isAbortError } from '../runtime/index.js'
import { PortFailure } from './port.js'

/** What an error of the server carries; both drivers have these fields. */
interface ServerError {
  /** SQLSTATE. */
  readonly code: string
  readonly severity?: string
  readonly message: string
  readonly table?: string
  readonly constraint?: string
  readonly column?: string
}

/** The server's own answer inside of a failure; undefined where the server did not answer. */
export function serverErrorOf(failure: unknown): ServerError | undefined {
  const error = failure instanceof PortFailure ? failure.cause : failure
  if (typeof error !== 'object' || error === null) return undefined
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in error ? (error as ServerError) : undefined
}

/** Which constraint a unique violation names; undefined for every other failure. */
export function violatedKey(failure: unknown): { readonly table: string; readonly constraint: string } | undefined {
  const error = serverErrorOf(failure)
  if (error?.code !== '23505' || error.table === undefined || error.constraint === undefined) return undefined
  return { table: error.table, constraint: error.constraint }
}

/** Whether a chain of writes broke: one of them refused after others had been done, so that it divided by zero. */
export const isChainBroken = (failure: unknown): boolean => serverErrorOf(failure)?.code === '22012'

/** Whether a statement that failed so has certainly changed nothing, and may well succeed when it is repeated at once. */
export function isWorthRepeating(failure: unknown): boolean {
  const code = serverErrorOf(failure)?.code
  // serialization failure, deadlock; statements prepared behind a pooler's back are repeated unprepared by the port
  return code === '40001' || code === '40P01'
}

/** Whether the failure leaves open what became of the statement. An ERROR of the server undoes it; a FATAL may come after the commit. */
export function isOutcomeOpen(failure: unknown): boolean {
  if (!(failure instanceof PortFailure) || !failure.wasSent) return false
  const error = serverErrorOf(failure)
  return error === undefined || error.severity === 'FATAL' || error.severity === 'PANIC'
}

/** Whether the connection is to blame, so that the same statement may succeed on another one. */
export function isConnectionFault(failure: unknown): boolean {
  const error = serverErrorOf(failure)
  if (error !== undefined) return /^(08|57P0[123])/.test(error.code) || error.severity === 'FATAL'
  return failure instanceof PortFailure && !isPoolExhausted(failure)
}

const isPoolExhausted = (failure: Error) => /timeout exceeded when trying to connect/.test(failure.message)

const codes: readonly (readonly [sqlState: RegExp, code: StorageErrorCode, retryable: boolean])[] = [
  [/^(57014|55P03)/, 'STORAGE_TIMEOUT', true],
  [/^(08|53|57P0|25006)/, 'STORAGE_UNAVAILABLE', true],
  [/^40/, 'STORAGE_UNAVAILABLE', true],
  // out of range, not encodable, a check that failed, longer than an index takes
  [/^(22|23502|23514|54000)/, 'STORAGE_INVALID_ROW', false],
  // no such table, schema, column
  [/^(42P01|3F000|42703)/, 'STORAGE_MIGRATION_MISSING', false],
]

/** A failure as the adapter's caller sees it. */
export function toStorageError(failure: unknown, doing: string): unknown {
  if (RunwrightError.is(failure) || isAbortError(failure)) return failure
  const error = serverErrorOf(failure)
  const cause = failure instanceof PortFailure ? failure.cause : failure
  const reason = cause instanceof Error ? cause.message : String(cause)
  if (error === undefined) {
    if (!(failure instanceof PortFailure)) return storageError('STORAGE_FAILED', `${doing} failed: ${reason}`, { cause })
    const hint = isPoolExhausted(failure) ? 'every connection of the pool is in use' : 'the database cannot be reached'
    return storageError('STORAGE_UNAVAILABLE', `${doing} failed, ${hint}: ${reason}`, { cause, retryable: true })
  }
  const [, code, retryable] = codes.find(([sqlState]) => sqlState.test(error.code)) ?? [undefined, 'STORAGE_FAILED' as const, false]
  const details = { sqlState: error.code, table: error.table, constraint: error.constraint, column: error.column }
  return storageError(code, `${doing} failed: ${reason} (SQLSTATE ${error.code})`, { cause, retryable, details })
}

/** A coded error of this adapter. */
export function storageError(
  code: StorageErrorCode,
  message: string,
  options: { cause?: unknown; retryable?: boolean; details?: Readonly<Record<string, Json | undefined>> } = {},
): StorageError {
  return new StorageError(message, { code, ...options })
}

/** Whether a table or schema is simply not there. */
export const isMissingTable = (failure: unknown): boolean => /^(42P01|3F000)$/.test(serverErrorOf(failure)?.code ?? '')
