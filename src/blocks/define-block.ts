import type { z } from 'zod'
import type { BlockDefinition, BlockSchema } from '../definition/index.js'
import type { BlockContext } from './block-context.js'
import type { BlockResult } from './block-result.js'

/** A block type: how its own fields are written, and what it does. */
export interface BlockType<Schema extends BlockSchema = BlockSchema> {
  /** snake_case, unique in a registry. */
  readonly type: string
  /** Its own fields, beside the common ones. A field `loopBlocks` holds children. */
  readonly schema: Schema
  /** Shape of its output, for docs. */
  readonly output?: z.ZodType
  /** Whether a generated script may replace it. @default false */
  readonly cacheable: boolean
  /** Whether it cannot run without a browser; the engine then has one ready before it starts. @default false */
  readonly needsBrowser: boolean
  /**
   * Whether `timeoutSeconds` is a field of its own that it minds itself: no deadline is set for its attempts, the engine's default neither.
   * @default false
   */
  readonly ownsTimeout: boolean
  /** Does the work. What it throws is a failed (`BlockTerminated`: terminated) result with its cause. */
  execute(block: BlockDefinition & z.output<Schema>, context: BlockContext): Promise<BlockResult>
}

/** What `defineBlock` takes: a block type, defaults left out. */
export type BlockTypeInput<Schema extends BlockSchema> = Omit<BlockType<Schema>, OptionalFlag> &
  Partial<Pick<BlockType<Schema>, OptionalFlag>>
type OptionalFlag = 'cacheable' | 'needsBrowser' | 'ownsTimeout'

/**
 * Makes a block type. Register it with the engine's `blocks` option.
 *
 * @example
 * ```ts
 * const shout = defineBlock({
 *   type: 'shout',
 *   schema: z.strictObject({ text: z.string() }),
 *   execute: async (block, context) => completed(context.render(block.text).toUpperCase()),
 * })
 * ```
 */
export function defineBlock<Schema extends BlockSchema>(input: BlockTypeInput<Schema>): BlockType<Schema> {
  const { cacheable = false, needsBrowser = false, ownsTimeout = false } = input
  return { ...input, cacheable, needsBrowser, ownsTimeout }
}
