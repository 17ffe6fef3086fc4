import type { z } from 'zod'
import { InvalidArgumentError } from './lifecycle-errors.js'

/** Checks options or arguments; the first thing that does not fit is an `InvalidArgumentError` with path, expected and received. */
export function parseArgument<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const path = [what, ...(issue?.path.map(String) ?? [])].join('.')
  const received = issue === undefined ? value : issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown>)?.[key], value)
  throw new InvalidArgumentError(`${path}: ${issue?.message ?? 'does not fit'}`, {
    path,
    expected: issue !== undefined && 'expected' in issue ? String(issue.expected) : (issue?.message ?? 'another value'),
    received: describe(received),
  })
}

/** Kind of a value, and the value where it is a plain number, boolean or short text. */
function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return value.length > 80 ? `string of ${value.length} characters` : JSON.stringify(value)
  return Array.isArray(value) ? 'array' : typeof value
}
