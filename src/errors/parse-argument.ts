import type { z } from 'zod'
import { InvalidArgumentError } from './lifecycle-errors.js'

/**
 * Checks options or arguments; the first thing that does not fit is an `InvalidArgumentError` with path, expected and received.
 * @param what - whose they are, for the message: `SessionPool`, `startRun`
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT`
 */
export function parseArgument<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0] as Issue
  const path = [...issue.path.map(String), ...(issue.keys === undefined ? [] : [issue.keys.join(', ')])].join('.') || '(all)'
  const received = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null | undefined)?.[key], value)
  throw new InvalidArgumentError(`${what}: ${path}: ${issue.message}`, {
    path,
    expected: issue.keys === undefined ? (issue.expected ?? issue.message) : 'a known key',
    received: issue.keys === undefined ? describe(received) : issue.keys.join(', '),
  })
}

/** What is read of an issue of zod's; `keys` are those that a strict object does not know. */
interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly expected?: string
  readonly keys?: readonly string[]
}

/** Kind of a value, and the value where it is a plain number, boolean or short text. */
function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return value.length > 80 ? `string of ${value.length} characters` : JSON.stringify(value)
  return Array.isArray(value) ? 'array' : typeof value
}
