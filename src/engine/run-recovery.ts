import { type AnyEvent, type EventPayload, runStream } from '../events/index.js'
import type { Clock, Logger, Random, Ticker } from '../runtime/index.js'
import {
  leaseSet,
  type RunBlockRow,
  type RunRow,
  type Storage,
  storageNow,
  type TaskRow,
  type Write,
  whereHeld,
  whereLapsed,
} from '../storage/index.js'
import { summarizeBlocks } from './block-summary.js'
import type { EventFactory } from './event-factory.js'
import { finalRow } from './run-finalizer.js'
import type { RunLeases } from './run-leases.js'
import { fromPending, outcomes, type RunOutcome } from './run-outcome.js'
import { buildRunResult } from './run-result.js'
import { createSweep } from './sweep.js'
import type { Workflows } from './workflows.js'

export interface RunRecoveryOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly workflows: Workflows
  readonly leases: RunLeases
  readonly hostId: string
  readonly ttlMs: number
  readonly random?: Random
}

/** Most runs that one sweep ends. */
const SWEEP_LIMIT = 100

/** Ends the runs of hosts that died or froze: their leases lapsed. At every start, and every two seconds. */
export class RunRecovery {
  readonly #options: RunRecoveryOptions
  readonly #ticker: Ticker

  constructor(options: RunRecoveryOptions) {
    this.#options = options
    const { clock, logger, random, ttlMs } = options
    this.#ticker = createSweep({ clock, logger, random, what: 'runs of dead hosts', timeoutMs: ttlMs / 3, work: () => this.#sweep() })
  }

  /** A storage that is neither durable nor shared holds no runs of dead hosts: there is nothing to do. */
  async start(): Promise<void> {
    const { durable, shared } = this.#options.storage.capabilities
    if (!durable && !shared) return
    await this.#ticker.tick()
    this.#ticker.start()
  }

  stop(): Promise<void> {
    return this.#ticker.stop()
  }

  async #sweep(): Promise<void> {
    const { storage } = this.#options
    const lapsed = await storage.find({
      table: 'runs',
      where: { status: 'running', ...whereLapsed() },
      orderBy: [{ column: 'leaseExpiresAt' }],
      limit: SWEEP_LIMIT,
    })
    for (const run of lapsed) await this.#recover(run)
  }

  /** One failure never stops the sweep. */
  async #recover(run: RunRow): Promise<void> {
    const { logger, leases } = this.#options
    if (leases.get(run.workflowRunId) !== undefined) return // ours: its own heartbeat decides
    try {
      const taken = await this.#takeOver(run)
      if (taken !== null) await this.#end(taken)
    } catch (error) {
      logger.warn('the run of a dead host could not be ended', { workflowRunId: run.workflowRunId, error })
    }
  }

  /** Takes the lapsed lease, under which the dead host can write no more; null when somebody else was faster. */
  async #takeOver(run: RunRow): Promise<RunRow | null> {
    const { storage, hostId, ttlMs } = this.#options
    const result = await storage.commit([
      {
        op: 'update',
        table: 'runs',
        id: run.workflowRunId,
        where: { status: 'running', leaseFence: run.leaseFence, ...whereLapsed() },
        set: { ...leaseSet({ holder: hostId, ttlMs }), modifiedAt: storageNow() },
      },
    ])
    return result.ok ? (result.rows[0]?.[0] as RunRow) : null
  }

  /** The terminal commit in the dead host's stead. Its session's lease lapses as this run's did. */
  async #end(run: RunRow): Promise<void> {
    const { storage, events, emit, workflows, hostId } = this.#options
    const { definition } = await workflows.loadPinned(run.workflowId)
    const where = { workflowRunId: run.workflowRunId }
    const blocks = await storage.find({ table: 'run_blocks', where, orderBy: [{ column: 'sequence' }], limit: 10_000 })
    const outcome = outcomeOf(run)
    const finishedAt = await storage.now()
    const stepCount = await storage.count('steps', where)
    const result = buildRunResult({
      run: { ...run, stepCount },
      outcome,
      summary: summarizeBlocks(blocks),
      outputs: Object.fromEntries([
        ...Object.entries(run.blockOutputs ?? {}).map(([label, output]) => [`${label}_output`, output]),
        ...blocks.flatMap(({ label, status, output }) => (status === 'completed' ? [[`${label}_output`, output]] : [])),
      ]),
      secretKeys: definition.parameters.flatMap(({ kind, key }) => (kind === 'secret' ? [key] : [])),
      finishedAt,
      actionCount: await storage.count('actions', where),
      browserSessionId: run.browserSessionId,
    })
    // asked for by themselves: a run may have more blocks than one page holds, and none may stay open
    const open = await storage.find({
      table: 'run_blocks',
      where: { ...where, status: 'running' },
      orderBy: [{ column: 'sequence', direction: 'desc' }],
      limit: 10_000,
    })
    const tasks = await storage.find({ table: 'tasks', where: { ...where, status: 'running' }, limit: 10_000 })
    const ends = open.map((block) => events.create(run.organizationId, `block.${statusOf(outcome)}`, endOf(block, outcome, finishedAt)))
    const committed = await storage.commit([
      {
        op: 'update',
        table: 'runs',
        id: run.workflowRunId,
        where: { status: 'running', ...whereHeld({ holder: hostId, fence: run.leaseFence }) },
        set: finalRow(run, result),
      },
      ...open.map((block) => closeBlock(block, outcome, finishedAt)),
      ...tasks.map((task) => closeTask(task, outcome, finishedAt)),
      {
        op: 'append',
        stream: runStream(run.workflowRunId),
        events: [...ends, events.create(run.organizationId, `run.${outcome.status}`, result)],
      },
    ])
    if (committed.ok) for (const event of committed.events.flat()) emit(event as AnyEvent)
  }
}

/** A cancel that was asked for wins; then what the run was about to become; else it is lost with its host. */
function outcomeOf(run: RunRow): RunOutcome {
  if (run.cancelRequestedAt !== null) return outcomes.canceled(run.cancelRequestedBy ?? 'unknown')
  const pending = run.pendingOutcome === null ? null : fromPending(run.pendingOutcome)
  return pending ?? outcomes.failed('the host that executed the run is gone', 'HOST_LOST')
}

/** An open block is never completed by the end of its run. */
const statusOf = ({ status }: RunOutcome) => (status === 'completed' ? 'failed' : status)

function closeBlock(block: RunBlockRow, outcome: RunOutcome, finishedAt: Date): Write {
  const { durationMs, failureReason, errorCode } = endOf(block, outcome, finishedAt)
  const set = { status: statusOf(outcome), failureReason, errorCode, finishedAt, durationMs }
  return { op: 'update', table: 'run_blocks', id: block.runBlockId, where: { status: 'running' }, set }
}

/** A task ends as its block does. */
function closeTask({ taskId }: TaskRow, outcome: RunOutcome, finishedAt: Date): Write {
  const set = { status: statusOf(outcome), errorCode: outcome.errorCode, modifiedAt: finishedAt }
  return { op: 'update', table: 'tasks', id: taskId, where: { status: 'running' }, set }
}

function endOf(block: RunBlockRow, outcome: RunOutcome, finishedAt: Date): EventPayload<'block.failed'> {
  const { workflowRunId, runBlockId, parentRunBlockId, label, type, attempt, currentIndex } = block
  return {
    ...{ workflowRunId, runBlockId, parentRunBlockId, label, type, attempt, currentIndex },
    durationMs: Math.max(0, finishedAt.getTime() - block.startedAt.getTime()),
    failureReason: outcome.reason ?? 'the host is gone',
    errorCode: outcome.errorCode,
  }
}
