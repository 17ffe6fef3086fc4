import { RunLeaseLostError, TimeoutError } from '../errors/index.js'
import { type RunResult, runStream, sessionStream } from '../events/index.js'
import { withDeadline } from '../runtime/index.js'
import { type Changes, type CommitResult, type RunRow, storageNow, type Write } from '../storage/index.js'
import { summarizeBlocks } from './block-summary.js'
import { outcomes, type RunOutcome } from './run-outcome.js'
import { buildRunResult, secretKeysOf } from './run-result.js'
import type { RunState } from './run-state.js'

/** How long the run's browser may take to close, or to be given back, in milliseconds. */
const CLOSE_BROWSER_TIMEOUT_MS = 15_000

/**
 * The one place where an executed run ends. While the row is still running, the run's own browser is closed; then one commit holds the
 * final status, the end of open blocks, the final event with the whole result and the release of the session.
 * @throws {RunLeaseLostError} when the run is somebody else's by now: nothing was written
 * @throws {StorageError} when the storage failed
 */
export async function finishRun(state: RunState, outcome: RunOutcome): Promise<void> {
  await boundedly(state, 'saved', () => state.browser.saveState())
  await boundedly(state, 'closed', () => state.browser.closePrivate())
  closeOpenBlocks(state, outcome)
  const lease = state.browser.isPrivate ? null : state.browser.lease
  let releases = lease?.releaseWrites() ?? []
  let committed: CommitResult | null = null
  try {
    for (let decided = outcome; committed === null; ) {
      const result = await commitEnd(state, decided, releases)
      if (result.ok) committed = result
      else if (result.index > 0 && releases.length > 0)
        releases = [] // the session's lease was lost meanwhile: there is nothing to release
      else decided = await afterRefusal(state, decided, result)
    }
  } finally {
    const events = committed?.ok === true ? committed.events.flat() : []
    const stream = sessionStream(lease?.browserSessionId ?? '')
    lease?.markReleased(
      committed !== null && releases.length > 0,
      events.filter((event) => event.stream === stream),
    )
  }
}

function commitEnd(state: RunState, outcome: RunOutcome, releases: readonly Write[]): Promise<CommitResult> {
  const result = resultOf(state, outcome)
  const { run, environment } = state
  const event = environment.events.create(run.organizationId, `run.${outcome.status}`, result)
  return state.journal.finish({
    isCanceled: outcome.kind === 'canceled',
    set: finalRow(run, result),
    extra: [{ op: 'append', stream: runStream(run.workflowRunId), events: [event] }, ...releases],
  })
}

/** What follows from a refused end: canceled, when that was asked for meanwhile; else the run is not ours any more. */
async function afterRefusal(state: RunState, outcome: RunOutcome, refusal: Extract<CommitResult, { ok: false }>): Promise<RunOutcome> {
  const { run, environment } = state
  const current = (refusal.current ?? (await environment.storage.get('runs', run.workflowRunId))) as RunRow | undefined
  const isOurs = refusal.index === 0 && current?.status === 'running' && current.leaseFence === run.leaseFence
  if (isOurs && current.cancelRequestedAt !== null && outcome.kind !== 'canceled')
    return outcomes.canceled(current.cancelRequestedBy ?? 'unknown')
  const reason = refusal.index === 0 ? `it is ${current?.status ?? 'gone'}` : `write ${refusal.index} was refused: ${refusal.reason}`
  throw new RunLeaseLostError(run.workflowRunId, reason)
}

/** Leaves a run that this execution may not end: nothing is written of it, and its session is given back. Never rejects. */
export async function abandonRun(state: RunState): Promise<void> {
  state.journal.close()
  await boundedly(state, 'given back', () => state.browser.giveUp())
}

async function boundedly({ environment, run }: RunState, what: string, work: () => Promise<void>): Promise<void> {
  const { clock, logger } = environment
  const timeoutMs = CLOSE_BROWSER_TIMEOUT_MS
  const onTimeout = () => new TimeoutError('The browser', timeoutMs)
  try {
    await withDeadline({ run: work, timeoutMs, onTimeout, clock })
  } catch (error) {
    logger.warn(`the browser of a run could not be ${what}`, { workflowRunId: run.workflowRunId, error })
  }
}

/** No block stays running when its run ends. */
function closeOpenBlocks({ blocks }: RunState, outcome: RunOutcome): void {
  blocks.closeOpen(outcome.status === 'completed' ? 'failed' : outcome.status, outcome.reason ?? 'the run ended', outcome.errorCode)
}

function resultOf(state: RunState, outcome: RunOutcome): RunResult {
  const { run, workflow, time, scope, blocks, browser, stepCount } = state
  return buildRunResult({
    run: { ...run, stepCount },
    outcome,
    summary: summarizeBlocks(blocks.ended),
    outputs: scope.outputs(),
    secretKeys: secretKeysOf(workflow.definition),
    finishedAt: time.now(),
    actionCount: state.actionCount,
    browserSessionId: browser.lease?.browserSessionId ?? run.browserSessionId,
  })
}

/** The row of a run that ended; it fits the result to the letter. */
export function finalRow(run: Pick<RunRow, 'startedAt'>, result: RunResult) {
  return {
    status: result.status,
    failureReason: result.failureReason,
    errorCode: result.errorCode,
    outputs: result.outputs,
    pendingOutcome: null,
    stepCount: result.stepCount,
    actionCount: result.actionCount,
    usage: result.usage,
    recordingArtifactId: result.recordingArtifactId,
    finishedAt: new Date(result.finishedAt),
    durationMs: run.startedAt === null ? null : result.durationSeconds * 1_000,
    leaseHolder: null,
    leaseExpiresAt: null,
    modifiedAt: storageNow(),
  } satisfies Changes<RunRow>
}
