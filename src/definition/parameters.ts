import {
  InvalidParameterError,
  type Json,
  MissingParameterError,
  type ParameterIssue,
  TemplateError,
  UnknownParameterError,
} from '../errors/index.js'
import { coerceValue, kindOf } from './coerce.js'
import type { ContextParameter, Parameter, ParameterType, WorkflowParameter } from './parameters-schema.js'
import { parsePath, readPath } from './paths.js'
import { nearestName } from './suggest.js'
import { define } from './template-values.js'

/** A key that no parameter has, with the nearest one that some has. */
export interface UnknownKey {
  readonly key: string
  readonly suggestion?: string | undefined
}

/** What {@link coerceParameters} gives. */
export interface CoercedParameters {
  /** A value for each declared `workflow` parameter. */
  readonly values: { readonly [key: string]: Json }
  /** Keys that were given and are not declared: only with `allowUnknown`. */
  readonly unknownKeys: readonly UnknownKey[]
}

const TYPE_NAMES: Readonly<Record<ParameterType, string>> = {
  string: 'a text',
  integer: 'an integer',
  float: 'a number',
  boolean: 'a boolean',
  json: 'JSON',
  file_url: 'a file address',
  credential_id: 'a credential id',
}

/**
 * Reads the values with which a run is started as the declared types; an absent key, or null, takes the default.
 *
 * @param declared - the definition's parameters, of any kind
 * @param given - the values of the request
 * @throws {UnknownParameterError} first: keys that are not declared (unless `allowUnknown`)
 * @throws {MissingParameterError} then: all parameters without a value
 * @throws {InvalidParameterError} then: all values that do not fit; it never holds a value
 */
export function coerceParameters(
  declared: readonly Parameter[],
  given: Readonly<Record<string, unknown>>,
  options: { readonly allowUnknown?: boolean | undefined } = {},
): CoercedParameters {
  const parameters = declared.filter((parameter): parameter is WorkflowParameter => parameter.kind === 'workflow')
  const known = new Set(parameters.map((parameter) => parameter.key))
  const unknownKeys = Object.keys(given)
    .filter((key) => !known.has(key))
    .map((key) => ({ key, suggestion: nearestName(key, known) }))
  if (unknownKeys.length > 0 && options.allowUnknown !== true) throw new UnknownParameterError(unknownKeys, [...known])

  const values: Record<string, Json> = {}
  const missing: string[] = []
  const issues: ParameterIssue[] = []
  for (const parameter of parameters) {
    const value = givenOrDefault(parameter, given)
    const coercion = value === undefined ? undefined : coerceValue(parameter.type, value)
    if (value === undefined || coercion === undefined || coercion.status === 'missing') missing.push(parameter.key)
    else if (coercion.status === 'ok') define(values, parameter.key, coercion.value)
    else issues.push(issueOf(parameter, value))
  }
  if (missing.length > 0) throw new MissingParameterError(missing.sort())
  if (issues.length > 0) throw new InvalidParameterError(issues)
  return { values, unknownKeys }
}

/**
 * A parameter's default as a parsed definition holds it: coerced, and unchanged when it is coerced again.
 * Undefined when it does not fit.
 */
export function coerceDefault(type: ParameterType, value: Json): Json | undefined {
  const coercion = coerceValue(type, value)
  if (coercion.status !== 'ok') return undefined
  // JSON text that stands for a text stays as written: read a second time, the text itself would be no JSON.
  return type === 'json' && typeof coercion.value === 'string' ? value : coercion.value
}

/**
 * The value of a context parameter: its source is followed as a dotted path through the run's variables.
 * Null where nothing is.
 *
 * @param lookUp - gives the value of a variable: a parameter's key, `<label>_output` or `<label>`
 */
export function resolveContextParameter(parameter: ContextParameter, lookUp: (name: string) => unknown): Json {
  const keys = contextPath(parameter.source)
  if (keys === undefined) {
    throw new TemplateError(`The source of parameter "${parameter.key}" is no dotted path`, { details: { key: parameter.key } })
  }
  const [name = '', ...rest] = keys
  return (readPath(lookUp(name), rest) ?? null) as Json
}

/** The parts of a reference such as `{{ rows_output.data }}`; braces around it are ignored. Undefined when it is no dotted path. */
export function contextPath(reference: string): readonly string[] | undefined {
  const bare = /^\s*\{\{([\s\S]*)\}\}\s*$/.exec(reference)
  return parsePath(bare?.[1] ?? reference)
}

function givenOrDefault(parameter: WorkflowParameter, given: Readonly<Record<string, unknown>>): Json | undefined {
  const value = Object.hasOwn(given, parameter.key) ? given[parameter.key] : undefined
  if (value === undefined || value === null) return (parameter.default ?? undefined) as Json | undefined
  return value as Json
}

function issueOf(parameter: WorkflowParameter, value: Json): ParameterIssue {
  const received = kindOf(value)
  return {
    key: parameter.key,
    expected: parameter.type,
    received,
    message: `"${parameter.key}" must be ${TYPE_NAMES[parameter.type]} (${parameter.type}), got ${
      received === 'text' ? 'a text that is none' : received
    }`,
  }
}
