import { describeAction } from '../actions/index.js'
import type { BlockType } from '../blocks/index.js'
import type { Action, ActionType, BlockDefinition } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { BlockEntry } from './block-journal.js'
import type { RunState } from './run-state.js'

/** Actions that only read the page, or wait: an attempt that made no others has not begun acting. */
const READING_ACTIONS: ReadonlySet<ActionType> = new Set([
  ...(['wait', 'wait_for', 'screenshot', 'extract', 'locate_element', 'assert', 'complete', 'terminate'] as const),
])

/** Blocks that do nothing outside the run: they can always be run again, or are gone on with. */
const INNER_BLOCKS: ReadonlySet<string> = new Set(['conditional', 'validation', 'wait', 'for_loop', 'while_loop', 'human_interaction'])

/** What an attempt is about to do, as its row keeps it. */
export type Intent = Record<string, Json>

/**
 * The intent with which an attempt begins: that of a block that acts, as far as can be told, as soon as it begins. Null: it can be run
 * again, or its actions will tell. Pure.
 */
export function intentAtBegin(block: BlockDefinition, type: BlockType | undefined, at: Date): Intent | null {
  if (block.idempotent || INNER_BLOCKS.has(block.type) || type === undefined || type.needsBrowser) return null
  const { handler } = block as { readonly handler?: unknown }
  const description = typeof handler === 'string' ? `${block.type} "${handler}"` : block.type
  return { type: block.type, description, at: at.toISOString() }
}

/** Writes down what one block attempt is about to do, where that must not be done twice. */
export class AttemptIntents {
  readonly #state: RunState
  readonly #block: BlockDefinition
  readonly #entry: BlockEntry
  #hasWritten: boolean

  constructor(state: RunState, block: BlockDefinition, entry: BlockEntry) {
    this.#state = state
    this.#block = block
    this.#entry = entry
    this.#hasWritten = entry.intent !== null
  }

  /** Called before an action acts. The first is on record when this resolves. `mustNotRepeat`: its step says so, whatever the block says. */
  async beforeAction(action: Action, mustNotRepeat: boolean): Promise<void> {
    if (this.#state.run.dryRun || READING_ACTIONS.has(action.type)) return
    const isMarked = mustNotRepeat || action.idempotent === false
    if (this.#block.idempotent && !isMarked) return
    await this.#write({ type: action.type, description: describeAction(action) }, isMarked)
  }

  /** The page is handed out as the driver has it: whatever is done with it is not seen. */
  async beforeNativePage(): Promise<void> {
    if (!this.#block.idempotent) await this.#write({ type: 'native_page', description: "the driver's own page" }, false)
  }

  async #write(intent: Intent, isMarked: boolean): Promise<void> {
    const { blocks, time, secrets } = this.#state
    const isFirst = !this.#hasWritten || isMarked
    this.#hasWritten = true
    const at = time.now().toISOString()
    await blocks.intend(this.#entry, { ...(secrets.redact(intent) as Intent), at }, isFirst)
  }
}
