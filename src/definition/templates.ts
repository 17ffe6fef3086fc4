import { type Json, TemplateError } from '../errors/index.js'
import { mapJson } from './map-json.js'
import { createEnvironment, type InterpreterOptions, TemplateInterpreter, type TemplateNode } from './template-interpreter.js'
import { isTemplate, type ParsedTemplate, parseTemplate, type TemplatePath } from './template-parser.js'
import { booleanValue, fromRuntime, runtime, TemplateReference, textOf, textOfVariable, toRuntime } from './template-values.js'

/** Where a template's variables come from: own properties of an object, a map, or a function. Only those that it names are read. */
export type TemplateScope = Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown> | ((name: string) => unknown)

/** Options of {@link createTemplates}. */
export interface TemplatesOptions {
  /** Whether an undefined variable or member is an error instead of an empty text. @default false */
  readonly strict?: boolean | undefined
  /** Most steps of one rendering, 1 or more; what a step makes counts too (lists by length, texts by 64 characters). @default 200000 */
  readonly stepBudget?: number | undefined
}

/** Renders Jinja templates; holds a cache of parsed ones. */
export interface Templates {
  /** Renders to a text; one without templates comes back as it is. @throws {TemplateError} */
  render(text: string, scope: TemplateScope): string
  /** Like `render`, but a text that is exactly one `{{ … | tojson }}` keeps its JSON type, undefined being null. @throws {TemplateError} */
  renderValue(text: string, scope: TemplateScope): Json
  /** Renders every text in a JSON value with `renderValue`; object keys are left as they are. @throws {TemplateError} */
  renderDeep(value: Json, scope: TemplateScope): Json
  /** The variables that a template reads from its scope, in order of appearance. @throws {TemplateError} */
  variablesOf(text: string): readonly string[]
  /** Does nothing when the template can be parsed. @throws {TemplateError} */
  check(text: string): void
}

const DEFAULT_STEP_BUDGET = 200_000
/** How many parsed templates are kept; the longest unused goes first. */
const CACHE_SIZE = 2_000
/** Longer templates are parsed anew: a few could hold all the memory. */
const CACHE_MAX_LENGTH = 20_000

const CONSTANTS = createEnvironment()
for (const [name, value] of [
  ['true', booleanValue(true)],
  ['True', booleanValue(true)],
  ['false', booleanValue(false)],
  ['False', booleanValue(false)],
  ['none', new runtime.Null()],
  ['None', new runtime.Null()],
] as const) {
  CONSTANTS.setVariable(name, value)
}

/**
 * Makes a renderer of Jinja templates. They see own properties of JSON data only: no prototype, no clock, no function of the host.
 *
 * @example
 * ```ts
 * createTemplates().render('Hello {{ name }}', { name: 'Ada' }) // 'Hello Ada'
 * ```
 */
export function createTemplates(options: TemplatesOptions = {}): Templates {
  const strict = options.strict ?? false
  const stepBudget = options.stepBudget ?? DEFAULT_STEP_BUDGET
  const cache = new Map<string, ParsedTemplate>()

  const parsed = (text: string): ParsedTemplate => {
    const known = cache.get(text)
    if (known !== undefined) return known
    const template = parseTemplate(text)
    if (text.length <= CACHE_MAX_LENGTH) {
      if (cache.size >= CACHE_SIZE) {
        const oldest = cache.keys().next()
        if (!oldest.done) cache.delete(oldest.value)
      }
      cache.set(text, template)
    }
    return template
  }

  const render = (text: string, scope: TemplateScope): string => {
    if (!isTemplate(text)) return text
    const template = parsed(text)
    if (template.parts !== undefined) return renderParts(template.parts, scope, strict)
    return textOf(interpret({ template, node: template.program, scope, text, strict, stepBudget }))
  }

  const renderValue = (text: string, scope: TemplateScope): Json => {
    if (!isTemplate(text)) return text
    const template = parsed(text)
    if (template.typed === undefined) return render(text, scope)
    const { path, node } = template.typed
    if (path === undefined) return fromRuntime(interpret({ template, node, scope, text, strict, stepBudget }))
    const value = resolvePath(path, scope, strict)
    return isPlainScalar(value) ? value : fromRuntime(toRuntime(value))
  }

  const renderDeep = (value: Json, scope: TemplateScope): Json =>
    mapJson(value, { scalar: (item) => (typeof item === 'string' ? renderValue(item, scope) : item) })

  return {
    render,
    renderValue,
    renderDeep,
    variablesOf: (text) => (isTemplate(text) ? parsed(text).variables : []),
    check: (text) => {
      if (isTemplate(text)) parsed(text)
    },
  }
}

const isPlainScalar = (value: unknown): value is string | boolean | null =>
  value === null || typeof value === 'string' || typeof value === 'boolean'

function lookUp(scope: TemplateScope, name: string): unknown {
  if (typeof scope === 'function') return scope(name)
  if (scope instanceof Map) return scope.get(name)
  return Object.hasOwn(scope, name) ? (scope as Record<string, unknown>)[name] : undefined
}

function resolvePath(path: TemplatePath, scope: TemplateScope, strict: boolean): unknown {
  let value = lookUp(scope, path[0] as string)
  for (let index = 1; index < path.length && value !== undefined; index += 1)
    value = memberOfVariable(value, path[index] as string | number)
  if (value === undefined && strict) throw new TemplateError(`"${path.join('.')}" is undefined`, { details: { name: path.join('.') } })
  return value
}

function memberOfVariable(value: unknown, key: string | number): unknown {
  if (typeof value === 'string') return typeof key === 'number' ? value.at(key) : key === 'length' ? value.length : undefined
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value)) return typeof key === 'number' ? value.at(key) : key === 'length' ? value.length : undefined
  if (value instanceof TemplateReference) return value.members.get(String(key))
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
}

function renderParts(parts: readonly (string | TemplatePath)[], scope: TemplateScope, strict: boolean): string {
  let text = ''
  for (const part of parts) text += typeof part === 'string' ? part : textOfVariable(resolvePath(part, scope, strict))
  return text
}

/**
 * A secret's reference goes through untouched or not at all: a filter, a slice or a comparison would work on the reference and, typed into
 * a page, give its nonce away.
 */
const secretIsNotPlain = (name: string) =>
  new TemplateError(
    `The secret "${name}" can only be written plainly, as {{ ${name} }} or {{ ${name}.password }}: no filter, condition or slice`,
    {
      details: { name },
    },
  )

interface InterpretParams extends Omit<InterpreterOptions, 'iterables'> {
  readonly template: ParsedTemplate
  readonly node: TemplateNode
  readonly scope: TemplateScope
  readonly text: string
}

function interpret(params: InterpretParams) {
  const { template, scope, strict, stepBudget, text } = params
  const environment = createEnvironment(CONSTANTS)
  const interpreter = new TemplateInterpreter(environment, { strict, stepBudget, iterables: template.iterables })
  try {
    for (const name of template.names) {
      const value = lookUp(scope, name)
      if (value instanceof TemplateReference) throw secretIsNotPlain(name)
      if (value !== undefined) environment.setVariable(name, toRuntime(value))
    }
    return interpreter.evaluate(params.node, environment)
  } catch (error) {
    if (error instanceof TemplateError) throw error
    const reason = error instanceof Error && error.message !== '' ? error.message : 'break or continue outside of a loop'
    throw new TemplateError(`The template cannot be rendered: ${reason}`, {
      code: error instanceof RangeError ? 'TEMPLATE_TOO_COMPLEX' : 'TEMPLATE_ERROR',
      details: { template: text.slice(0, 200), reason },
      cause: error,
    })
  }
}
