import { z } from 'zod'
import { type GoalConfig, goalConfigSchema, loginConfigSchema } from '../definition/index.js'
import { downloadedFileSchema } from '../events/index.js'
import type { BlockContext } from './block-context.js'
import { type BlockResult, failed } from './block-result.js'
import { defineBlock } from './define-block.js'
import { goalResult, performGoal } from './goal-steps.js'

/** Output of the goal blocks. */
export const goalOutputSchema = z.object({
  status: z.string(),
  extractedInformation: z.json(),
  downloadedFiles: z.array(downloadedFileSchema),
  screenshotArtifactIds: z.array(z.string()),
  errors: z.array(z.object({ code: z.string().nullable(), reason: z.string() })),
  actionCount: z.number().int(),
})

/** How long downloads that a goal block's steps set off are waited for. */
const DOWNLOAD_GRACE_MS = 30_000

async function execute(block: Parameters<typeof goalResult>[0], context: BlockContext): Promise<BlockResult> {
  if ((block as GoalConfig).steps === undefined)
    return failed(`"${block.label}" has no steps, and no agent is configured`, 'AGENT_REQUIRED')
  const sequence = await performGoal(block, context)
  const downloads = sequence.failure === null ? await context.downloads.collect({ atLeast: 0, timeoutMs: DOWNLOAD_GRACE_MS }) : []
  return goalResult(block, context, sequence, downloads)
}

const goalBlock = (type: 'navigation' | 'action' | 'task') =>
  defineBlock({ type, schema: goalConfigSchema, output: goalOutputSchema, cacheable: true, needsBrowser: true, execute })

/** Performs steps on a page. */
export const navigation = goalBlock('navigation')
/** The same as `navigation`: the name tells readers that it is one action. */
export const action = goalBlock('action')
/** The same as `navigation`. */
export const task = goalBlock('task')

/** Signs in; `credentialKey` names the secret that its steps use. */
export const login = defineBlock({
  type: 'login',
  schema: loginConfigSchema,
  output: goalOutputSchema,
  cacheable: true,
  needsBrowser: true,
  execute,
})
