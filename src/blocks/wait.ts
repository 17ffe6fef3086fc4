import { z } from 'zod'
import { waitConfigSchema } from '../definition/index.js'
import { completed } from './block-result.js'
import { defineBlock } from './define-block.js'

/** Lets time pass. */
export const wait = defineBlock({
  type: 'wait',
  schema: waitConfigSchema,
  output: z.object({ waitedSec: z.number() }),
  async execute(block, context) {
    await context.sleep(block.waitSec * 1_000)
    return completed({ waitedSec: block.waitSec })
  },
})
