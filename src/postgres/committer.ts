import type { Clock, Random } from '../runtime/index.js'
import type { AnyRow, CommitResult, Write } from '../storage/storage.js'
import { tableMeta } from '../storage/table-meta.js'
import { chainOrder, type Tested } from './chain.js'
import { readVerdict, type Verdict } from './commit-result.js'
import { compileBatch } from './compile-batch.js'
import { type Duplicate, Duplicates } from './duplicates.js'
import { isChainBroken, isOutcomeOpen, violatedKey } from './failures.js'
import { Outcomes } from './outcome.js'
import { type Port, PortFailure, type TextRow } from './port.js'
import { compileGet, type Dialect } from './queries.js'
import { retryUnapplied } from './retry.js'
import { StatementCache } from './statement-cache.js'
import { decodeRow, encodeArray } from './values.js'

type Refusal = Extract<CommitResult, { ok: false }>

export interface CommitterOptions {
  readonly port: Port
  readonly dialect: Dialect
  readonly clock: Clock
  readonly random: Random
}

/** Applies batches: one statement where nothing refuses, more only to explain a refusal. */
export class Committer {
  readonly #options: CommitterOptions
  readonly #duplicates: Duplicates
  readonly #outcomes: Outcomes
  readonly #statements: StatementCache
  readonly #ids: () => string

  constructor(options: CommitterOptions) {
    this.#options = options
    this.#statements = new StatementCache(options.dialect)
    this.#duplicates = new Duplicates(options.port, options.dialect)
    this.#outcomes = new Outcomes(options)
    this.#ids = commitIds(options.random)
  }

  async commit(batch: readonly Write[]): Promise<CommitResult> {
    if (batch.length === 0) return { ok: true, rows: [], events: [] }
    const commitId = this.#ids()
    return retryUnapplied(this.#options, () => this.#attempt(batch, commitId))
  }

  async #attempt(batch: readonly Write[], commitId: string): Promise<CommitResult> {
    let verdict: Verdict
    try {
      verdict = (await this.#chain(batch, commitId)) ?? readVerdict(batch, await this.#run(batch, commitId))
    } catch (failure) {
      return this.#explain(batch, commitId, failure)
    }
    if (verdict.ok) return verdict
    const earlier = await this.#duplicates.findBefore(batch, commitId, verdict.index)
    return earlier === undefined ? this.#refusal(batch, verdict) : this.#duplicate(batch, earlier)
  }

  /** The usual commit. Undefined where the batch is none, or where it was refused and it takes another look to know which write was the first. */
  async #chain(batch: readonly Write[], commitId: string): Promise<Verdict | undefined> {
    const order = chainOrder(batch)
    const statement = order && this.#statements.compile(batch, order, commitId)
    if (order === undefined || statement === undefined) return undefined
    try {
      const result = await this.#options.port.query(statement)
      if (order.length === 0 || result.length > 0) return readVerdict(batch, result)
    } catch (failure) {
      if (isChainBroken(failure) || (order.length > 1 && violatedKey(failure) !== undefined)) return undefined
      throw failure
    }
    const [index = 0] = order
    const write = batch[index] as Tested
    // a row that is not there is noticed when it is read
    return order.some((other) => other < index)
      ? undefined
      : { ok: false, index, reason: isConditional(write) ? 'precondition' : 'missing' }
  }

  async #run(batch: readonly Write[], commitId: string): Promise<readonly TextRow[]> {
    const { port, dialect } = this.#options
    const statement = compileBatch({ dialect, batch, commitId })
    if (statement === undefined) return []
    const deleted = batch.flatMap((write) => (write.op === 'deleteStream' ? [write.stream] : []))
    if (deleted.length === 0) return port.query(statement)
    // a statement sees the events that were there when it began: those of an appender that it had to wait for would stay behind
    return port.tx(async (connection) => {
      const text = `SELECT 1::text FROM ${dialect.names.streams} WHERE stream = ANY ($1::text::text[]) ORDER BY stream FOR UPDATE`
      await connection.query({ text, values: [encodeArray(deleted)] })
      return connection.query(statement)
    })
  }

  /** A failed statement: a key that is taken, an answer that was lost, or a failure that the caller gets. */
  async #explain(batch: readonly Write[], commitId: string, failure: unknown): Promise<CommitResult> {
    if (violatedKey(failure) !== undefined) {
      const duplicate = await this.#duplicates.find(batch, commitId, failure)
      if (duplicate !== undefined) return this.#duplicate(batch, duplicate)
      throw new PortFailure(new Error('The key that stood in the way has gone'), { wasSent: false }) // repeated
    }
    if (!isOutcomeOpen(failure)) throw failure
    const lost = failure as PortFailure
    const applied = await this.#outcomes.lookUp(batch, commitId, lost)
    if (applied !== undefined) return applied
    throw new PortFailure(lost.cause, { wasSent: false }) // it did not apply: repeated
  }

  async #refusal(batch: readonly Write[], verdict: Extract<Verdict, { ok: false }>): Promise<Refusal> {
    const { index, reason } = verdict
    const write = batch[index]
    if (reason === 'missing' || write === undefined || (write.op !== 'update' && write.op !== 'delete')) return { ok: false, index, reason }
    const { port, dialect } = this.#options
    const [found] = await port.query(compileGet(dialect, write.table, write.id))
    if (found?.[0] == null) return { ok: false, index, reason: 'missing' } // deleted while the condition was tested
    return { ok: false, index, reason, current: decodeRow(tableMeta(write.table), found[0]) as unknown as AnyRow }
  }

  async #duplicate(batch: readonly Write[], { index, constraint }: Duplicate): Promise<Refusal> {
    const holder = await this.#duplicates.holderOf(batch[index] as Write, constraint)
    return { ok: false, index, reason: 'duplicate', constraint, ...(holder === undefined ? {} : { current: holder as unknown as AnyRow }) }
  }
}

const isConditional = ({ where }: Tested) => Object.values(where ?? {}).some((condition) => condition !== undefined)

/** UUIDs, which Postgres stores in 16 bytes: a random half for this process, and a count. */
function commitIds(random: Random): () => string {
  const hex = random.bytes(10).toString('hex')
  const prefix = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-`
  let count = 0
  return () => `${prefix}${(count++).toString(16).padStart(12, '0')}`
}
