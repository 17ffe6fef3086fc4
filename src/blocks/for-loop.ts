import { z } from 'zod'
import { type BlockDefinition, forLoopConfigSchema } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import { MAX_LOOP_ITERATIONS } from './block-context.js'
import { completed, terminated } from './block-result.js'
import { defineBlock } from './define-block.js'
import { LoopIterations } from './loop-iterations.js'

/** Runs its children once for each value of a list. */
export const forLoop = defineBlock({
  type: 'for_loop',
  schema: forLoopConfigSchema,
  output: z.array(
    z.array(
      z.object({ label: z.string(), loopValue: z.json(), output: z.json(), status: z.string(), failureReason: z.string().optional() }),
    ),
  ),
  cacheable: true,
  async execute(block, context) {
    const reference = block.loopOverParameterKey ?? block.loopVariableReference ?? ''
    const values = loopValues(context.lookup(stripBraces(reference)))
    if (values.length === 0) {
      return block.completeIfEmpty ? completed([]) : terminated(`"${reference}" holds nothing to loop over`, 'NOTHING_TO_LOOP_OVER')
    }
    const loop = new LoopIterations(block as BlockDefinition & { loopBlocks: BlockDefinition[] }, context)
    for (const [index, value] of values.entries()) {
      if (index === MAX_LOOP_ITERATIONS) return loop.fail(`"${reference}" holds more than ${MAX_LOOP_ITERATIONS} values`, 'LOOP_TOO_LONG')
      const end = await loop.run(index, { value }, values.length)
      if (end !== null) return end
    }
    return loop.complete()
  },
})

/** The values of a loop: a list, what an extraction holds, or the one value; null and undefined are nothing. Pure. */
export function loopValues(value: unknown): readonly Json[] {
  const unwrapped = unwrap(value)
  if (unwrapped === null || unwrapped === undefined) return []
  return Array.isArray(unwrapped) ? unwrapped : [unwrapped as Json]
}

function unwrap(value: unknown): unknown {
  for (const key of ['extractedInformation', 'extracted_information']) if (has(value, key)) return resultsOf(value[key])
  return resultsOf(value)
}

const resultsOf = (value: unknown): unknown => (has(value, 'results') ? value.results : value)

const has = <K extends string>(value: unknown, key: K): value is Record<K, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, key)

/** A template path without the braces that authors may put around it. */
const stripBraces = (path: string) => path.replace(/^\s*\{\{-?|-?\}\}\s*$/g, '').trim()
