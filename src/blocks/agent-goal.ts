import type { AgentOutcome } from '../actions/index.js'
import { actionSchema, type BlockDefinition, type GoalConfig, type TaskConfig } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { DownloadedFile } from '../events/index.js'
import type { BlockContext } from './block-context.js'
import { type BlockResult, completed, failed, terminated } from './block-result.js'

/** Has the agent reach the goal of a block without steps: its `url` is opened first, when it has one. */
export async function reachGoal(
  block: BlockDefinition & GoalConfig & Pick<TaskConfig, 'schema' | 'selectors'>,
  context: BlockContext,
  collectDownloads: () => Promise<readonly DownloadedFile[]>,
): Promise<BlockResult> {
  const { label, url, navigationGoal, title, completeCriterion } = block
  if (!context.hasAgent) return failed(`"${label}" has no steps, and no agent is configured`, 'AGENT_REQUIRED')
  const goal = navigationGoal ?? title ?? completeCriterion
  if (goal === undefined) return failed(`"${label}" has neither steps nor a goal`, 'NO_GOAL')
  if (url !== undefined) {
    const open = actionSchema.parse({ type: 'goto_url', url, intention: 'open the page' })
    const { failure } = await context.performAll([open], { task: { url, goal } })
    if (failure !== null)
      return failed(`"${label}" could not open its page: ${failure.error.message}`, failure.error.code, { cause: failure.error })
  }
  const { navigationPayload: payload, terminateCriterion, maxSteps, selectors, schema } = block
  const outcome = await context.runAgent({
    goal,
    url,
    payload,
    completeCriterion,
    terminateCriterion,
    maxSteps,
    schema: selectors === undefined ? schema : undefined,
    errorCodeMapping: { ...context.errorCodeMapping, ...block.errorCodeMapping },
  })
  return goalOf(block, context, outcome, outcome.status === 'completed' ? await collectDownloads() : [])
}

function goalOf(block: BlockDefinition, context: BlockContext, outcome: AgentOutcome, downloads: readonly DownloadedFile[]): BlockResult {
  const { status, errorCode, output: extractedInformation } = outcome
  const reason = outcome.reason ?? 'the agent gave no reason'
  const output = {
    status,
    extractedInformation,
    downloadedFiles: downloads as unknown as Json,
    screenshotArtifactIds: [],
    errors: status === 'completed' ? [] : [{ code: errorCode, reason }],
    actionCount: context.actionCount,
    recoveredSteps: 0,
    usage: { ...outcome.usage },
  }
  if (status === 'completed') return completed(output)
  if (status === 'terminated') return terminated(reason, errorCode ?? 'TERMINATED', output)
  return failed(`"${block.label}": ${reason}`, errorCode ?? 'AGENT_FAILED', { output, cause: outcome.error })
}
