import { z } from 'zod'
import { validationConfigSchema } from '../definition/index.js'
import { completed, failed, terminated } from './block-result.js'
import { holds } from './criteria.js'
import { defineBlock } from './define-block.js'

/** Tests criteria: terminate first, then complete; neither true fails. */
export const validation = defineBlock({
  type: 'validation',
  schema: validationConfigSchema,
  output: z.object({ status: z.string(), reason: z.string() }),
  async execute(block, context) {
    const { completeCriterion, terminateCriterion } = block
    if (terminateCriterion !== undefined && holds(terminateCriterion, context)) {
      const reason = `terminate criterion holds: ${terminateCriterion.expression}`
      return terminated(reason, 'TERMINATE_CRITERION', { status: 'terminated', reason })
    }
    if (completeCriterion !== undefined && holds(completeCriterion, context)) {
      return completed({ status: 'completed', reason: `complete criterion holds: ${completeCriterion.expression}` })
    }
    const reason = 'neither criterion holds'
    return failed(`Validation "${block.label}": ${reason}`, 'VALIDATION_FAILED', { output: { status: 'failed', reason } })
  },
})
