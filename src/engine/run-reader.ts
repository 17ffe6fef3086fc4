import { RunNotFoundError, TimeoutError } from '../errors/index.js'
import { type AnyEvent, type RunResult, runStream } from '../events/index.js'
import { type Clock, withDeadline } from '../runtime/index.js'
import { type RunRow, readStream, type Storage } from '../storage/index.js'
import type { ListRunsRequest } from './engine-params.js'
import { isFinalStatus } from './run-status.js'

/** A run as callers see it. */
export type Run = Readonly<Omit<RunRow, 'leaseHolder' | 'leaseFence' | 'leaseExpiresAt'>>

const FINAL_EVENTS: ReadonlySet<string> = new Set(['run.completed', 'run.failed', 'run.terminated', 'run.canceled', 'run.timed_out'])

export interface ReadEventsParams {
  readonly organizationId: string
  readonly workflowRunId: string
  readonly after?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Reads runs back. */
export class RunReader {
  readonly #storage: Storage
  readonly #clock: Clock

  constructor(options: { readonly storage: Storage; readonly clock: Clock }) {
    this.#storage = options.storage
    this.#clock = options.clock
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

  /** What is stored after `after`, then live; ends after the run's final event. @throws {RunNotFoundError} */
  async *events(params: ReadEventsParams): AsyncGenerator<AnyEvent, void, undefined> {
    const { status } = await this.get(params)
    const stream = runStream(params.workflowRunId)
    const after = params.after ?? 0
    // a reader that has seen the end of an ended run would wait for ever
    if (isFinalStatus(status) && (await this.#storage.readEvents({ stream, after, limit: 1 })).length === 0) return
    yield* readStream({
      storage: this.#storage,
      clock: this.#clock,
      stream,
      after,
      signal: params.signal,
      isLast: (event) => FINAL_EVENTS.has(event.type),
    })
  }

  /** Waits for the end of a run. @throws {TimeoutError} `RUN_WAIT_TIMEOUT`; the run itself goes on */
  waitFor(params: {
    readonly organizationId: string
    readonly workflowRunId: string
    readonly timeoutMs?: number | undefined
    readonly signal?: AbortSignal | undefined
  }): Promise<RunResult> {
    const { timeoutMs, signal, ...ref } = params
    const wait = async (until: AbortSignal | undefined): Promise<RunResult> => {
      for await (const event of this.events({ ...ref, signal: until })) if (FINAL_EVENTS.has(event.type)) return event.payload as RunResult
      throw new RunNotFoundError(params.workflowRunId)
    }
    if (timeoutMs === undefined) return wait(signal)
    const onTimeout = () => new TimeoutError(`Waiting for run ${params.workflowRunId}`, timeoutMs, { code: 'RUN_WAIT_TIMEOUT' })
    return withDeadline({ run: wait, timeoutMs, onTimeout, signal, clock: this.#clock })
  }
}

/** The row without what only its executing host needs. */
export function toRun({ leaseHolder, leaseFence, leaseExpiresAt, ...run }: RunRow): Run {
  return run
}
