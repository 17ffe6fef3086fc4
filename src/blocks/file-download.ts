import { fileDownloadConfigSchema } from '../definition/index.js'
import type { DownloadedFile } from '../events/index.js'
import { reachGoal } from './agent-goal.js'
import { failed } from './block-result.js'
import { defineBlock } from './define-block.js'
import { goalOutputSchema } from './goal-blocks.js'
import { goalResult, hasSteps, performGoal } from './goal-steps.js'

/** Performs steps that make the page download something, and stores what came. */
export const fileDownload = defineBlock({
  type: 'file_download',
  schema: fileDownloadConfigSchema,
  output: goalOutputSchema,
  cacheable: true,
  needsBrowser: true,
  async execute(block, context) {
    let files: readonly DownloadedFile[] = []
    const collect = async () => {
      files = await context.downloads.collect({
        atLeast: 1,
        timeoutMs: block.downloadTimeoutSeconds * 1_000,
        filename: block.downloadSuffix === undefined ? undefined : context.render(block.downloadSuffix),
      })
      return files
    }
    const isEmpty = () => files.length === 0 && !block.continueOnEmpty
    const nothing = () => failed(`"${block.label}": nothing was downloaded within ${block.downloadTimeoutSeconds} s`, 'NOTHING_DOWNLOADED')
    if (!hasSteps(block)) {
      const reached = await reachGoal(block, context, collect)
      return reached.status === 'completed' && isEmpty() ? nothing() : reached
    }
    const sequence = await performGoal(block, context)
    if (sequence.failure !== null || sequence.ending?.kind === 'terminate') return goalResult(block, context, sequence, [])
    await collect()
    return isEmpty() ? nothing() : goalResult(block, context, sequence, files)
  },
})
