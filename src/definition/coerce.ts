import type { Json } from '../errors/index.js'
import type { ParameterType } from './parameters-schema.js'

/** What became of a value: fit, missing (as good as not given), or not of the type. */
export type Coercion = { readonly status: 'ok'; readonly value: Json } | { readonly status: 'missing' } | { readonly status: 'invalid' }

const INVALID: Coercion = { status: 'invalid' }
const MISSING: Coercion = { status: 'missing' }
const ok = (value: Json): Coercion => ({ status: 'ok', value })

const INTEGER = /^[+-]?[0-9]+$/
const JSON_NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/

/** The kind of a value, for messages that must not hold the value itself. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'list'
  return typeof value === 'string' ? 'text' : typeof value
}

/** Reads a value as a parameter's type. Missing is judged first. */
export function coerceValue(type: ParameterType, value: Json): Coercion {
  if (isMissing(type, value)) return MISSING
  const text = typeof value === 'string' ? value.trim() : undefined
  switch (type) {
    case 'string':
      return typeof value === 'object' ? INVALID : ok(String(value))
    case 'integer':
      return integer(text === undefined ? value : INTEGER.test(text) ? Number(text) : undefined)
    case 'float':
      return float(text === undefined ? value : JSON_NUMBER.test(text) ? Number(text) : undefined)
    case 'boolean':
      return boolean(text === undefined ? value : text.toLowerCase())
    case 'json':
      return text === undefined ? ok(value) : parseJson(text)
    case 'credential_id':
      return text === undefined ? INVALID : ok(text)
    case 'file_url':
      if (text !== undefined) return ok(text)
      return typeof value === 'object' && !Array.isArray(value) ? ok(value) : INVALID
  }
}

function isMissing(type: ParameterType, value: Json): boolean {
  if (value === null) return true
  if (type === 'string') return false
  if (typeof value === 'string') return value.trim() === ''
  if (type !== 'file_url' || typeof value !== 'object' || Array.isArray(value)) return false
  const s3uri = Object.hasOwn(value, 's3uri') ? (value as { s3uri?: unknown }).s3uri : undefined
  return typeof s3uri !== 'string' || s3uri.trim() === ''
}

const integer = (value: unknown): Coercion => (Number.isSafeInteger(value) ? ok((value as number) + 0) : INVALID)

const float = (value: unknown): Coercion => (Number.isFinite(value) ? ok((value as number) + 0) : INVALID)

function boolean(value: unknown): Coercion {
  if (value === true || value === 1 || value === 'true' || value === '1') return ok(true)
  if (value === false || value === 0 || value === 'false' || value === '0') return ok(false)
  return INVALID
}

function parseJson(text: string): Coercion {
  try {
    return ok(JSON.parse(text) as Json)
  } catch {
    return INVALID
  }
}
