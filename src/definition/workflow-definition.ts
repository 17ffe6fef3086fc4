import { z } from 'zod'
import type { BlockCommonInput, BlockDefinition } from './block-common.js'
import type { BlockInput } from './blocks.js'
import { type Parameter, type ParameterInput, parameterSchema } from './parameters-schema.js'

/** The outermost shape of a definition; blocks are parsed one by one, with the block types in use. */
export const workflowDefinitionSchema = z.strictObject({
  version: z.union([z.literal(1), z.literal(2)]).optional(),
  parameters: z.array(parameterSchema).default([]),
  blocks: z.array(z.unknown()),
  finallyBlockLabel: z.string().nullable().optional(),
})

/** A parsed definition: defaults filled in, parameter defaults coerced, version known, every branch with an id. */
export interface WorkflowDefinition {
  /** Authoring style: 2 when blocks name their next ones, 1 when they are a plain list. Both run alike. */
  version: 1 | 2
  parameters: Parameter[]
  blocks: BlockDefinition[]
  /** The top-level block that runs last, however the run went; null when there is none. */
  finallyBlockLabel: string | null
}

/** A definition as authors write it; `Custom` is the union of the host's own block types. */
export interface WorkflowDefinitionInput<Custom extends BlockCommonInput = never> {
  /** Left out: 2 when a top-level block is a conditional or names its next one, else 1. */
  version?: 1 | 2 | undefined
  /** @default [] */
  parameters?: ParameterInput[] | undefined
  blocks: BlockInput<Custom>[]
  /** A top-level block that runs last, for every outcome but a cancel. */
  finallyBlockLabel?: string | null | undefined
}

/**
 * Gives back what it is given: a definition written in TypeScript is checked by the compiler as it is typed.
 * It is parsed, with every rule, when the workflow is created.
 *
 * @example
 * ```ts
 * const definition = defineWorkflow({
 *   parameters: [{ kind: 'workflow', key: 'site', type: 'string' }],
 *   blocks: [{ type: 'goto_url', label: 'open', url: '{{ site }}' }],
 * })
 * ```
 */
export function defineWorkflow<Custom extends BlockCommonInput = never>(
  definition: WorkflowDefinitionInput<NoInfer<Custom>>,
): WorkflowDefinitionInput<Custom> {
  return definition
}
