import { z } from 'zod'

/** The fields that a block of any type has. */
export const blockCommonSchema = z.strictObject({
  /** One of the built-in types, or of the host's own. */
  type: z.string(),
  /** Identifier, unique over the whole tree; a template variable for the block's output. */
  label: z.string(),
  /** The block that comes next. Null or left out: the one after it in the list, unless the level holds a conditional. */
  nextBlockLabel: z.string().nullable().optional(),
  /** Whether the run goes on at the next block when this one fails, terminates or times out. @default false */
  continueOnFailure: z.boolean().default(false),
  /** In a loop: whether a failure goes on at the next iteration. @default false */
  nextLoopOnFailure: z.boolean().default(false),
  /** Whether the block is never run from, nor written to, a script. @default false */
  disableCache: z.boolean().default(false),
  /** Name of the model that the agent uses for this block. Without it, the agent's own. */
  model: z.string().min(1).optional(),
  /** Deadline of one attempt, in seconds, above 0 up to 86,400. Without it, the engine's default. */
  timeoutSeconds: z.number().positive().max(86_400).optional(),
  /** How often a failed or terminated attempt is repeated, 0 to 100. @default 0 */
  maxRetries: z.int().min(0).max(100).default(0),
  /** Whether the block may run again when it is unknown if it took effect. @default true */
  idempotent: z.boolean().default(true),
  /** Declared parameters that the block uses; a secret is handed to a block only when it is named here. */
  parameterKeys: z.array(z.string()).optional(),
})

/** What every parsed block has; blocks of custom types carry their own fields beside it. */
export type BlockDefinition = z.infer<typeof blockCommonSchema>

/** What every block has, as authors write it. */
export type BlockCommonInput = z.input<typeof blockCommonSchema>

/** The names of the common fields. */
export const BLOCK_COMMON_KEYS: readonly string[] = Object.keys(blockCommonSchema.shape)

/**
 * The schema of a block type's own fields. Unknown keys are refused unless the object is a loose one. A field named `loopBlocks`
 * holds child blocks, and is parsed with the same block types.
 */
export type BlockSchema = z.ZodObject
