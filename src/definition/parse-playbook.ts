import { DefinitionError, type DefinitionIssue } from '../errors/index.js'
import { checkTexts } from './content-rules.js'
import { checkParameterKeys } from './name-rules.js'
import type { WorkflowParameter } from './parameters-schema.js'
import { isTooDeep, TOO_DEEP } from './parse.js'
import { isObject, listOf, type ParseContext } from './parse-context.js'
import { type Playbook, playbookSchema } from './playbook.js'
import { checkParameters } from './reference-rules.js'
import { checkShape, show } from './shape-issues.js'

/** Where a playbook stands; see {@link parsePlaybook}. */
export interface ParsePlaybookOptions {
  /** Put before the path of every issue. @default [] */
  readonly path?: readonly (string | number)[] | undefined
}

/**
 * Reads a playbook: defaults filled in, defaults of its parameters coerced. What comes out can be parsed again, and is then unchanged.
 * Whether the playbooks that it calls are there is found out when it is used: they may be saved in any order.
 *
 * @throws {DefinitionError} `INVALID_DEFINITION` with every rule that is broken
 */
export function parsePlaybook(input: unknown, options: ParsePlaybookOptions = {}): Playbook {
  const issues: DefinitionIssue[] = []
  const playbook = isTooDeep(input) ? undefined : parse(input, issues)
  if (playbook !== undefined && issues.length === 0) return playbook
  if (issues.length === 0) issues.push(TOO_DEEP)
  const path = options.path ?? []
  throw new DefinitionError(
    issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] })),
    nameOf(input),
  )
}

function parse(input: unknown, issues: DefinitionIssue[]): Playbook | undefined {
  if (!isObject(input)) {
    issues.push({ code: 'INVALID_SHAPE', path: [], message: 'a playbook is an object', expected: 'object', received: show(input) })
    return undefined
  }
  const playbook = checkShape(playbookSchema, input, { path: [] }, issues)
  const parameters = listOf(input.parameters)
  // the rules of a definition's parameters, where there are no blocks
  const context: ParseContext = {
    issues,
    blockTypes: new Map(),
    handlers: undefined,
    hasAgent: true,
    hasJudge: true,
    blocks: [],
    parameterKinds: new Map(parameters.flatMap((raw) => (isObject(raw) && typeof raw.key === 'string' ? [[raw.key, 'workflow']] : []))),
  }
  checkParameterKeys(parameters, context)
  checkTexts([{ value: input.steps, path: ['steps'] }], issues)
  if (playbook === undefined) return undefined
  return { ...playbook, parameters: checkParameters(playbook.parameters, context) as WorkflowParameter[] }
}

const nameOf = (input: unknown) => (isObject(input) && typeof input.name === 'string' ? `The playbook "${input.name}"` : 'The playbook')
