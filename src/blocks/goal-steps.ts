import type { SequenceResult } from '../actions/index.js'
import { actionSchema, type BlockDefinition, type GoalConfig, playbookStepSchema, type StepEntry } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { DownloadedFile } from '../events/index.js'
import type { BlockContext } from './block-context.js'
import { type BlockResult, completed, failed, terminated } from './block-result.js'

/** Whether a goal block says how it is reached: without an agent it must. */
export const hasSteps = ({ steps, playbook }: GoalConfig): boolean => steps !== undefined || playbook !== undefined

/** Performs a goal block as one task: its `url` first, when it has one, then its steps, then its playbook. */
export function performGoal(block: GoalConfig, context: BlockContext): Promise<SequenceResult> {
  const { url, steps = [], playbook, playbookParameters: parameters = {} } = block
  const open = url === undefined ? [] : [actionSchema.parse({ type: 'goto_url', url, intention: 'open the page' })]
  const call = playbook === undefined ? [] : [playbookStepSchema.parse({ playbook, parameters, onFailure: 'abort' })]
  const task = { url, goal: block.navigationGoal ?? block.title }
  return context.performAll([...open, ...(steps as readonly StepEntry[]), ...call], { task })
}

/** The result of a goal block, from what became of its steps. */
export function goalResult(
  block: BlockDefinition & GoalConfig,
  context: BlockContext,
  sequence: SequenceResult,
  downloadedFiles: readonly DownloadedFile[],
): BlockResult {
  const { failure, ending } = sequence
  const output = (status: string, errors: readonly Json[]): Json => ({
    status,
    extractedInformation: extracted(sequence),
    downloadedFiles: downloadedFiles as unknown as Json,
    screenshotArtifactIds: sequence.results.flatMap(({ type, value }) =>
      type === 'screenshot' && typeof value === 'string' ? [value] : [],
    ),
    errors,
    actionCount: context.actionCount,
    recoveredSteps: sequence.recoveredSteps,
    ...(context.agentUsage === null ? {} : { usage: { ...context.agentUsage } }),
  })
  if (failure !== null) {
    const list = failure.playbook === null ? `"${block.label}"` : `playbook "${failure.playbook}" in "${block.label}"`
    const reason = `Step ${failure.listIndex + 1} of ${list} failed: ${failure.error.message}`
    const code = failure.error.code
    return failed(reason, code, { output: output('failed', [{ code, reason }]), cause: failure.error })
  }
  if (ending?.kind === 'terminate') {
    const { errorCode } = ending
    const reason = ending.reason ?? meaningOf(errorCode, block, context) ?? 'a terminate step was reached'
    return terminated(reason, errorCode ?? 'TERMINATED', output('terminated', [{ code: errorCode, reason }]))
  }
  return completed(output('completed', []))
}

/** What a code means, by the block or the workflow; the block wins. */
function meaningOf(code: string | null, block: GoalConfig, context: BlockContext): string | null {
  const meanings = { ...context.errorCodeMapping, ...block.errorCodeMapping }
  return code !== null && Object.hasOwn(meanings, code) ? (meanings[code] ?? null) : null
}

function extracted(sequence: SequenceResult): Json {
  const parts = sequence.results.filter(({ type, status }) => type === 'extract' && status === 'completed').map(({ value }) => value)
  const first = parts[0]
  if (parts.length <= 1 || first === undefined) return first ?? null
  if (parts.every((part) => typeof part === 'object' && part !== null && !Array.isArray(part))) return Object.assign({}, ...parts)
  return parts
}
