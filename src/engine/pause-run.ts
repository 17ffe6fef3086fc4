import type { PauseDecision, PauseRequest } from '../blocks/index.js'
import { type Json, RunLeaseLostError } from '../errors/index.js'
import { runStream } from '../events/index.js'
import { leaseCleared, storageNow } from '../storage/index.js'
import type { BlockEntry } from './block-journal.js'
import { elapsedLimitAt } from './elapsed-limit.js'
import { pauseOf } from './people/run-pause.js'
import type { RunState } from './run-state.js'
import { RunSuspendedError } from './run-suspended.js'

/** Bytes of a resume token. */
const TOKEN_BYTES = 18

/**
 * What was decided about the pause of a block attempt; where nothing was yet, the run is paused by one commit, and this execution ends: the
 * call rejects, and nothing more is written. The session stays held on this host.
 * @throws {RunSuspendedError} when the run was paused
 * @throws {RunCanceledError} when a cancel came first
 */
export async function pauseRun(state: RunState, entry: BlockEntry, request: PauseRequest, signal: AbortSignal): Promise<PauseDecision> {
  const { run, journal, browser, environment } = state
  const decision = state.decidedRunBlockId === entry.runBlockId ? null : decisionFor(state, entry)
  if (decision !== null) {
    state.decidedRunBlockId = entry.runBlockId
    return decision
  }
  signal.throwIfAborted()
  const { set, event } = pauseOn(state, entry, request)
  const paused = await journal.suspend(set, [event])
  const lease = browser.suspend()
  if (lease !== null) environment.parked.park(run, lease, browser.isPrivate)
  const reason = new RunSuspendedError(run.workflowRunId, 'paused')
  state.suspend(reason)
  environment.pauses.paused(paused)
  throw reason
}

/** A pause is over when the attempt that was told of its decision has ended: from then on the row knows of neither. */
export function forgetPause(state: RunState, { runBlockId }: BlockEntry): void {
  if (state.decidedRunBlockId !== runBlockId) return
  state.decidedRunBlockId = null
  state.journal.stageRun({ pause: null, pauseDecision: null })
}

function decisionFor({ run }: RunState, { runBlockId }: BlockEntry): PauseDecision | null {
  if (run.pauseDecision === null || pauseOf(run)?.runBlockId !== runBlockId) return null
  const { decision, data, by, at } = run.pauseDecision
  return { decision: decision as PauseDecision['decision'], data: data ?? null, by: String(by), at: String(at) }
}

/** The row and the event of a pause. With `pauseCounts` it ends with the run's time at the latest. */
function pauseOn(state: RunState, entry: BlockEntry, request: PauseRequest) {
  const { run, workflow, time, random, environment } = state
  if (run.startedAt === null) throw new RunLeaseLostError(run.workflowRunId, 'it never started')
  const { workflowRunId, workflowPermanentId, organizationId } = run
  const endsAtMs = time.now().getTime() + request.timeoutMs
  const limitMs = workflow.row.pauseCounts ? elapsedLimitAt(run, workflow.row).getTime() : Number.POSITIVE_INFINITY
  const pauseExpiresAt = new Date(Math.min(endsAtMs, limitMs))
  const { instructions, positiveDescriptor, negativeDescriptor, timeoutMs } = request
  const shown = {
    ...{ runBlockId: entry.runBlockId, label: entry.label, instructions, positiveDescriptor, negativeDescriptor },
    recipients: [...request.recipients],
    resumeToken: random.bytes(TOKEN_BYTES).toString('base64url'),
  }
  const pause: Record<string, Json> = { ...shown, timeoutMs }
  const expiresAt = pauseExpiresAt.toISOString()
  const paused = environment.events.create(organizationId, 'run.paused', { workflowRunId, workflowPermanentId, ...shown, expiresAt })
  return {
    set: { status: 'paused', ...leaseCleared(), pause, pauseDecision: null, pausedAt: storageNow(), pauseExpiresAt } as const,
    event: { op: 'append', stream: runStream(workflowRunId), events: [paused] } as const,
  }
}
