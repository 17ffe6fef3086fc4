import type { Json } from '../errors/index.js'
import { coerceDefault, contextPath } from './parameters.js'
import type { ContextParameter, Parameter, WorkflowParameter } from './parameters-schema.js'
import { isObject, listOf, type ParseContext, type RawBlock, textOf } from './parse-context.js'
import { show } from './shape-issues.js'
import { nearestName } from './suggest.js'

/** Defaults as their parameters' types; context parameters whose source exists. Gives the parameters with coerced defaults. */
export function checkParameters(parameters: readonly (Parameter | undefined)[], context: ParseContext): (Parameter | undefined)[] {
  const sources = new Map<string, string>()
  for (const [index, parameter] of parameters.entries()) {
    if (parameter?.kind === 'context') checkSource(parameter, index, context, sources)
  }
  for (const [index, parameter] of parameters.entries()) {
    if (parameter?.kind !== 'context' || !leadsToItself(parameter.key, sources)) continue
    const path = ['parameters', index, 'source']
    context.issues.push({ code: 'UNKNOWN_CONTEXT_SOURCE', path, message: `parameter "${parameter.key}" is its own source` })
  }
  return parameters.map((parameter, index) => (parameter?.kind === 'workflow' ? withDefault(parameter, index, context) : parameter))
}

function withDefault(parameter: WorkflowParameter, index: number, { issues }: ParseContext): Parameter {
  const given = parameter.default
  if (given === undefined || given === null) return parameter
  const value = coerceDefault(parameter.type, given as Json)
  if (value !== undefined) return { ...parameter, default: value as WorkflowParameter['default'] }
  issues.push({
    code: 'INVALID_DEFAULT',
    path: ['parameters', index, 'default'],
    message: `the default of "${parameter.key}" is no ${parameter.type}`,
    expected: parameter.type,
    received: show(given),
  })
  return parameter
}

function checkSource(parameter: ContextParameter, index: number, context: ParseContext, sources: Map<string, string>): void {
  const name = contextPath(parameter.source)?.[0]
  const known = [
    ...context.parameterKinds.keys(),
    ...context.blocks.flatMap(({ label }) => (label === undefined ? [] : [`${label}_output`, label])),
  ]
  if (name !== undefined && known.includes(name)) {
    sources.set(parameter.key, name)
    return
  }
  context.issues.push({
    code: 'UNKNOWN_CONTEXT_SOURCE',
    path: ['parameters', index, 'source'],
    message: name === undefined ? `"${parameter.source}" is no dotted path` : `there is no parameter or output "${name}"`,
    expected: known,
    received: parameter.source,
    suggestion: name === undefined ? undefined : nearestName(name, known),
  })
}

function leadsToItself(key: string, sources: ReadonlyMap<string, string>): boolean {
  const seen = new Set<string>()
  for (let name = sources.get(key); name !== undefined && !seen.has(name); name = sources.get(name)) {
    if (name === key) return true
    seen.add(name)
  }
  return false
}

/** Parameters, secrets and handlers that a block names must be there. */
export function checkReferences(block: RawBlock, context: ParseContext): void {
  for (const [index, key] of listOf(block.raw.parameterKeys).entries()) {
    if (typeof key === 'string' && !context.parameterKinds.has(key)) undeclared(block, ['parameterKeys', index], key, context)
  }
  const over = textOf(block.raw.loopOverParameterKey)
  if (over !== undefined && !context.parameterKinds.has(over) && !isOutput(over, context)) {
    undeclared(block, ['loopOverParameterKey'], over, context)
  }
  checkSecret(block, context)
  checkHandler(block, context)
}

const isOutput = (name: string, { blocks }: ParseContext) => blocks.some(({ label }) => label !== undefined && name === `${label}_output`)

function undeclared(block: RawBlock, where: readonly (string | number)[], key: string, { issues, parameterKinds }: ParseContext): void {
  const known = [...parameterKinds.keys()]
  issues.push({
    code: 'UNDECLARED_PARAMETER',
    path: [...block.path, ...where],
    label: block.label,
    message: `no parameter "${key}" is declared`,
    expected: known,
    received: key,
    suggestion: nearestName(key, known),
  })
}

function checkSecret(block: RawBlock, { issues, parameterKinds, blockTypes }: ParseContext): void {
  const key = textOf(block.raw.credentialKey)
  const shape = block.type === undefined ? undefined : blockTypes.get(block.type)?.shape
  if (key === undefined || shape === undefined || !Object.hasOwn(shape, 'credentialKey') || parameterKinds.get(key) === 'secret') return
  const known = [...parameterKinds].flatMap(([name, kind]) => (kind === 'secret' ? [name] : []))
  const kind = parameterKinds.get(key)
  issues.push({
    code: 'UNDECLARED_SECRET',
    path: [...block.path, 'credentialKey'],
    label: block.label,
    message: kind === undefined ? `no secret "${key}" is declared` : `parameter "${key}" is no secret but of the kind ${kind}`,
    expected: known,
    received: key,
    suggestion: nearestName(key, known),
  })
}

function checkHandler(block: RawBlock, { issues, handlers }: ParseContext): void {
  const handler = block.type === 'code' && isObject(block.raw) ? textOf(block.raw.handler) : undefined
  if (handler === undefined || handlers === undefined || handlers.includes(handler)) return
  issues.push({
    code: 'UNKNOWN_HANDLER',
    path: [...block.path, 'handler'],
    label: block.label,
    message: `no handler "${handler}" is registered`,
    expected: [...handlers],
    received: handler,
    suggestion: nearestName(handler, handlers),
  })
}
