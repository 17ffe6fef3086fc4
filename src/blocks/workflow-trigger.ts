import { z } from 'zod'
import { mapJson, workflowTriggerConfigSchema } from '../definition/index.js'
import { BlockFailed, type Json } from '../errors/index.js'
import type { BlockContext } from './block-context.js'
import { completed, failed } from './block-result.js'
import { defineBlock } from './define-block.js'

/** Runs another workflow, and waits for its end unless it is told not to. */
export const workflowTrigger = defineBlock({
  type: 'workflow_trigger',
  schema: workflowTriggerConfigSchema,
  output: z.object({ workflowRunId: z.string(), status: z.string(), outputs: z.record(z.string(), z.json()).nullable() }),
  async execute(block, context) {
    const { waitForCompletion, useParentBrowserSession } = block
    const run = await context.triggerRun({
      workflowPermanentId: context.render(block.workflowPermanentId),
      parameters: parametersOf(block.payload ?? {}, context),
      waitForCompletion,
      useParentBrowserSession,
      browserSessionId: block.browserSessionId === undefined ? undefined : context.render(block.browserSessionId),
    })
    const { workflowRunId, status, outputs, failureReason } = run
    const output: Json = { workflowRunId, status, outputs: outputs as Record<string, Json> | null }
    if (!waitForCompletion || status === 'completed') return completed(output)
    return failed(`run ${workflowRunId} ended ${status}${failureReason === null ? '' : `: ${failureReason}`}`, 'CHILD_RUN_FAILED', {
      output,
    })
  },
})

function parametersOf(payload: Json, context: BlockContext): Readonly<Record<string, Json>> {
  const render = (value: Json) => (typeof value === 'string' ? context.renderValue(value) : value)
  const rendered = mapJson(payload, { scalar: render })
  if (typeof rendered === 'object' && rendered !== null && !Array.isArray(rendered)) return rendered as Record<string, Json>
  const found = Array.isArray(rendered) ? 'a list' : rendered === null ? 'nothing' : `a ${typeof rendered}`
  throw new BlockFailed(`the payload gives ${found}, not an object with a value for each parameter`, { code: 'INVALID_PAYLOAD' })
}
