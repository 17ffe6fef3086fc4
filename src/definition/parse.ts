import { z } from 'zod'
import { DefinitionError, type DefinitionIssue } from '../errors/index.js'
import type { BlockSchema } from './block-common.js'
import { builtInBlockSchemas } from './blocks.js'
import { assignBranchIds } from './branch-ids.js'
import { checkContent } from './content-rules.js'
import { checkFinally, checkGraphs, checkVersion } from './level-rules.js'
import { checkLabels, checkParameterKeys } from './name-rules.js'
import { type Parameter, parameterSchema } from './parameters-schema.js'
import { parseBlocks, prepareBlockTypes } from './parse-blocks.js'
import { collectBlocks, isObject, listOf, type ParseContext, type RawObject } from './parse-context.js'
import { checkParameters, checkReferences } from './reference-rules.js'
import { checkShape, show } from './shape-issues.js'
import { type WorkflowDefinition, workflowDefinitionSchema } from './workflow-definition.js'

/** What a definition may use; see {@link parseWorkflowDefinition}. */
export interface ParseDefinitionOptions {
  /** The schemas of the block types' own fields. @default the built-in ones */
  readonly blockTypes?: Readonly<Record<string, BlockSchema>> | undefined
  /** Names of the registered `code` handlers; others are issues. Left out: handlers are not checked. */
  readonly handlers?: readonly string[] | undefined
  /** Whether an agent is configured: without one, blocks that need it are issues. @default false */
  readonly agent?: boolean | undefined
  /** Whether prompts can be judged as criteria. @default as `agent` says */
  readonly judge?: boolean | undefined
}

/** Parameters and blocks are looked at one by one: here only their places count. */
const envelopeSchema = workflowDefinitionSchema.extend({ parameters: z.array(z.unknown()).default([]) })

/**
 * Reads a definition: defaults filled in, parameter defaults coerced, version inferred, every branch with an id. What comes out can
 * be parsed again, and is then unchanged.
 *
 * @param input - JSON, or what {@link defineWorkflow} gave
 * @throws {DefinitionError} with every rule that is broken, each with code, path, expected and received
 */
export function parseWorkflowDefinition(input: unknown, options: ParseDefinitionOptions = {}): WorkflowDefinition {
  const issues: DefinitionIssue[] = []
  try {
    const definition = isTooDeep(input) ? undefined : parse(input, options, issues)
    if (definition !== undefined && issues.length === 0) return definition
    if (issues.length === 0) issues.push(TOO_DEEP)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    issues.push(TOO_DEEP)
  }
  throw new DefinitionError(issues)
}

/** The issue of a value that is nested too deeply. */
export const TOO_DEEP: DefinitionIssue = {
  code: 'INVALID_SHAPE',
  path: [],
  message: 'the definition is nested too deeply, or holds itself',
  expected: 'JSON, at most 500 levels deep',
}
const MAX_LEVELS = 500

/** Also true of a value that holds itself: the walks over a definition would not end. */
export function isTooDeep(value: unknown, above = new Set<unknown>(), finished = new Set<unknown>()): boolean {
  if (typeof value !== 'object' || value === null || finished.has(value)) return false
  if (above.size >= MAX_LEVELS || above.has(value)) return true
  above.add(value)
  const isDeep = Object.values(value).some((item) => isTooDeep(item, above, finished))
  above.delete(value)
  finished.add(value)
  return isDeep
}

function parse(input: unknown, options: ParseDefinitionOptions, issues: DefinitionIssue[]): WorkflowDefinition | undefined {
  if (!isObject(input)) {
    issues.push({ code: 'INVALID_SHAPE', path: [], message: 'a definition is an object', expected: 'object', received: show(input) })
    return undefined
  }
  const envelope = checkShape(envelopeSchema, input, { path: [] }, issues)
  const rawParameters = listOf(input.parameters)
  const context: ParseContext = {
    issues,
    blockTypes: prepareBlockTypes(options.blockTypes ?? builtInBlockSchemas),
    handlers: options.handlers,
    hasAgent: options.agent ?? false,
    hasJudge: options.judge ?? options.agent ?? false,
    blocks: collectBlocks(input.blocks, ['blocks'], issues),
    parameterKinds: new Map(
      rawParameters.flatMap((raw) => (isObject(raw) && typeof raw.key === 'string' ? [[raw.key, String(raw.kind)]] : [])),
    ),
  }
  const shaped = rawParameters.map((raw, index) => parseParameter(raw, index, issues))
  const blocks = parseBlocks(listOf(input.blocks), ['blocks'], context)

  checkParameterKeys(rawParameters, context)
  checkLabels(context)
  const parameters = checkParameters(shaped, context)
  for (const block of context.blocks) {
    checkReferences(block, context)
    checkContent(block, context)
  }
  checkFinally(input, context)
  const version = checkVersion(input, context)
  checkGraphs(input, context)

  if (envelope === undefined || blocks === undefined || !parameters.every((parameter) => parameter !== undefined)) return undefined
  return { version, parameters, blocks: assignBranchIds(blocks), finallyBlockLabel: envelope.finallyBlockLabel ?? null }
}

function parseParameter(raw: unknown, index: number, issues: DefinitionIssue[]): Parameter | undefined {
  const path = ['parameters', index]
  if (isOutput(raw)) {
    issues.push({
      code: 'OUTPUT_PARAMETER_DECLARED',
      path: [...path, 'kind'],
      message: 'output parameters are never declared: each block has its <label>_output',
      expected: ['workflow', 'context', 'secret'],
      received: 'output',
    })
    return undefined
  }
  return checkShape(parameterSchema, raw, { path }, issues)
}

const isOutput = (raw: unknown): raw is RawObject => isObject(raw) && raw.kind === 'output'
