import type { z } from 'zod'
import type { DefinitionIssue, DefinitionIssueCode, Json } from '../errors/index.js'
import { kindOf } from './coerce.js'
import { nearestName } from './suggest.js'

type ZodIssue = z.core.$ZodIssue

/** Where a value that is checked stands, and how its issues are told. */
export interface ShapeContext {
  readonly path: readonly (string | number)[]
  readonly label?: string | undefined
  /** Known keys beside those of the schema itself, for suggestions at the value's own level. */
  readonly otherKeys?: readonly string[] | undefined
  /** Codes of rules by the first key of the path, instead of `INVALID_SHAPE`. The empty key is the value itself. */
  readonly codes?: Readonly<Record<string, DefinitionIssueCode>> | undefined
}

/** Checks a value, and adds what is wrong with it to the issues. Undefined when anything is. */
export function checkShape<T extends z.ZodType>(
  schema: T,
  value: unknown,
  context: ShapeContext,
  issues: DefinitionIssue[],
): z.output<T> | undefined {
  const result = schema.safeParse(value, { error: describeKeys, reportInput: false })
  if (result.success) return result.data
  for (const issue of result.error.issues) issues.push(...convert(issue, value, context))
  return undefined
}

/** Known keys of an object, handed on in the message: zod's issue does not name them. */
const describeKeys: z.core.$ZodErrorMap = (issue) => {
  if (issue.code !== 'unrecognized_keys') return undefined
  const shape = (issue.inst?._zod.def as { shape?: object } | undefined)?.shape
  return JSON.stringify(Object.keys(shape ?? {}))
}

function convert(issue: ZodIssue, root: unknown, context: ShapeContext): readonly DefinitionIssue[] {
  const inner = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  if (issue.code === 'unrecognized_keys') return unknownKeys(issue, inner, context)
  const received = readAt(root, inner)
  if (issue.code === 'invalid_union' && issue.discriminator === undefined) {
    const alternative = nearestAlternative(issue.errors)
    if (alternative !== undefined) {
      return alternative.flatMap((nested) => convert({ ...nested, path: [...issue.path, ...nested.path] } as ZodIssue, root, context))
    }
  }
  const code = codeOf(issue, inner, context)
  const expected = expectationOf(issue)
  const shown = show(received)
  const names = namesOf(issue)
  return [
    {
      code,
      path: [...context.path, ...inner],
      label: context.label,
      message: messageOf(issue, expected, shown),
      expected: names ?? expected,
      received: shown,
      suggestion: typeof received === 'string' && names !== undefined ? nearestName(received, names) : undefined,
    },
  ]
}

function unknownKeys(
  issue: Extract<ZodIssue, { code: 'unrecognized_keys' }>,
  inner: readonly (string | number)[],
  context: ShapeContext,
): readonly DefinitionIssue[] {
  const own = JSON.parse(issue.message) as string[]
  const known = inner.length === 0 ? [...own, ...(context.otherKeys ?? [])] : own
  return issue.keys.map((key) => {
    const suggestion = nearestName(key, known)
    return {
      code: 'UNKNOWN_KEY',
      path: [...context.path, ...inner, key],
      label: context.label,
      message: `unknown key "${key}"${suggestion === undefined ? '' : `, did you mean "${suggestion}"?`}`,
      expected: known,
      received: key,
      suggestion,
    }
  })
}

/** Of several alternatives, the one whose kind of value was given: its own mistakes tell more than "none fits". */
function nearestAlternative(alternatives: readonly (readonly ZodIssue[])[]): readonly ZodIssue[] | undefined {
  const candidates = alternatives.filter((errors) => errors.every((error) => error.code !== 'invalid_type' || error.path.length > 0))
  return candidates.length === 1 ? candidates[0] : undefined
}

function codeOf(issue: ZodIssue, inner: readonly (string | number)[], context: ShapeContext): DefinitionIssueCode {
  if (issue.code === 'invalid_union' && inner.at(-1) === 'type' && inner.includes('steps')) return 'UNKNOWN_ACTION_TYPE'
  if (inner.includes('selectors') && inner.length > inner.indexOf('selectors') + 1) return 'INVALID_SELECTOR_RULE'
  const isRule = issue.code === 'custom' || issue.code === 'too_small'
  return (isRule ? context.codes?.[String(inner[0] ?? '')] : undefined) ?? 'INVALID_SHAPE'
}

const namesOf = (issue: ZodIssue): readonly string[] | undefined => {
  if (issue.code === 'invalid_value') return issue.values.map(String)
  if (issue.code !== 'invalid_union') return undefined
  // an entry of a list of steps may have no type at all
  return (issue as { options?: readonly unknown[] }).options?.filter((name) => name !== undefined).map(String)
}

function expectationOf(issue: ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'string'
        ? 'text'
        : issue.expected === 'array'
          ? 'list'
          : issue.expected === 'int'
            ? 'integer'
            : issue.expected
    case 'too_small':
      return `${bounded(issue.origin)}${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`
    case 'too_big':
      return `${bounded(issue.origin)}${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`
    case 'invalid_value':
    case 'invalid_union':
      return namesOf(issue)?.join(' | ') ?? 'another kind of value'
    case 'custom':
      return typeof issue.params?.expected === 'string' ? issue.params.expected : 'another value'
    default:
      return issue.message
  }
}

const bounded = (origin: string) => (origin === 'string' ? 'length ' : origin === 'array' ? 'entries: ' : '')

function messageOf(issue: ZodIssue, expected: string, received: Json | undefined): string {
  if (issue.code === 'custom') return issue.message
  return received === undefined ? `is missing, expected ${expected}` : `expected ${expected}, received ${JSON.stringify(received)}`
}

function readAt(root: unknown, path: readonly (string | number)[]): unknown {
  let value = root
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string | number, unknown>)[key]
  }
  return value
}

/** A value as messages show it: scalars as they are, shortened; of the rest only the kind. */
export function show(value: unknown): Json | undefined {
  if (value === undefined || value === null || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value === 'string') return value.length > 100 ? `${value.slice(0, 100)}…` : value
  return kindOf(value)
}
