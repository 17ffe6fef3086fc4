import { type OutputUnit, type Schema, Validator } from '@cfworker/json-schema'
import { formatPath, type Json } from '../errors/index.js'

/** A JSON Schema: an object, or a boolean. */
export type JsonSchema = { readonly [key: string]: Json | undefined } | boolean

/** One place where a schema is not as it should be. */
export interface JsonSchemaError {
  /** Keys and indexes from the root of the schema. */
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** One place where a value does not fit its schema. */
export interface JsonMismatch {
  /** For example `rows[0].price`; `(root)` is the value itself. */
  readonly path: string
  readonly message: string
}

/** What {@link validateJson} finds. */
export type JsonValidation = { readonly ok: true } | { readonly ok: false; readonly errors: readonly JsonMismatch[] }

const TYPES = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']

type Check = (value: unknown) => string | undefined

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const expecting =
  (expected: string, isFit: (value: unknown) => boolean): Check =>
  (value) =>
    isFit(value) ? undefined : `must be ${expected}`

const count = expecting('a whole number, 0 or more', (value) => Number.isInteger(value) && (value as number) >= 0)
const number = expecting('a number', Number.isFinite)
const bound = expecting('a number or a boolean', (value) => Number.isFinite(value) || typeof value === 'boolean')
const text = expecting('a text', (value) => typeof value === 'string')
const texts = expecting('a list of texts', (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'))

/** Keywords that hold a plain value. */
const VALUE_CHECKS: ReadonlyMap<string, Check> = new Map([
  [
    'type',
    expecting(`one of ${TYPES.join(', ')}, or a list of them`, (value) =>
      (Array.isArray(value) && value.length > 0 ? value : [value]).every((item) => TYPES.includes(item as string)),
    ),
  ],
  ['enum', expecting('a list', Array.isArray)],
  ['required', texts],
  ['pattern', expecting('a regular expression', (value) => typeof value === 'string' && isRegExp(value))],
  ['format', text],
  ['$ref', text],
  ['uniqueItems', expecting('a boolean', (value) => typeof value === 'boolean')],
  ['multipleOf', expecting('a number above 0', (value) => Number.isFinite(value) && (value as number) > 0)],
  ...(['minimum', 'maximum'] as const).map((key) => [key, number] as const),
  ...(['exclusiveMinimum', 'exclusiveMaximum'] as const).map((key) => [key, bound] as const),
  ...['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties', 'minContains', 'maxContains'].map(
    (key) => [key, count] as const,
  ),
])
const SCHEMA_KEYS = ['additionalProperties', 'unevaluatedProperties', 'propertyNames', 'additionalItems', 'unevaluatedItems']
const SCHEMA_KEYWORDS: ReadonlySet<string> = new Set([...SCHEMA_KEYS, 'contains', 'not', 'if', 'then', 'else'])
const LIST_KEYWORDS: ReadonlySet<string> = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const MAP_KEYWORDS: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions'])

/** What is wrong with a JSON Schema itself: keywords of the wrong shape, references that lead nowhere. Empty when it is sane. */
export function checkJsonSchema(schema: unknown): readonly JsonSchemaError[] {
  const errors: JsonSchemaError[] = []
  checkSchema(schema, [], errors)
  if (errors.length > 0) return errors
  try {
    // An empty value of each type follows the references of the outermost level; the rest is followed when data comes.
    for (const value of [null, {}, []]) createValidator(schema as JsonSchema).validate(value)
  } catch (error) {
    errors.push({ path: [], message: firstLine(error) })
  }
  return errors
}

/**
 * Checks a value against a JSON Schema (draft 2020-12). The errors are those of the innermost places; where alternatives were
 * tried (`anyOf`, `oneOf`), the place of the choice.
 */
export function validateJson(schema: JsonSchema, value: unknown): JsonValidation {
  try {
    const result = createValidator(schema).validate(value)
    return result.valid ? { ok: true } : { ok: false, errors: readable(result.errors) }
  } catch (error) {
    return { ok: false, errors: [{ path: formatPath([]), message: firstLine(error) }] }
  }
}

// The validator writes into the schema that it is given.
const createValidator = (schema: JsonSchema) =>
  new Validator((typeof schema === 'boolean' ? schema : structuredClone(schema)) as Schema, '2020-12', false)

const firstLine = (error: unknown) => (error instanceof Error ? error.message.split('\n')[0] || error.name : String(error))

function isRegExp(source: string): boolean {
  try {
    new RegExp(source, 'u')
    return true
  } catch {
    return false
  }
}

function checkSchema(schema: unknown, path: readonly (string | number)[], errors: JsonSchemaError[]): void {
  if (typeof schema === 'boolean') return
  if (!isRecord(schema)) {
    errors.push({ path, message: 'must be a schema: an object or a boolean' })
    return
  }
  for (const [key, value] of Object.entries(schema)) {
    const place = [...path, key]
    const message = VALUE_CHECKS.get(key)?.(value)
    if (message !== undefined) errors.push({ path: place, message })
    else if (SCHEMA_KEYWORDS.has(key) || (key === 'items' && !Array.isArray(value))) checkSchema(value, place, errors)
    else if (LIST_KEYWORDS.has(key) || key === 'items') {
      if (!Array.isArray(value)) errors.push({ path: place, message: 'must be a list of schemas' })
      else for (const [index, item] of value.entries()) checkSchema(item, [...place, index], errors)
    } else if (MAP_KEYWORDS.has(key)) {
      if (!isRecord(value)) errors.push({ path: place, message: 'must be an object of schemas' })
      else for (const [name, item] of Object.entries(value)) checkSchema(item, [...place, name], errors)
    }
  }
}

/** Keywords whose errors only say that something inside is wrong. */
const CONTAINERS: ReadonlySet<string> = new Set([
  ...SCHEMA_KEYS,
  'properties',
  'patternProperties',
  'dependentSchemas',
  'items',
  'prefixItems',
  'allOf',
  'if',
  'then',
  'else',
  '$ref',
  '$recursiveRef',
])

function readable(errors: readonly OutputUnit[]): readonly JsonMismatch[] {
  const inner = errors.filter((error) => !CONTAINERS.has(error.keyword) && !/\/(?:anyOf|oneOf)\/\d+\//.test(error.keywordLocation))
  return (inner.length > 0 ? inner : errors).map((error) => ({
    path: formatPath(pointerPath(error.instanceLocation)),
    message: error.keyword === 'false' ? 'is not allowed by the schema' : error.error,
  }))
}

function pointerPath(pointer: string): readonly (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
      return /^(?:0|[1-9]\d*)$/.test(key) ? Number(key) : key
    })
}
