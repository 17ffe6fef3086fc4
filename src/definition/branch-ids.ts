import type { BlockDefinition } from './block-common.js'
import { isConditionalBlock, isLoopBlock } from './blocks.js'

/**
 * Gives every branch without an id one, `<label>_branch_<n>`, at every depth; ids that are there are kept, so that a branch can be
 * followed over saves.
 */
export function assignBranchIds(blocks: readonly BlockDefinition[]): BlockDefinition[] {
  return blocks.map((block) => {
    const withChildren = isLoopBlock(block) ? { ...block, loopBlocks: assignBranchIds(block.loopBlocks) } : block
    if (!isConditionalBlock(withChildren)) return withChildren
    const taken = new Set(withChildren.branches.flatMap(({ id }) => id ?? []))
    let number = 0
    const freeId = () => {
      do number += 1
      while (taken.has(`${block.label}_branch_${number}`))
      return `${block.label}_branch_${number}`
    }
    return { ...withChildren, branches: withChildren.branches.map((branch) => ({ ...branch, id: branch.id ?? freeId() })) }
  })
}
