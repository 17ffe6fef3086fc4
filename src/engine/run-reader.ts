import { RunNotEndedError, RunNotFoundError, TimeoutError } from '../errors/index.js'
import { type AnyEvent, type EventPayload, type RunResult, runStream } from '../events/index.js'
import { type Clock, withDeadline } from '../runtime/index.js'
import { type DeliveryStatus, type RunRow, type RunStatus, readStream, type Storage } from '../storage/index.js'
import type { ListRunsRequest } from './engine-params.js'
import { LocalRuns } from './local-runs.js'
import { presentPause, type RunPause } from './people/run-pause.js'
import { endOfRun } from './run-end.js'
import { isFinalEvent, isFinalStatus } from './run-status.js'

/** What only engines need of a run's row. */
type Internal =
  | `lease${'Holder' | 'Fence' | 'ExpiresAt'}`
  | 'awaitedByRunBlockId'
  | 'hasDependents'
  | 'isParked'
  | 'pause'
  | 'pauseDecision'
  | 'pauseExpiresAt'
  | 'sequentialLane'
  | 'sessionLane'

/** A run as callers see it. */
export type Run = Readonly<Omit<RunRow, Internal>> & {
  /** What it waits for while it is paused; null: it is not. */
  readonly pause: RunPause | null
}

export interface ReadEventsParams {
  readonly organizationId: string
  readonly workflowRunId: string
  readonly after?: number | undefined
  /** Whether the events of the run's webhook are read, too. @default false */
  readonly includeAfterFinal?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Reads runs back. */
export class RunReader {
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #localRuns: LocalRuns

  constructor(options: { readonly storage: Storage; readonly clock: Clock; readonly localRuns?: LocalRuns }) {
    this.#storage = options.storage
    this.#clock = options.clock
    this.#localRuns = options.localRuns ?? new LocalRuns()
  }

  /** @throws {RunNotFoundError} */
  async get(params: { readonly organizationId: string; readonly workflowRunId: string }): Promise<Run> {
    const row = await this.#storage.get('runs', params.workflowRunId)
    if (row === undefined || row.organizationId !== params.organizationId) throw new RunNotFoundError(params.workflowRunId)
    return toRun(row)
  }

  /** Runs of an organisation, newest first. */
  async list(request: ListRunsRequest & { readonly organizationId: string }): Promise<Run[]> {
    const { organizationId, workflowPermanentId, errorCode, status, search, after, limit } = request
    const rows = await this.#storage.find({
      table: 'runs',
      where: {
        organizationId,
        ...(workflowPermanentId === undefined ? {} : { workflowPermanentId }),
        ...(errorCode === undefined ? {} : { errorCode }),
        ...(status === undefined ? {} : { status: { in: status } }),
        ...(request.includeChildren ? {} : { parentWorkflowRunId: null }),
        ...(search === undefined ? {} : { any: [{ workflowTitle: { contains: search } }, { workflowRunId: { contains: search } }] }),
      },
      orderBy: [{ column: 'createdAt', direction: 'desc' }],
      limit,
      ...(after === undefined ? {} : { after }),
    })
    return rows.map(toRun)
  }

  /**
   * What is stored after `after`, then live; ends after the run's final event, or, when that is asked for, after the end of its webhook.
   * @throws {RunNotFoundError}
   */
  async *events(params: ReadEventsParams): AsyncGenerator<AnyEvent, void, undefined> {
    const { workflowRunId, signal, after = 0, includeAfterFinal = false } = params
    const { status } = await this.get(params)
    const stream = runStream(workflowRunId)
    // a reader that has seen the end of an ended run would wait for ever
    const isOver = isFinalStatus(status) && !(includeAfterFinal && (await this.#deliveryOf(workflowRunId)) === 'pending')
    if (isOver && (await this.#storage.readEvents({ stream, after, limit: 1 })).length === 0) return
    // one that asks for what is beyond the end hears of the end all the same
    const isAhead = after > 0 && (await this.#storage.readEvents({ stream, after: after - 1, limit: 1 })).length === 0
    for await (const event of readStream({ storage: this.#storage, clock: this.#clock, stream, after: isAhead ? 0 : after, signal })) {
      if (!includeAfterFinal && event.type.startsWith('webhook.')) return // the final event was before `after`
      if (event.seq > after) yield event
      if (isDeliveryEnd(event)) return
      if (isFinalEvent(event.type) && !(includeAfterFinal && (await this.#deliveryOf(workflowRunId)) !== null)) return
    }
  }

  /** The result of a run that has ended. @throws {RunNotFoundError} {RunNotEndedError} */
  async result(params: { readonly organizationId: string; readonly workflowRunId: string }): Promise<RunResult> {
    const { status } = await this.get(params)
    if (!isFinalStatus(status)) throw new RunNotEndedError(params.workflowRunId, status)
    return this.waitFor(params)
  }

  /** The run that is to begin on a session, or else the one that has it; null: none. */
  async lastForSession(params: { readonly organizationId: string; readonly browserSessionId: string }): Promise<Run | null> {
    const { organizationId, browserSessionId } = params
    const newest = (status: readonly RunStatus[], column: 'modifiedAt' | 'startedAt') =>
      this.#storage.find({
        table: 'runs',
        where: { organizationId, browserSessionId, status: { in: status } },
        orderBy: [{ column, direction: 'desc' }],
        limit: 1,
      })
    const [run] = [...(await newest(['queued'], 'modifiedAt')), ...(await newest(['running', 'paused'], 'startedAt'))]
    return run === undefined ? null : toRun(run)
  }

  /** Where the delivery of a run's result stands; null: there is none. */
  async #deliveryOf(workflowRunId: string): Promise<DeliveryStatus | null> {
    const [delivery] = await this.#storage.find({ table: 'webhook_deliveries', where: { workflowRunId }, limit: 1 })
    return delivery?.status ?? null
  }

  /** Waits for the end of a run. @throws {TimeoutError} `RUN_WAIT_TIMEOUT`; the run itself goes on */
  waitFor(params: {
    readonly organizationId: string
    readonly workflowRunId: string
    readonly timeoutMs?: number | undefined
    readonly signal?: AbortSignal | undefined
    /** That it exists, and whose it is, needs no asking: its handle is held. @default false */
    readonly isKnown?: boolean
  }): Promise<RunResult> {
    const { timeoutMs, signal, workflowRunId, isKnown = false } = params
    const options = { storage: this.#storage, clock: this.#clock, localRuns: this.#localRuns }
    const wait = async (until: AbortSignal | undefined) => {
      if (!isKnown) await this.get(params)
      return endOfRun(options, workflowRunId, until)
    }
    if (timeoutMs === undefined) return wait(signal)
    const onTimeout = () => new TimeoutError(`Waiting for run ${params.workflowRunId}`, timeoutMs, { code: 'RUN_WAIT_TIMEOUT' })
    return withDeadline({ run: wait, timeoutMs, onTimeout, signal, clock: this.#clock })
  }
}

/** The row without what only engines need. Pure. */
export function toRun(row: RunRow): Run {
  const { leaseHolder, leaseFence, leaseExpiresAt, pauseDecision, pauseExpiresAt, ...rest } = row
  const { awaitedByRunBlockId, hasDependents, isParked, sequentialLane, sessionLane, ...run } = rest
  return { ...run, pause: presentPause(row) }
}

/** Whether nothing more comes of a run's webhook. */
function isDeliveryEnd({ type, payload }: AnyEvent): boolean {
  if (type === 'webhook.failed') return (payload as EventPayload<'webhook.failed'>).nextAttemptAt === null
  return type === 'webhook.delivered'
}
