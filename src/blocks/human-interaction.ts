import { z } from 'zod'
import { humanInteractionConfigSchema } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import { completed, failed, timedOut } from './block-result.js'
import { defineBlock } from './define-block.js'

/** Pauses the run until somebody approves, which completes the block, or rejects, which fails it. */
export const humanInteraction = defineBlock({
  type: 'human_interaction',
  schema: humanInteractionConfigSchema,
  output: z.object({ decision: z.enum(['approve', 'reject', 'timeout']), data: z.json(), by: z.string(), at: z.string() }),
  ownsTimeout: true,
  async execute(block, context) {
    const { decision, data, by, at } = await context.pause({
      instructions: context.render(block.instructions),
      positiveDescriptor: context.render(block.positiveDescriptor),
      negativeDescriptor: context.render(block.negativeDescriptor),
      recipients: (block.recipients ?? []).map((recipient) => context.render(recipient)),
      timeoutMs: block.timeoutSeconds * 1_000,
    })
    const output: Json = { decision, data, by, at }
    if (decision === 'approve') return completed(output)
    if (decision === 'reject') return failed(`rejected by ${by}`, 'REJECTED', { output })
    return timedOut(`nobody decided within ${block.timeoutSeconds} seconds`, 'HUMAN_INTERACTION_TIMED_OUT', output)
  },
})
