import { actionSchema, type BlockDefinition, type TaskConfig, validateJson } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { BlockContext } from './block-context.js'
import { type BlockResult, completed, failed } from './block-result.js'

/** What a task reads when its goal is reached: it becomes `extractedInformation`, and must fit the task's schema. */
export async function readAtEnd(block: BlockDefinition & TaskConfig, context: BlockContext, reached: BlockResult): Promise<BlockResult> {
  const { selectors, schema, label } = block
  if (reached.status !== 'completed' || (selectors === undefined && schema === undefined)) return reached
  let output = reached.output as { readonly [key: string]: Json }
  if (selectors !== undefined) {
    const { results, failure } = await context.performAll([actionSchema.parse({ type: 'extract', selectors })], { task: {} })
    if (failure !== null) return failed(`"${label}": ${failure.error.message}`, failure.error.code, { output, cause: failure.error })
    output = { ...output, extractedInformation: results.at(-1)?.value ?? null, actionCount: context.actionCount }
  }
  const check = schema === undefined || context.dryRun ? { ok: true as const } : validateJson(schema, output.extractedInformation ?? null)
  if (check.ok) return completed(output)
  const errors = check.errors.map(({ path, message }) => `${path}: ${message}`).join('; ')
  return failed(`"${label}": the extracted data does not fit its schema: ${errors}`, 'SCHEMA_MISMATCH', { output })
}
