import type { Json } from './json.js'
import { RunwrightError } from './runwright-error.js'

/** Codes of the rules that a workflow definition can break. */
export type DefinitionIssueCode =
  | 'INVALID_SHAPE'
  | 'UNKNOWN_KEY'
  | 'UNKNOWN_BLOCK_TYPE'
  | 'UNKNOWN_ACTION_TYPE'
  | 'INVALID_LABEL'
  | 'DUPLICATE_LABEL'
  | 'RESERVED_LABEL'
  | 'LABEL_IS_PARAMETER'
  | 'INVALID_PARAMETER_KEY'
  | 'DUPLICATE_PARAMETER'
  | 'RESERVED_PARAMETER'
  | 'PARAMETER_IS_OUTPUT'
  | 'OUTPUT_PARAMETER_DECLARED'
  | 'INVALID_DEFAULT'
  | 'UNKNOWN_CONTEXT_SOURCE'
  | 'UNDECLARED_PARAMETER'
  | 'UNDECLARED_SECRET'
  | 'FINALLY_NOT_FOUND'
  | 'FINALLY_NOT_TOP_LEVEL'
  | 'FINALLY_HAS_NEXT'
  | 'VERSION_MISMATCH'
  | 'NO_BLOCKS'
  | 'DANGLING_NEXT'
  | 'CYCLE'
  | 'MULTIPLE_ROOTS'
  | 'NO_ROOT'
  | 'UNREACHABLE_BLOCK'
  | 'INVALID_BRANCHES'
  | 'INVALID_LOOP_SOURCE'
  | 'INVALID_JSON_SCHEMA'
  | 'INVALID_SELECTOR_RULE'
  | 'INVALID_TEMPLATE'
  | 'AGENT_REQUIRED'
  | 'UNKNOWN_HANDLER'
  | 'DUPLICATE_PLAYBOOK'

/** One broken rule of a definition. */
export interface DefinitionIssue {
  readonly code: DefinitionIssueCode
  /** Where, as keys and indexes from the root of the definition, for example `['blocks', 2, 'nextBlockLabel']`. */
  readonly path: readonly (string | number)[]
  /** The label of the block concerned, when there is one. */
  readonly label?: string | undefined
  readonly message: string
  /** What would have been accepted. */
  readonly expected?: Json | undefined
  /** What was found. */
  readonly received?: Json | undefined
  /** The nearest known name, when one is close. */
  readonly suggestion?: string | undefined
}

/** A workflow definition, or a playbook, that breaks one or more rules; `issues` holds all of them. Code `INVALID_DEFINITION`. */
export class DefinitionError extends RunwrightError {
  static override readonly kind = 'DefinitionError'
  readonly issues: readonly DefinitionIssue[]

  /** @param what - what was checked, as the message begins */
  constructor(issues: readonly DefinitionIssue[], what = 'The workflow definition') {
    const list = issues.map((issue) => `- ${formatPath(issue.path)}: ${issue.message} (${issue.code})`).join('\n')
    super(`${what} breaks ${issues.length} rule${issues.length === 1 ? '' : 's'}:\n${list}`, {
      code: 'INVALID_DEFINITION',
      details: { issues: issues as unknown as Json },
    })
    this.issues = issues
  }
}

/** `blocks[2].nextBlockLabel` for `['blocks', 2, 'nextBlockLabel']`. */
export function formatPath(path: readonly (string | number)[]): string {
  if (path.length === 0) return '(root)'
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('')
}

/** A label, in a whitelist or in `blockOutputs`, that the definition does not hold. Code `BLOCK_NOT_FOUND`. */
export class BlockNotFoundError extends RunwrightError {
  static override readonly kind = 'BlockNotFoundError'
  constructor(labels: readonly string[], known: readonly string[]) {
    super(`No block labelled ${labels.map((label) => `"${label}"`).join(', ')} in the workflow; known labels: ${known.join(', ')}`, {
      code: 'BLOCK_NOT_FOUND',
      details: { labels, known },
    })
  }
}

/** A template that cannot be parsed or rendered. Code `TEMPLATE_ERROR`, or `TEMPLATE_TOO_COMPLEX` past the step budget. */
export class TemplateError extends RunwrightError {
  static override readonly kind = 'TemplateError'
  constructor(
    message: string,
    options: {
      code?: 'TEMPLATE_ERROR' | 'TEMPLATE_TOO_COMPLEX'
      cause?: unknown
      details?: Readonly<Record<string, Json | undefined>>
    } = {},
  ) {
    super(message, { code: options.code ?? 'TEMPLATE_ERROR', cause: options.cause, details: options.details })
  }
}
