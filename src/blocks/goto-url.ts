import { z } from 'zod'
import { actionSchema, gotoUrlConfigSchema } from '../definition/index.js'
import { completed, failed } from './block-result.js'
import { defineBlock } from './define-block.js'

const bareKey = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Opens an address: a template, or the bare key of a parameter. */
export const gotoUrl = defineBlock({
  type: 'goto_url',
  schema: gotoUrlConfigSchema,
  output: z.object({ url: z.string(), title: z.string(), httpStatus: z.number().int().nullable() }),
  needsBrowser: true,
  async execute(block, context) {
    const isKey = bareKey.test(block.url) && context.lookup(block.url) !== undefined
    const result = await context.perform(actionSchema.parse({ type: 'goto_url', url: isKey ? `{{ ${block.url} }}` : block.url }))
    if (result.error !== null) return failed(result.error.message, result.error.code, { cause: result.error })
    return completed(result.value)
  },
})
