import { Environment } from '@huggingface/jinja'
import type { Json } from '../errors/index.js'

/** What a template's variable may be: JSON, and references that render as a text of their own. */
export type TemplateValue = unknown

/**
 * A value that renders as `text`, whose members render as theirs, and which no filter can look into: a secret's reference.
 */
export class TemplateReference {
  readonly text: string
  readonly members: ReadonlyMap<string, string>
  constructor(text: string, members: ReadonlyMap<string, string> = new Map()) {
    this.text = text
    this.members = members
  }
  toJSON(): string {
    return this.text
  }
}

/** A value of the interpreter, typed by structure: the library does not export its classes. */
export interface RuntimeValue {
  readonly type: string
  readonly value: unknown
  readonly builtins: ReadonlyMap<string, RuntimeValue>
  __bool__(): { readonly value: boolean }
}

type RuntimeClass = new (value?: unknown) => RuntimeValue

const sample = (value: unknown) =>
  (new Environment().set('sample', value) as unknown as { constructor: RuntimeClass }).constructor as RuntimeClass

/** The interpreter's classes of values. */
export const runtime = {
  String: sample(''),
  Integer: sample(1),
  Float: sample(0.5),
  Boolean: sample(true),
  Null: sample(null),
  Undefined: sample(undefined),
  Array: sample([]),
  Object: sample({}),
  Function: sample(() => null),
} as const

/** The one undefined value. */
export const UNDEFINED: RuntimeValue = new runtime.Undefined()
const NULL: RuntimeValue = new runtime.Null()
const TRUE: RuntimeValue = new runtime.Boolean(true)
const FALSE: RuntimeValue = new runtime.Boolean(false)

export const booleanValue = (value: boolean): RuntimeValue => (value ? TRUE : FALSE)
export const stringValue = (value: string): RuntimeValue => new runtime.String(value)
export const numberValue = (value: number): RuntimeValue =>
  Number.isInteger(value) ? new runtime.Integer(value) : new runtime.Float(value)

export const isUndefined = (value: RuntimeValue): boolean => value.type === 'UndefinedValue'
export const isString = (value: RuntimeValue): value is RuntimeValue & { value: string } => value.type === 'StringValue'
export const isArray = (value: RuntimeValue): value is RuntimeValue & { value: RuntimeValue[] } => Array.isArray(value.value)
export const isObject = (value: RuntimeValue): value is RuntimeValue & { value: Map<string, RuntimeValue> } => value.value instanceof Map
export const isNumeric = (value: RuntimeValue): value is RuntimeValue & { value: number | boolean } =>
  typeof value.value === 'number' || typeof value.value === 'boolean'

/** Converts a variable; only own enumerable keys count, and what is no JSON becomes undefined. */
export function toRuntime(value: TemplateValue): RuntimeValue {
  switch (typeof value) {
    case 'string':
      return new runtime.String(value)
    case 'number':
      return numberValue(value)
    case 'boolean':
      return booleanValue(value)
    case 'bigint':
      return new runtime.String(String(value))
    case 'object':
      break
    default:
      return UNDEFINED
  }
  if (value === null) return NULL
  if (Array.isArray(value)) return new runtime.Array(value.map(toRuntime))
  if (value instanceof TemplateReference) return referenceValue(value)
  if (value instanceof Date) return new runtime.String(value.toISOString())
  const entries = new Map<string, RuntimeValue>()
  for (const key of Object.keys(value)) entries.set(key, toRuntime((value as Record<string, unknown>)[key]))
  return new runtime.Object(entries)
}

function referenceValue(reference: TemplateReference): RuntimeValue {
  const value = new runtime.String(reference.text)
  const members = new Map([...reference.members].map(([name, text]) => [name, new runtime.String(text)] as const))
  // Its members in place of the methods of texts: a reference can be passed on, not taken apart.
  Object.defineProperty(value, 'builtins', { value: members })
  return value
}

/** Back to JSON; undefined and functions become null. */
export function fromRuntime(value: RuntimeValue): Json {
  if (isArray(value)) return value.value.map(fromRuntime)
  if (isObject(value)) {
    const result: Record<string, Json> = {}
    for (const [key, item] of value.value) define(result, key, fromRuntime(item))
    return result
  }
  if (typeof value.value === 'string' || typeof value.value === 'boolean') return value.value
  if (typeof value.value === 'number') return Number.isFinite(value.value) ? value.value + 0 : null // JSON has no -0
  return null
}

/** Sets an own property whatever its name is: `__proto__` too. */
export function define(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  else object[key] = value
}

/** The text as which a value of the interpreter renders. */
export function textOf(value: RuntimeValue): string {
  switch (value.type) {
    case 'StringValue':
      return value.value as string
    case 'NullValue':
    case 'UndefinedValue':
    case 'FunctionValue':
      return ''
    case 'IntegerValue':
    case 'FloatValue':
    case 'BooleanValue':
      return value.toString()
    default:
      return JSON.stringify(fromRuntime(value))
  }
}

/** The text as which a variable renders: what {@link textOf} would give, without the way through the interpreter. */
export function textOfVariable(value: TemplateValue): string {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value)
    case 'object':
      if (value === null) return ''
      if (value instanceof TemplateReference) return value.text
      return textOf(toRuntime(value))
    default:
      return ''
  }
}
