import { StorageError } from '../errors/index.js'
import type { ColumnMeta, TableMeta } from './table-meta.js'

/** Deeper JSON is refused; it also ends the walk through a cycle. */
const MAX_DEPTH = 500

/** NUL, or half of a surrogate pair perhaps: the cheap test that nearly every text fails. */
const SUSPECT = /[\0\ud800-\udfff]/
/** With the `u` flag a whole pair is one character, so that only lone halves match. */
const UNSTORABLE = /[\0\p{Cs}]/gu

/** Text that every database can hold: NUL and lone surrogates, which UTF-8 databases refuse or lose, become U+FFFD. */
export function storableText(text: string): string {
  return SUSPECT.test(text) ? text.replace(UNSTORABLE, '\ufffd') : text
}

/** Where a refused value was found. */
export interface ValuePlace {
  readonly table: string
  readonly column: string
}

/** Name of a value's kind for messages: never the value itself, which may be a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'number') return Number.isFinite(value) ? (Number.isInteger(value) ? 'integer' : 'number') : String(value)
  if (typeof value !== 'object') return typeof value
  if (Array.isArray(value)) return 'array'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid Date' : 'Date'
  const name = (Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null)?.constructor?.name
  return name === undefined || name === 'Object' ? 'object' : `instance of ${name}`
}

export function invalidRow(place: ValuePlace, expected: string, received: string, path = ''): StorageError {
  return new StorageError(`${place.table}.${place.column}${path} must be ${expected}, not ${received}`, {
    code: 'STORAGE_INVALID_ROW',
    details: { table: place.table, column: place.column, path: path === '' ? undefined : path, expected, received },
  })
}

/**
 * Copies a JSON value as it comes in: undefined properties are left out, as JSON does, and texts made storable, keys too.
 * @throws {StorageError} `STORAGE_INVALID_ROW` for anything that JSON cannot carry.
 */
export function acceptJson(value: unknown, place: ValuePlace, path = '', depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return storableText(value)
    case 'boolean':
      return value
    case 'number':
      if (!Number.isFinite(value)) break
      return value === 0 ? 0 : value // JSON has no negative zero
    case 'object':
      if (value === null) return null
      if (depth > MAX_DEPTH) throw invalidRow(place, `JSON of at most ${MAX_DEPTH} levels`, 'a deeper value, or a cycle')
      if (Array.isArray(value)) return acceptArray(value, place, path, depth)
      if (isPlainObject(value)) return acceptObject(value as Record<string, unknown>, place, path, depth)
  }
  throw invalidRow(place, 'JSON', kindOf(value), path)
}

function acceptArray(value: readonly unknown[], place: ValuePlace, path: string, depth: number): unknown[] {
  const copy: unknown[] = []
  for (let index = 0; index < value.length; index++) {
    const item = value[index]
    copy.push(typeof item === 'string' ? storableText(item) : acceptJson(item, place, `${path}[${index}]`, depth + 1))
  }
  return copy
}

function acceptObject(value: Record<string, unknown>, place: ValuePlace, path: string, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const item = value[key]
    if (item === undefined) continue
    const stored = typeof item === 'string' ? storableText(item) : acceptJson(item, place, `${path}.${key}`, depth + 1)
    assign(copy, storableText(key), stored)
  }
  return copy
}

/** Copies a JSON value that was accepted before. */
export function copyJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copyJson)
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) assign(copy, key, copyJson((value as Record<string, unknown>)[key]))
  return copy
}

/** `__proto__` is a key like any other in JSON; assigning it would change the prototype. */
function assign(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  else target[key] = value
}

/** Whether an object is a literal, of this realm or another. */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

const expectedOf = {
  text: 'a string',
  int: 'a safe integer',
  float: 'a finite number',
  bool: 'a boolean',
  json: 'JSON',
  instant: 'a valid Date',
} as const

/** Whether a value is of a column's kind; JSON is not walked. */
export function isOfKind(column: ColumnMeta, value: unknown): boolean {
  switch (column.kind) {
    case 'text':
      return typeof value === 'string'
    case 'int':
      return Number.isSafeInteger(value)
    case 'float':
      return Number.isFinite(value)
    case 'bool':
      return typeof value === 'boolean'
    case 'instant':
      return value instanceof Date && !Number.isNaN(value.getTime())
    case 'json':
      return value !== undefined
  }
}

/**
 * Checks a value against its column and copies it.
 * @throws {StorageError} `STORAGE_INVALID_ROW` naming table and column.
 */
export function acceptValue(table: string, column: ColumnMeta, value: unknown): unknown {
  if (value === null && column.nullable) return null
  if (!isOfKind(column, value)) {
    const expected = `${expectedOf[column.kind]}${column.nullable ? ' or null' : ''}`
    throw invalidRow({ table, column: column.name }, expected, kindOf(value))
  }
  if (column.kind === 'json') return acceptJson(value, { table, column: column.name })
  if (column.kind === 'instant') return new Date((value as Date).getTime())
  return typeof value === 'string' ? storableText(value) : value
}

/** Copies a row that was accepted before. */
export function copyRow(meta: TableMeta, row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const copy = { ...row }
  for (const name of meta.objectColumns) {
    const value = copy[name]
    if (value === null) continue
    copy[name] = value instanceof Date ? new Date(value.getTime()) : copyJson(value)
  }
  return copy
}
