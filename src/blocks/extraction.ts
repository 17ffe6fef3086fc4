import { z } from 'zod'
import { actionSchema, extractionConfigSchema, validateJson } from '../definition/index.js'
import { completed, failed } from './block-result.js'
import { defineBlock } from './define-block.js'

/** Reads data from the page by selectors, and checks it against a JSON Schema. */
export const extraction = defineBlock({
  type: 'extraction',
  schema: extractionConfigSchema,
  output: z.json(),
  cacheable: true,
  needsBrowser: true,
  async execute(block, context) {
    if (block.selectors === undefined) return failed(`"${block.label}" has no selectors, and no agent is configured`, 'AGENT_REQUIRED')
    const open = block.url === undefined ? [] : [actionSchema.parse({ type: 'goto_url', url: block.url, intention: 'open the page' })]
    const { results, failure } = await context.performAll([...open, actionSchema.parse({ type: 'extract', selectors: block.selectors })])
    if (failure !== null) return failed(`"${block.label}": ${failure.error.message}`, failure.error.code, { cause: failure.error })
    const data = results.at(-1)?.value ?? null
    const check = block.schema === undefined ? { ok: true as const } : validateJson(block.schema, data)
    if (check.ok) return completed(data)
    const errors = check.errors.map(({ path, message }) => `${path}: ${message}`).join('; ')
    return failed(`"${block.label}": the extracted data does not fit its schema: ${errors}`, 'SCHEMA_MISMATCH', { output: data })
  },
})
