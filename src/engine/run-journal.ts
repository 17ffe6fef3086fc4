import { RunCanceledError, RunLeaseLostError, StorageError } from '../errors/index.js'
import { type AnyEvent, type EventPayload, type EventType, runStream } from '../events/index.js'
import type { Clock, Timer } from '../runtime/index.js'
import {
  type Changes,
  type CommitResult,
  type RunRow,
  type Storage,
  storageNow,
  type TableName,
  tableOf,
  type Where,
  type Write,
} from '../storage/index.js'
import type { EventFactory } from './event-factory.js'
import { WriteBatch } from './write-batch.js'

export interface RunJournalOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly events: EventFactory
  /** The run as it was claimed: its fence goes into every commit. */
  readonly run: RunRow
  /** Tells this process's listeners, after a commit. */
  readonly emit: (event: AnyEvent) => void
  /** Called when a commit is refused or fails: nothing more can be written. */
  readonly onFailed: (error: unknown) => void
  /** Called when actions could not be written in the background; the next commit tries again. */
  readonly onDeferred: (error: unknown) => void
}

/** How long actions wait for company before they are written on their own: a single one hardly, those of a busy list longer. */
const FLUSH_DELAY_MS = 50
const BUSY_FLUSH_DELAY_MS = 1_000

/**
 * The one place that commits a run's writes. Every commit holds the run to be running, under this execution's fence, with no cancel
 * requested; a refusal rejects with `RunCanceledError` or `RunLeaseLostError`, and what it held waits for the terminal commit.
 */
export class RunJournal {
  readonly #options: RunJournalOptions
  readonly #waiting = new WriteBatch()
  #runChanges: Changes<RunRow> = {}
  #queue: Promise<unknown> = Promise.resolve()
  #timer: Timer | null = null
  #flushedAtMs = Number.NEGATIVE_INFINITY
  #isClosed = false
  #isSealed = false

  constructor(options: RunJournalOptions) {
    this.#options = options
  }

  /** Adds changes of the run's own row to the next commit. */
  stageRun(set: Changes<RunRow>): void {
    if (this.#isSealed) return
    this.#runChanges = { ...this.#runChanges, ...set }
  }

  /** Adds a write of another row to the next commit. */
  stage(write: Write): void {
    if (this.#isSealed) return
    this.#waiting.add(write, rowId)
  }

  /** Adds an event of this run to the next commit. */
  stageEvent<T extends EventType>(type: T, payload: EventPayload<T>): void {
    const { events, run } = this.#options
    this.stage({ op: 'append', stream: runStream(run.workflowRunId), events: [events.create(run.organizationId, type, payload)] })
  }

  /** Has what waits committed soon, with whatever else comes meanwhile. */
  flushSoon(): void {
    if (this.#timer !== null || this.#isClosed || this.#isSealed) return
    const { clock } = this.#options
    const isBusy = clock.monotonicMs() - this.#flushedAtMs < BUSY_FLUSH_DELAY_MS
    const delayMs = isBusy ? BUSY_FLUSH_DELAY_MS : FLUSH_DELAY_MS
    this.#timer = clock.setTimer(() => {
      this.#timer = null
      this.#flushedAtMs = clock.monotonicMs()
      this.#write().catch((error: unknown) => (isRefusal(error) ? this.#options.onFailed(error) : this.#options.onDeferred(error)))
    }, delayMs)
  }

  /** Commits what waits. */
  async commit(): Promise<void> {
    try {
      await this.#write()
    } catch (error) {
      this.#options.onFailed(error)
      throw error
    }
  }

  #write(): Promise<void> {
    return this.#inOrder(async () => {
      this.#assertOpen()
      if (this.#isSealed) throw new RunLeaseLostError(this.#options.run.workflowRunId, 'its execution here ends')
      this.#cancelFlush() // what it was for is written here
      const waiting = this.#take()
      if (waiting.writes.length === 0 && Object.keys(waiting.runChanges).length === 0) return
      const result = await this.#commit(this.#holds(), waiting.runChanges, waiting.writes, { isRunRead: false }).catch((error: unknown) => {
        this.#putBack(waiting)
        throw error
      })
      if (result.ok) return
      this.#putBack(waiting)
      throw await this.#refusal(result)
    })
  }

  /**
   * The terminal commit: the run's last write of all, together with what still waits, with `extra` writes, and with those of `last` as they
   * are. Gives the refusal instead of rejecting, with the write that was refused: the finalizer decides what follows from it.
   */
  finish(params: FinishParams): Promise<CommitResult & { readonly refused?: Write | undefined }> {
    return this.#inOrder(async () => {
      this.#assertOpen()
      this.#cancelFlush()
      const waiting = this.#take()
      const { cancelRequestedAt, ...evenIfCanceled } = this.#holds()
      const where = params.isCanceled ? evenIfCanceled : { ...evenIfCanceled, cancelRequestedAt }
      const writes = [...merged([...waiting.writes, ...params.extra]), ...(params.last ?? [])]
      const result = await this.#commit(where, { ...waiting.runChanges, ...params.set }, writes)
      if (result.ok) this.close()
      else this.#putBack(waiting)
      return result.ok ? result : { ...result, refused: result.index === 0 ? undefined : writes[result.index - 1] }
    })
  }

  /**
   * The last commit of an execution whose run goes on without it: with what waits, under the conditions of every commit, unless it is to be
   * `evenIfCanceled`. Gives the row; the journal is closed then.
   */
  async suspend(set: Changes<RunRow>, last: readonly Write[] = [], { evenIfCanceled = false } = {}): Promise<RunRow> {
    try {
      return await this.#inOrder(async () => {
        this.#assertOpen()
        this.#cancelFlush()
        const waiting = this.#take()
        const { cancelRequestedAt, ...where } = this.#holds()
        const held = evenIfCanceled ? where : { ...where, cancelRequestedAt }
        const result = await this.#commit(held, { ...waiting.runChanges, ...set }, [...waiting.writes, ...last])
        if (!result.ok) {
          this.#putBack(waiting)
          throw await this.#refusal(result)
        }
        this.close()
        return result.rows[0]?.[0] as RunRow
      })
    } catch (error) {
      this.#options.onFailed(error)
      throw error
    }
  }

  /** Takes nothing more: what waits still goes with the last commit, what an aborted block leaves behind does not. */
  seal(): void {
    this.#isSealed = true
    this.#cancelFlush()
  }

  /** Commits a batch of its own, under the same conditions; its results come first. What waits goes on waiting. */
  commitApart(batch: readonly Write[]): Promise<CommitResult> {
    return this.#inOrder(async () => {
      this.#assertOpen()
      const { storage, run, emit } = this.#options
      const guard: Write = { op: 'update', table: 'runs', id: run.workflowRunId, where: this.#holds(), set: { modifiedAt: storageNow() } }
      const result = await storage.commit([...batch, guard])
      if (!result.ok && result.index === batch.length) {
        const refusal = await this.#refusal({ ...result, index: 0 })
        this.#options.onFailed(refusal)
        throw refusal
      }
      if (result.ok) for (const event of result.events.flat()) emit(event as AnyEvent)
      return result
    })
  }

  /** Drops what waits and stops the timer; every later commit is refused. */
  close(): void {
    this.#isClosed = true
    this.#isSealed = true
    this.#cancelFlush()
    this.#waiting.drain()
  }

  #cancelFlush(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new RunLeaseLostError(this.#options.run.workflowRunId, 'its execution here is over')
  }

  #holds() {
    return { status: 'running' as const, leaseFence: this.#options.run.leaseFence, cancelRequestedAt: null }
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#queue.then(work, work)
    this.#queue = next.catch(() => {}) // whoever asked hears of it
    return next
  }

  /** The run's row comes back where it is read, those of the other writes never. */
  async #commit(where: Where<RunRow>, set: Changes<RunRow>, writes: readonly Write[], { isRunRead = true } = {}): Promise<CommitResult> {
    const { storage, run, emit } = this.#options
    const guard: Write = { op: 'update', table: 'runs', id: run.workflowRunId, where, set: { ...set, modifiedAt: storageNow() } }
    const result = await storage.commit([isRunRead ? guard : unread(guard), ...writes.map(unread)])
    if (result.ok) for (const event of result.events.flat()) emit(event as AnyEvent)
    return result
  }

  #take(): Waiting {
    const waiting = { writes: this.#waiting.drain(), runChanges: this.#runChanges }
    this.#runChanges = {}
    return waiting
  }

  #putBack({ writes, runChanges }: Waiting): void {
    const since = this.#take()
    this.#runChanges = { ...runChanges, ...since.runChanges }
    for (const write of [...writes, ...since.writes]) this.#waiting.add(write, rowId)
  }

  async #refusal(result: Extract<CommitResult, { ok: false }>): Promise<Error> {
    const { run, storage } = this.#options
    if (result.index !== 0) {
      const message = `A write of run ${run.workflowRunId} was refused: ${result.reason}${result.constraint ? ` (${result.constraint})` : ''}`
      return new StorageError(message, { code: 'STORAGE_FAILED', details: { index: result.index, reason: result.reason } })
    }
    const current = await storage.get('runs', run.workflowRunId)
    if (current?.status === 'running' && current.leaseFence === run.leaseFence && current.cancelRequestedAt !== null) {
      return new RunCanceledError(run.workflowRunId, current.cancelRequestedBy ?? 'unknown')
    }
    return new RunLeaseLostError(
      run.workflowRunId,
      current === undefined ? 'the run is gone' : `it is ${current.status} with fence ${current.leaseFence}`,
    )
  }
}

interface FinishParams {
  readonly isCanceled: boolean
  readonly set: Changes<RunRow>
  /** Merged with what waits. */
  readonly extra: readonly Write[]
  readonly last?: readonly Write[]
}

interface Waiting {
  readonly writes: readonly Write[]
  readonly runChanges: Changes<RunRow>
}

/** A write whose row is not sent back. */
const unread = (write: Write): Write => (write.op === 'insert' || write.op === 'update' ? { ...write, returning: false } : write)

const isRefusal = (error: unknown) => error instanceof RunCanceledError || error instanceof RunLeaseLostError
const rowId = (table: TableName, row: Readonly<Record<string, unknown>>) => String(row[tableOf(table).primaryKey])

function merged(writes: readonly Write[]): Write[] {
  const batch = new WriteBatch()
  for (const write of writes) batch.add(write, rowId)
  return batch.drain()
}
