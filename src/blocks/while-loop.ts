import { z } from 'zod'
import { type BlockDefinition, whileLoopConfigSchema } from '../definition/index.js'
import { MAX_LOOP_ITERATIONS } from './block-context.js'
import { holds } from './criteria.js'
import { defineBlock } from './define-block.js'
import { LoopIterations } from './loop-iterations.js'

/** Runs its children for as long as a condition holds. */
export const whileLoop = defineBlock({
  type: 'while_loop',
  schema: whileLoopConfigSchema,
  output: z.array(z.json()),
  cacheable: true,
  async execute(block, context) {
    const loop = new LoopIterations(block as BlockDefinition & { loopBlocks: BlockDefinition[] }, context)
    for (let index = 0; ; index++) {
      let goesOn: boolean
      try {
        goesOn = context.withIndex(index, () => holds(block.condition, context))
      } catch (cause) {
        return loop.fail(
          `The condition of "${block.label}" cannot be evaluated: ${cause instanceof Error ? cause.message : cause}`,
          'CONDITION_ERROR',
          cause,
        )
      }
      if (!goesOn) return loop.complete()
      if (index === MAX_LOOP_ITERATIONS)
        return loop.fail(`The condition of "${block.label}" still holds after ${MAX_LOOP_ITERATIONS} iterations`, 'LOOP_TOO_LONG')
      const end = await loop.run(index, undefined, null)
      if (end !== null) return end
    }
  },
})
