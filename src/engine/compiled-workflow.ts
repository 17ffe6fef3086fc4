import { type BlockDefinition, buildGraph, isLoopBlock, type WorkflowDefinition, type WorkflowGraph } from '../definition/index.js'
import type { WorkflowRow } from '../storage/index.js'

/** One level of a workflow, ready to be walked: the top level, or the body of a loop. */
export interface Level {
  readonly graph: WorkflowGraph
  readonly blocks: ReadonlyMap<string, BlockDefinition>
}

/** A stored version of a workflow, ready to be run. Immutable, as versions are. */
export interface CompiledWorkflow {
  readonly row: WorkflowRow
  readonly definition: WorkflowDefinition
  readonly level: Level
  readonly finallyBlock: BlockDefinition | null
  /** Every block at every depth. */
  readonly blocks: ReadonlyMap<string, BlockDefinition>
}

export function compileWorkflow(row: WorkflowRow, definition: WorkflowDefinition): CompiledWorkflow {
  const level = compileLevel(definition.blocks, definition.finallyBlockLabel)
  const finallyBlock = definition.blocks.find((block) => block.label === definition.finallyBlockLabel) ?? null
  return { row, definition, level, finallyBlock, blocks: new Map(allBlocks(definition.blocks).map((block) => [block.label, block])) }
}

const loopLevels = new WeakMap<readonly BlockDefinition[], Level>()

/** The level of a loop's body; built once for each definition in memory. */
export function levelOf(loopBlocks: readonly BlockDefinition[]): Level {
  const known = loopLevels.get(loopBlocks)
  if (known !== undefined) return known
  const level = compileLevel(loopBlocks, null)
  loopLevels.set(loopBlocks, level)
  return level
}

/** Blocks of a level and of everything nested in it, parents first. */
export function allBlocks(blocks: readonly BlockDefinition[]): readonly BlockDefinition[] {
  return blocks.flatMap((block) => [block, ...(isLoopBlock(block) ? allBlocks(block.loopBlocks) : [])])
}

function compileLevel(blocks: readonly BlockDefinition[], finallyBlockLabel: string | null): Level {
  return { graph: buildGraph(blocks, { finallyBlockLabel }), blocks: new Map(blocks.map((block) => [block.label, block])) }
}
