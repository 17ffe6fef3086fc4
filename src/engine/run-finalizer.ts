import { RunCanceledError, RunLeaseLostError, TimeoutError } from '../errors/index.js'
import { type RunResult, runStream, sessionStream } from '../events/index.js'
import { withDeadline } from '../runtime/index.js'
import { type Changes, type CommitResult, type RunRow, storageNow, type Write } from '../storage/index.js'
import { summarizeBlocks } from './block-summary.js'
import { outcomes, type RunOutcome, toPending } from './run-outcome.js'
import { buildRunResult, secretKeysOf } from './run-result.js'
import type { RunState } from './run-state.js'
import { terminalWrites } from './terminal-writes.js'

/** How long the run's browser may take to close, or to be given back, in milliseconds. */
const CLOSE_BROWSER_TIMEOUT_MS = 15_000

type Refusal = Extract<CommitResult, { ok: false }>

/**
 * The one place where an executed run ends. While the row is still running, its outcome is recorded and its own browser is closed; then one
 * commit holds the final status, the end of open blocks, the final event with the whole result, what others get of it, and the release of
 * the session.
 * @throws {RunLeaseLostError} when the run is somebody else's by now: nothing was written
 * @throws {StorageError} when the storage failed
 */
export async function finishRun(state: RunState, outcome: RunOutcome): Promise<void> {
  const { browser, environment } = state
  let decided = outcome
  if (browser.isNone)
    void browser.settle() // none begins any more
  else decided = await closeBrowser(state, outcome)
  closeOpenBlocks(state, decided)
  const lease = browser.isPrivate ? null : browser.lease
  let releases = lease?.releaseWrites() ?? []
  let committed: Extract<CommitResult, { ok: true }> | null = null
  try {
    while (committed === null) {
      const result = await commitEnd(state, decided, releases)
      if (result.ok) committed = result
      else if (releases.length > 0 && isOfRelease(result, releases))
        releases = [] // the session's lease was lost meanwhile: there is nothing to release
      else decided = await afterRefusal(state, decided, result)
    }
  } finally {
    const stream = sessionStream(lease?.browserSessionId ?? '')
    const events = committed?.events.flat().filter((event) => event.stream === stream) ?? []
    lease?.markReleased(committed !== null && releases.length > 0, events)
  }
  environment.ends.ended(committed.rows[0]?.[0] as RunRow)
}

/** Gives the outcome that holds then. */
async function closeBrowser(state: RunState, outcome: RunOutcome): Promise<RunOutcome> {
  const { browser } = state
  await boundedly(state, 'settled', () => browser.settle()) // none begins any more
  await boundedly(state, 'reclaimed', () => browser.reclaim())
  const decided = await recordPending(state, outcome)
  await boundedly(state, 'saved', () => browser.saveState())
  await boundedly(state, 'closed', () => browser.closePrivate())
  return decided
}

/**
 * Whoever has to finish the run in this host's stead finds on the row what it comes to, where its end takes time. Gives the outcome that
 * holds then: a cancel that was asked for wins.
 */
async function recordPending(state: RunState, outcome: RunOutcome): Promise<RunOutcome> {
  const { browser, journal, run } = state
  if (!browser.isToBeClosed || outcome.kind === 'canceled') return outcome
  journal.stageRun({ pendingOutcome: toPending(outcome) })
  try {
    await journal.commit()
    return outcome
  } catch (error) {
    if (error instanceof RunCanceledError) return outcomes.canceled(String(error.details.by ?? run.cancelRequestedBy))
    throw error
  }
}

async function commitEnd(state: RunState, outcome: RunOutcome, releases: readonly Write[]): Promise<CommitResult> {
  const result = resultOf(state, outcome)
  const { run, environment, journal } = state
  const event = environment.events.create(run.organizationId, `run.${outcome.status}`, result)
  const extra: Write[] = [{ op: 'append', stream: runStream(run.workflowRunId), events: [event] }]
  const others = terminalWrites(run, result, environment.ids)
  const finish = (writes: readonly Write[]) =>
    journal.finish({ isCanceled: outcome.kind === 'canceled', set: finalRow(run, result), extra, last: writes })
  return withoutMissingLanes([...others, ...releases], finish)
}

/**
 * Commits, if need be again: a lane that is not there is free already, and must not keep a run from its end. `index` of a refusal counts
 * over whatever the commit wrote; the lane is known by its row.
 */
export async function withoutMissingLanes(
  writes: readonly Write[],
  commit: (writes: readonly Write[]) => Promise<CommitResult & { readonly refused?: Write | undefined }>,
): Promise<CommitResult> {
  for (let left = writes; ; ) {
    const result = await commit(left)
    if (result.ok) return result
    const refused = result.refused ?? left[result.index]
    if (refused?.op !== 'delete' || refused.table !== 'leases' || !left.includes(refused)) return result
    left = left.filter((write) => write !== refused)
  }
}

const isOfRelease = (refusal: Refusal & { readonly refused?: Write | undefined }, releases: readonly Write[]) =>
  refusal.refused !== undefined && releases.includes(refusal.refused)

/** What follows from a refused end: canceled, when that was asked for meanwhile; else the run is not ours any more. */
async function afterRefusal(state: RunState, outcome: RunOutcome, refusal: Refusal): Promise<RunOutcome> {
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
  await giveBrowserBack(state)
}

/** Gives the session back without ending the run. Never rejects. */
export async function giveBrowserBack(state: RunState): Promise<void> {
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
    usage: state.usage,
  })
}

/** The row of a run that ended; it fits the result to the letter. */
export function finalRow(run: Pick<RunRow, 'startedAt' | 'webhookCallbackUrl'>, result: RunResult) {
  return {
    status: result.status,
    failureReason: result.failureReason,
    errorCode: result.errorCode,
    outputs: result.outputs,
    pendingOutcome: null,
    pause: null,
    pauseDecision: null,
    pausedAt: null,
    pauseExpiresAt: null,
    isParked: false,
    stepCount: result.stepCount,
    actionCount: result.actionCount,
    usage: result.usage,
    recordingArtifactId: result.recordingArtifactId,
    webhookStatus: run.webhookCallbackUrl === null ? null : ('pending' as const),
    finishedAt: new Date(result.finishedAt),
    durationMs: run.startedAt === null ? null : result.durationSeconds * 1_000,
    leaseHolder: null,
    leaseExpiresAt: null,
    modifiedAt: storageNow(),
  } satisfies Changes<RunRow>
}
