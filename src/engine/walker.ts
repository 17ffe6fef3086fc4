import { type ChildRun, type ChildrenResult, MAX_BLOCKS_PER_ITERATION, type RunChildrenParams } from '../blocks/index.js'
import { type BlockDefinition, nextAfter } from '../definition/index.js'
import type { AbortFork } from '../runtime/index.js'
import type { BlockEntry } from './block-journal.js'
import { BlockRunner, type RunBlockParams } from './block-runner.js'
import { type Level, levelOf } from './compiled-workflow.js'
import type { RunState } from './run-state.js'

/** Walks the blocks of a run, level by level. */
export class Walker {
  readonly #runner: BlockRunner
  readonly #state: RunState

  constructor(state: RunState) {
    this.#state = state
    this.#runner = new BlockRunner(state)
  }

  /** Walks a level along its graph until a block stops it. */
  async walk(
    level: Level,
    fork: AbortFork,
    parent: { readonly runBlockId: string; readonly limit: number } | null = null,
  ): Promise<ChildrenResult> {
    const children: ChildRun[] = []
    for (let label: string | null = level.graph.root; label !== null; ) {
      const block = level.blocks.get(label)
      if (block === undefined) throw new TypeError(`The graph leads to "${label}", which is no block of its level`)
      if (parent !== null && children.length === parent.limit) return { children, stoppedBy: null, exceededLimit: true }
      const nextBlock = (branchTaken: string | null) => nextAfter(level.graph, block.label, branchTaken)
      const child = await this.#run({ block, fork, parentRunBlockId: parent?.runBlockId ?? null, nextBlock })
      children.push(child)
      const stoppedBy = stopsLevel(child)
      if (stoppedBy !== null) return { children, stoppedBy, exceededLimit: false }
      label = nextBlock(child.result.status === 'completed' ? (child.result.branch?.branchTaken ?? null) : null)
    }
    return { children, stoppedBy: null, exceededLimit: false }
  }

  /** Runs blocks as a plain list; conditionals do not route. */
  async runList(blocks: readonly BlockDefinition[], fork: AbortFork): Promise<ChildrenResult> {
    const children: ChildRun[] = []
    for (const [index, block] of blocks.entries()) {
      const nextBlock = () => blocks[index + 1]?.label ?? null
      const child = await this.#run({ block, fork, parentRunBlockId: null, nextBlock })
      children.push(child)
      const stoppedBy = stopsLevel(child)
      if (stoppedBy !== null) return { children, stoppedBy, exceededLimit: false }
    }
    return { children, stoppedBy: null, exceededLimit: false }
  }

  async #run(params: Omit<RunBlockParams, 'runChildren'>): Promise<ChildRun> {
    return { block: params.block, result: await this.#runner.run({ ...params, runChildren: this.#runChildren }) }
  }

  readonly #runChildren = (params: RunChildrenParams, entry: BlockEntry, fork: AbortFork): Promise<ChildrenResult> =>
    this.#state.scope.inLoop({ index: params.currentIndex, current: params.current }, () =>
      this.walk(levelOf(params.blocks), fork, { runBlockId: entry.runBlockId, limit: MAX_BLOCKS_PER_ITERATION }),
    )
}

/** The child as the one that ends its level; null when the walk goes on. */
function stopsLevel({ block, result }: ChildRun): ChildrenResult['stoppedBy'] {
  if (result.status === 'completed' || (result.status !== 'canceled' && block.continueOnFailure)) return null
  return { block, result }
}
