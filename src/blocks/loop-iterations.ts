import type { BlockDefinition } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import { type BlockContext, type ChildrenResult, MAX_BLOCKS_PER_ITERATION } from './block-context.js'
import { type BlockNotCompleted, type BlockResult, completed, failed } from './block-result.js'

/** What a loop keeps of one child of one iteration. */
type Entry = { label: string; loopValue: Json; output: Json; status: string; failureReason?: string }

/** The part that both loops share: runs iterations one after another, keeps their outputs, decides on failures. */
export class LoopIterations {
  readonly #block: BlockDefinition & { readonly loopBlocks: readonly BlockDefinition[] }
  readonly #context: BlockContext
  readonly #output: Entry[][] = []

  constructor(block: BlockDefinition & { readonly loopBlocks: readonly BlockDefinition[] }, context: BlockContext) {
    this.#block = block
    this.#context = context
  }

  /** Runs one iteration; gives the loop's result when it ends the loop, else null. */
  async run(index: number, current: { readonly value: Json } | undefined, total: number | null): Promise<BlockResult | null> {
    const context = this.#context
    context.resetOutputs(this.#block.loopBlocks)
    const level = await context.runChildren({
      blocks: this.#block.loopBlocks,
      currentIndex: index,
      ...(current === undefined ? {} : { current }),
    })
    this.#output.push(level.children.map(({ block, result }) => entryOf(block.label, current?.value ?? null, result)))
    const end = this.#endAfter(level, index)
    if (end !== null || index === 0 || (index + 1) % 10 === 0) await context.progress(this.#output, index + 1, total)
    return end
  }

  /** The loop's result at its natural end. */
  async complete(): Promise<BlockResult> {
    const iterations = this.#output.length
    if (iterations > 1 && iterations % 10 !== 0) await this.#context.progress(this.#output, iterations, iterations)
    return completed(this.#output)
  }

  /** The loop's result when a cap or a condition ends it. */
  fail(reason: string, code: string, cause?: unknown): BlockResult {
    return failed(reason, code, { output: this.#output, cause })
  }

  #endAfter(level: ChildrenResult, index: number): BlockNotCompleted | null {
    if (level.exceededLimit) {
      return failed(`Iteration ${index} of "${this.#block.label}" ran more than ${MAX_BLOCKS_PER_ITERATION} blocks`, 'LOOP_TOO_LONG', {
        output: this.#output,
      })
    }
    const { stoppedBy } = level
    if (stoppedBy === null) return null
    const { block, result } = stoppedBy
    const goesOn = result.status !== 'canceled' && (block.nextLoopOnFailure || this.#block.nextLoopOnFailure)
    if (goesOn) return null
    return { ...result, failureReason: `Iteration ${index}, block "${block.label}": ${result.failureReason}`, output: this.#output }
  }
}

function entryOf(label: string, loopValue: Json, result: BlockResult): Entry {
  if (result.status === 'completed') return { label, loopValue, output: result.output, status: result.status }
  return { label, loopValue, output: null, status: result.status, failureReason: result.failureReason }
}
