import { type DefinitionIssue, TemplateError } from '../errors/index.js'
import { BLOCK_COMMON_KEYS } from './block-common.js'
import { checkJsonSchema } from './json-schema.js'
import { contextPath } from './parameters.js'
import { isObject, listOf, type ParseContext, type RawBlock, textOf } from './parse-context.js'
import { isTemplate, parseTemplate } from './template-parser.js'

/**
 * Fields of blocks whose texts are no templates, at any depth: code, schemas, patterns, names. Whoever renders a block leaves them
 * as they are.
 */
export const VERBATIM_KEYS: ReadonlySet<string> = new Set([
  ...BLOCK_COMMON_KEYS,
  'branches',
  'code',
  'credentialKey',
  'errorCodeMapping',
  'handler',
  'intention',
  'loopBlocks',
  'loopOverParameterKey',
  'loopVariableReference',
  'pattern',
  'schema',
])

/** Templates that can be parsed, schemas that are some, branches that fit, agents where one is needed. */
export function checkContent(block: RawBlock, context: ParseContext): void {
  checkTemplates(block, context)
  checkLoopVariable(block, context)
  if (block.type === 'extraction' || block.type === 'task') checkSchema(block, context)
  if (block.type === 'conditional') checkBranches(block, context)
  if (!context.hasAgent) checkAgent(block, context)
  if (!context.hasJudge) checkPrompts(block, context)
}

type Place = readonly (string | number)[]

function checkTemplates(block: RawBlock, context: ParseContext): void {
  const open: { value: unknown; path: Place }[] = []
  for (const [key, value] of Object.entries(block.raw)) if (!VERBATIM_KEYS.has(key)) open.push({ value, path: [...block.path, key] })
  for (const [index, branch] of block.type === 'conditional' ? listOf(block.raw.branches).entries() : []) {
    if (isObject(branch)) open.push({ value: branch.criteria, path: [...block.path, 'branches', index, 'criteria'] })
  }
  checkTexts(open, context.issues, block.label)
}

const OWN_VERBATIM_KEYS: ReadonlySet<string> = new Set(['code', 'intention', 'pattern', 'type'])

/** Every text below these places must be a template that can be parsed. */
export function checkTexts(
  places: readonly { readonly value: unknown; readonly path: Place }[],
  issues: DefinitionIssue[],
  label?: string,
) {
  const open = [...places]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, path } = next
    if (typeof value === 'string') checkTemplate(value, path, label, issues)
    else if (Array.isArray(value)) for (const [index, item] of value.entries()) open.push({ value: item, path: [...path, index] })
    else if (isObject(value)) {
      const skipped = path.at(-1) === 'selectors' || path.at(-1) === 'each' ? NOTHING : OWN_VERBATIM_KEYS
      for (const [key, item] of Object.entries(value)) if (!skipped.has(key)) open.push({ value: item, path: [...path, key] })
    }
  }
}

const NOTHING: ReadonlySet<string> = new Set()

function checkTemplate(text: string, path: Place, label: string | undefined, issues: DefinitionIssue[]): void {
  if (!isTemplate(text)) return
  try {
    parseTemplate(text)
  } catch (error) {
    if (!TemplateError.is(error)) throw error
    const received = text.length > 100 ? `${text.slice(0, 100)}…` : text
    issues.push({ code: 'INVALID_TEMPLATE', path, label, message: error.message, expected: 'a Jinja template', received })
  }
}

function checkLoopVariable(block: RawBlock, { issues }: ParseContext): void {
  const reference = textOf(block.raw.loopVariableReference)
  if (reference === undefined || reference === '' || contextPath(reference) !== undefined) return
  issues.push({
    code: 'INVALID_LOOP_SOURCE',
    path: [...block.path, 'loopVariableReference'],
    label: block.label,
    message: `"${reference}" is no template path`,
    expected: 'a dotted path such as table_output.rows',
    received: reference,
  })
}

function checkSchema(block: RawBlock, { issues }: ParseContext): void {
  const { schema } = block.raw
  if (!isObject(schema)) return // a boolean is a schema; anything else is reported as a shape
  for (const { path, message } of checkJsonSchema(schema)) {
    issues.push({
      code: 'INVALID_JSON_SCHEMA',
      path: [...block.path, 'schema', ...path],
      label: block.label,
      message,
      expected: 'a JSON Schema',
    })
  }
}

function checkBranches(block: RawBlock, { issues }: ParseContext): void {
  const ids = new Set<string>()
  let defaults = 0
  for (const [index, branch] of listOf(block.raw.branches).entries()) {
    if (!isObject(branch)) continue
    const report = (key: string, message: string, expected: string) =>
      issues.push({ code: 'INVALID_BRANCHES', path: [...block.path, 'branches', index, key], label: block.label, message, expected })
    const hasCriteria = branch.criteria !== undefined && branch.criteria !== null
    if (branch.isDefault === true) {
      defaults += 1
      if (hasCriteria) report('criteria', 'the default branch has criteria', 'null')
      if (defaults > 1) report('isDefault', 'there is more than one default branch', 'at most one')
    } else if (!hasCriteria) report('criteria', 'a branch that is not the default has no criteria', 'criteria, or isDefault: true')
    const id = textOf(branch.id)
    if (id === undefined) continue
    if (ids.has(id)) report('id', `branch id "${id}" is used twice`, 'an id that no other branch of the block has')
    ids.add(id)
  }
}

function checkAgent(block: RawBlock, context: ParseContext): void {
  const report = (path: readonly (string | number)[], message: string, expected: string) =>
    context.issues.push({ code: 'AGENT_REQUIRED', path: [...block.path, ...path], label: block.label, message, expected })
  const shape = block.type === undefined ? undefined : context.blockTypes.get(block.type)?.shape
  if (shape !== undefined && Object.hasOwn(shape, 'steps') && Object.hasOwn(shape, 'navigationGoal') && !hasSteps(block)) {
    report([], 'the block has no steps, and no agent is configured', 'steps, a playbook, or an agent')
  }
  if (block.type === 'extraction' && block.raw.selectors === undefined) {
    report([], 'the block has no selectors, and no agent is configured', 'selectors, or an agent')
  }
}

function checkPrompts(block: RawBlock, context: ParseContext): void {
  for (const [path, criteria] of criteriaOf(block)) {
    if (!isObject(criteria) || criteria.type !== 'prompt') continue
    context.issues.push({
      code: 'AGENT_REQUIRED',
      path: [...block.path, ...path],
      label: block.label,
      message: 'a prompt is judged by an agent, and none that can is configured',
      expected: 'criteria of the type jinja2_template, or an agent that judges',
    })
  }
}

const hasSteps = ({ raw }: RawBlock) => raw.steps !== undefined || raw.playbook !== undefined

function criteriaOf(block: RawBlock): readonly (readonly [readonly (string | number)[], unknown])[] {
  const { raw } = block
  switch (block.type) {
    case 'conditional':
      return listOf(raw.branches).map(
        (branch, index) => [['branches', index, 'criteria'], isObject(branch) ? branch.criteria : undefined] as const,
      )
    case 'while_loop':
      return [[['condition'], raw.condition]]
    case 'validation':
      return (['completeCriterion', 'terminateCriterion'] as const).map((key) => [[key], raw[key]] as const)
    default:
      return []
  }
}
