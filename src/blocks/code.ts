import { z } from 'zod'
import { codeConfigSchema } from '../definition/index.js'
import { completed, failed } from './block-result.js'
import { defineBlock } from './define-block.js'

/** Calls a function of the host. */
export const code = defineBlock({
  type: 'code',
  schema: codeConfigSchema,
  output: z.json(),
  async execute(block, context) {
    if (block.handler === undefined)
      return failed('Source code in a definition is not run by this engine; register a handler', 'CODE_NOT_SUPPORTED')
    return completed(await context.callHandler(block.handler))
  },
})
