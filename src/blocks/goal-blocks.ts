import { z } from 'zod'
import {
  type BlockDefinition,
  type GoalConfig,
  goalConfigSchema,
  loginConfigSchema,
  type TaskConfig,
  taskConfigSchema,
} from '../definition/index.js'
import { downloadedFileSchema } from '../events/index.js'
import { reachGoal } from './agent-goal.js'
import type { BlockContext } from './block-context.js'
import type { BlockResult } from './block-result.js'
import { defineBlock } from './define-block.js'
import { goalResult, hasSteps, performGoal } from './goal-steps.js'
import { readAtEnd } from './task-reading.js'

/** Output of the goal blocks. */
export const goalOutputSchema = z.object({
  status: z.string(),
  extractedInformation: z.json(),
  downloadedFiles: z.array(downloadedFileSchema),
  screenshotArtifactIds: z.array(z.string()),
  errors: z.array(z.object({ code: z.string().nullable(), reason: z.string() })),
  actionCount: z.number().int(),
  /** Steps that did what they should, but not at the first attempt. */
  recoveredSteps: z.number().int(),
  /** What an agent's models have used; left out where none acted. */
  usage: z.object({ tokens: z.number(), calls: z.number() }).optional(),
})

/** How long downloads that a goal block's steps set off are waited for. */
const DOWNLOAD_GRACE_MS = 30_000

async function execute(block: Parameters<typeof goalResult>[0], context: BlockContext): Promise<BlockResult> {
  const collect = () => context.downloads.collect({ atLeast: 0, timeoutMs: DOWNLOAD_GRACE_MS })
  if (!hasSteps(block as GoalConfig)) return reachGoal(block as GoalBlock, context, collect)
  const sequence = await performGoal(block, context)
  const downloads = sequence.failure === null ? await collect() : []
  return goalResult(block, context, sequence, downloads)
}

type GoalBlock = BlockDefinition & GoalConfig

const goalBlock = (type: 'navigation' | 'action') =>
  defineBlock({ type, schema: goalConfigSchema, output: goalOutputSchema, cacheable: true, needsBrowser: true, execute })

/** Performs steps on a page. */
export const navigation = goalBlock('navigation')
/** The same as `navigation`: the name tells readers that it is one action. */
export const action = goalBlock('action')
/** The same as `navigation`; what it reads at its end must fit its schema. */
export const task = defineBlock({
  type: 'task',
  schema: taskConfigSchema,
  output: goalOutputSchema,
  cacheable: true,
  needsBrowser: true,
  execute: async (block, context) => readAtEnd(block as BlockDefinition & TaskConfig, context, await execute(block, context)),
})

/** Signs in; `credentialKey` names the secret that its steps use. */
export const login = defineBlock({
  type: 'login',
  schema: loginConfigSchema,
  output: goalOutputSchema,
  cacheable: true,
  needsBrowser: true,
  execute,
})
