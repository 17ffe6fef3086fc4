import { parse, tokenize } from '@huggingface/jinja'
import { TemplateError } from '../errors/index.js'
import type { TemplateNode } from './template-interpreter.js'

/** A variable and the members that lead from it to a value. */
export type TemplatePath = readonly (string | number)[]

/** A template, parsed. */
export interface ParsedTemplate {
  readonly program: TemplateNode
  /** Every name that the template loads, its own loop variables included. */
  readonly names: readonly string[]
  /** The names that the template loads and does not set itself. */
  readonly variables: readonly string[]
  /** Text and plain paths only, when the template holds nothing else: rendered without the interpreter. */
  readonly parts: readonly (string | TemplatePath)[] | undefined
  /** Set when the template is exactly one `{{ … | tojson }}`. */
  readonly typed: { readonly node: TemplateNode; readonly path: TemplatePath | undefined } | undefined
  readonly iterables: WeakSet<object>
}

/** Most characters of one template. */
const MAX_LENGTH = 1_000_000
/**
 * The lexer looks for `{% generation %}` with an expression that tries every blank of a run against the rest of the run: about
 * length times longest run steps.
 */
const MAX_BLANK_STEPS = 200_000_000
const GENERATION = /\{%-?\s*(?:end)?generation\s*-?%\}/

/** Whether a text holds anything for the interpreter; one that does not is its own rendering. */
export function isTemplate(text: string): boolean {
  return text.includes('{{') || text.includes('{%') || text.includes('{#')
}

/** Parses a template. @throws {TemplateError} `TEMPLATE_ERROR`; `TEMPLATE_TOO_COMPLEX` when it is too long or too deep. */
export function parseTemplate(text: string): ParsedTemplate {
  const program = parseProgram(text)
  const sole = /^\s|\s$/.test(text) ? parseProgram(text.trim()) : program
  const found = { names: new Set<string>(), declared: new Set<string>(), iterables: new WeakSet<object>() }
  visit(program, found)
  return {
    program,
    names: [...found.names],
    variables: [...found.names].filter((name) => !found.declared.has(name) && !BUILT_IN.has(name)),
    parts: partsOf(program),
    typed: typedOf(sole),
    iterables: found.iterables,
  }
}

const BUILT_IN: ReadonlySet<string> = new Set(['true', 'false', 'none', 'True', 'False', 'None', 'range', 'namespace', 'loop'])

function parseProgram(text: string): TemplateNode {
  if (text.length > MAX_LENGTH || longestBlank(text) * text.length > MAX_BLANK_STEPS) {
    throw failure(text, `longer than ${MAX_LENGTH} characters, or too many blanks in a row`, 'TEMPLATE_TOO_COMPLEX')
  }
  if (GENERATION.test(text)) throw failure(text, 'Unknown statement type: generation')
  try {
    // The lexer takes one line break off the end; white space is kept.
    return parse(tokenize(text.endsWith('\n') ? `${text}\n` : text)) as unknown as TemplateNode
  } catch (error) {
    if (error instanceof RangeError) throw failure(text, 'nested too deeply', 'TEMPLATE_TOO_COMPLEX')
    const reason = error instanceof TypeError ? 'unexpected end' : error instanceof Error ? error.message : String(error)
    throw failure(text, reason)
  }
}

function longestBlank(text: string): number {
  let longest = 0
  for (const [run] of text.matchAll(/\s+/g)) longest = Math.max(longest, run.length)
  return longest
}

function failure(text: string, reason: string, code: 'TEMPLATE_ERROR' | 'TEMPLATE_TOO_COMPLEX' = 'TEMPLATE_ERROR'): TemplateError {
  return new TemplateError(`The template cannot be parsed: ${reason}`, { code, details: { template: text.slice(0, 200), reason } })
}

function typedOf(program: TemplateNode): ParsedTemplate['typed'] {
  const body = program.body as readonly TemplateNode[]
  const node = body[0]
  if (body.length !== 1 || node?.type !== 'FilterExpression') return undefined
  const filter = node.filter as TemplateNode
  const isCall = filter.type === 'CallExpression' && (filter.args as unknown[]).length === 0
  const name = isCall ? (filter.callee as TemplateNode) : filter
  if (name.type !== 'Identifier' || name.value !== 'tojson') return undefined
  const operand = node.operand as TemplateNode
  return { node: operand, path: pathOf(operand) }
}

/** Names whose meaning is not that of a variable: a template that uses one goes through the interpreter. */
const isVariable = (name: unknown): name is string => typeof name === 'string' && !BUILT_IN.has(name)

function pathOf(node: TemplateNode): TemplatePath | undefined {
  const keys: (string | number)[] = []
  let current = node
  while (current.type === 'MemberExpression') {
    const property = current.property as TemplateNode
    const isPlain =
      current.computed === true
        ? property.type === 'StringLiteral' || property.type === 'IntegerLiteral'
        : property.type === 'Identifier' || property.type === 'IntegerLiteral'
    if (!isPlain) return undefined
    keys.push(property.value as string | number)
    current = current.object as TemplateNode
  }
  if (current.type !== 'Identifier' || !isVariable(current.value)) return undefined
  return [current.value, ...keys.reverse()]
}

function partsOf(program: TemplateNode): ParsedTemplate['parts'] {
  const parts: (string | TemplatePath)[] = []
  for (const node of program.body as readonly TemplateNode[]) {
    if (node.type === 'Comment') continue
    const part = node.type === 'StringLiteral' ? (node.value as string) : pathOf(node)
    if (part === undefined) return undefined
    parts.push(part)
  }
  return parts
}

interface Found {
  readonly names: Set<string>
  readonly declared: Set<string>
  readonly iterables: WeakSet<object>
}

function declareTarget(node: TemplateNode, found: Found): void {
  if (node.type === 'Identifier') found.declared.add(node.value as string)
  else if (node.type === 'TupleLiteral') for (const item of node.value as TemplateNode[]) declareTarget(item, found)
}

const isNode = (value: unknown): value is TemplateNode =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'

function visit(value: unknown, found: Found): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, found)
    return
  }
  if (value instanceof Map) {
    for (const entry of value) visit(entry, found)
    return
  }
  if (!isNode(value)) return
  switch (value.type) {
    case 'Identifier':
      found.names.add(value.value as string)
      return
    case 'MemberExpression':
      visit(value.object, found)
      if (value.computed === true) visit(value.property, found)
      return
    case 'FilterExpression':
    case 'FilterStatement':
      visit(value.type === 'FilterExpression' ? value.operand : value.body, found)
      visit((value.filter as TemplateNode).args, found)
      return
    case 'TestExpression':
      visit(value.operand, found)
      return
    case 'KeywordArgumentExpression':
      visit(value.value, found)
      return
    case 'For': {
      const iterable = value.iterable as TemplateNode
      found.iterables.add(iterable.type === 'SelectExpression' ? (iterable.lhs as object) : iterable)
      declareTarget(value.loopvar as TemplateNode, found)
      break
    }
    case 'Set':
      declareTarget(value.assignee as TemplateNode, found)
      break
    case 'Macro':
    case 'CallStatement':
      if (value.type === 'Macro') declareTarget(value.name as TemplateNode, found)
      for (const parameter of (value.type === 'Macro' ? value.args : (value.callerArgs ?? [])) as TemplateNode[]) {
        declareTarget(parameter.type === 'KeywordArgumentExpression' ? (parameter.key as TemplateNode) : parameter, found)
      }
      found.declared.add('caller').add('varargs').add('kwargs')
      break
  }
  for (const child of Object.values(value)) visit(child, found)
}
