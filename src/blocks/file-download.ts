import { fileDownloadConfigSchema } from '../definition/index.js'
import { failed } from './block-result.js'
import { defineBlock } from './define-block.js'
import { goalOutputSchema } from './goal-blocks.js'
import { goalResult, performGoal } from './goal-steps.js'

/** Performs steps that make the page download something, and stores what came. */
export const fileDownload = defineBlock({
  type: 'file_download',
  schema: fileDownloadConfigSchema,
  output: goalOutputSchema,
  cacheable: true,
  needsBrowser: true,
  async execute(block, context) {
    if (block.steps === undefined) return failed(`"${block.label}" has no steps, and no agent is configured`, 'AGENT_REQUIRED')
    const sequence = await performGoal(block, context)
    if (sequence.failure !== null || sequence.ending?.kind === 'terminate') return goalResult(block, context, sequence, [])
    const files = await context.downloads.collect({
      atLeast: 1,
      timeoutMs: block.downloadTimeoutSeconds * 1_000,
      filename: block.downloadSuffix === undefined ? undefined : context.render(block.downloadSuffix),
    })
    if (files.length === 0 && !block.continueOnEmpty) {
      return failed(`"${block.label}": nothing was downloaded within ${block.downloadTimeoutSeconds} s`, 'NOTHING_DOWNLOADED')
    }
    return goalResult(block, context, sequence, files)
  },
})
