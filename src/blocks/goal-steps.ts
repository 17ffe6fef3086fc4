import type { SequenceResult } from '../actions/index.js'
import { type Action, actionSchema, type BlockDefinition, type GoalConfig } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import type { DownloadedFile } from '../events/index.js'
import type { BlockContext } from './block-context.js'
import { type BlockResult, completed, failed, terminated } from './block-result.js'

/** Performs the steps of a goal block: its `url` first, when it has one. */
export function performGoal(block: GoalConfig, context: BlockContext): Promise<SequenceResult> {
  const open: Action[] =
    block.url === undefined ? [] : [actionSchema.parse({ type: 'goto_url', url: block.url, intention: 'open the page' })]
  return context.performAll([...open, ...((block.steps ?? []) as Action[])])
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
  })
  if (failure !== null) {
    const reason = `Step ${failure.stepIndex + 1} of "${block.label}" failed: ${failure.error.message}`
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
