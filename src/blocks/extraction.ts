import { z } from 'zod'
import { actionSchema, extractionConfigSchema, validateJson } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { BlockContext } from './block-context.js'
import { type BlockResult, completed, failed, terminated } from './block-result.js'
import { defineBlock } from './define-block.js'

/** Reads data from the page by selectors, and checks it against a JSON Schema. */
export const extraction = defineBlock({
  type: 'extraction',
  schema: extractionConfigSchema,
  output: z.json(),
  cacheable: true,
  needsBrowser: true,
  async execute(block, context) {
    if (block.selectors === undefined && !context.hasAgent) {
      return failed(`"${block.label}" has no selectors, and no agent is configured`, 'AGENT_REQUIRED')
    }
    const open = block.url === undefined ? [] : [actionSchema.parse({ type: 'goto_url', url: block.url, intention: 'open the page' })]
    const read = block.selectors === undefined ? [] : [actionSchema.parse({ type: 'extract', selectors: block.selectors })]
    const { results, failure } = await context.performAll([...open, ...read])
    if (failure !== null) return failed(`"${block.label}": ${failure.error.message}`, failure.error.code, { cause: failure.error })
    if (block.selectors === undefined) return readByAgent(block, context)
    const data = results.at(-1)?.value ?? null
    const check = block.schema === undefined || context.dryRun ? { ok: true as const } : validateJson(block.schema, data)
    if (check.ok) return completed(data)
    const errors = check.errors.map(({ path, message }) => `${path}: ${message}`).join('; ')
    return failed(`"${block.label}": the extracted data does not fit its schema: ${errors}`, 'SCHEMA_MISMATCH', { output: data })
  },
})

interface Reading {
  readonly label: string
  readonly url?: string | undefined
  readonly title?: string | undefined
  readonly dataExtractionGoal?: string | undefined
  readonly schema?: Readonly<Record<string, Json>> | boolean | undefined
}

async function readByAgent({ label, url, title, dataExtractionGoal, schema }: Reading, context: BlockContext): Promise<BlockResult> {
  const what = dataExtractionGoal ?? title ?? 'what the schema asks for'
  const { status, reason, errorCode, output, error } = await context.runAgent({
    goal: `Read from the page, without changing it: ${what}`,
    url,
    schema,
    errorCodeMapping: context.errorCodeMapping,
  })
  if (status === 'completed') return completed(output)
  if (status === 'terminated') return terminated(reason ?? 'the agent gave no reason', errorCode ?? 'TERMINATED', output)
  return failed(`"${label}": ${reason}`, errorCode ?? 'AGENT_FAILED', { output, cause: error })
}
