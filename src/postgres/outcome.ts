import { type Clock, sleep } from '../runtime/index.js'
import type { AnyRow, CommitResult, StoredEvent, Write } from '../storage/storage.js'
import { type TableMeta, tableMeta } from '../storage/table-meta.js'
import { changesNothing } from './draft.js'
import { isConnectionFault, storageError } from './failures.js'
import { columnName } from './names.js'
import { type Port, PortFailure, type Statement, type TextRow } from './port.js'
import { compileGet, type Dialect, rowExpression } from './queries.js'
import { decodeInstant, decodeRow, Params } from './values.js'

type Applied = Extract<CommitResult, { ok: true }>
type RowWrite = Exclude<Write, { op: 'append' | 'deleteStream' }>

/** Waits between attempts to ask the database what became of a commit: about 13 seconds, enough for a restart. */
const ASK_DELAYS_MS = [0, 100, 200, 400, 800, 1_600, 3_200, 6_400] as const
/** How long the process of a lost connection is waited for: it may still be at the statement. */
const BACKEND_WAIT_MS = 10_000
const BACKEND_POLL_MS = 50

/**
 * Finds out what became of a commit whose answer was lost. Every row and event carries the id of the commit that wrote it, so that the
 * question has an answer. (Where others have overwritten every row since, and no event was appended, it looks as if nothing had applied;
 * the repetition then meets its conditions again.)
 */
export class Outcomes {
  readonly #port: Port
  readonly #dialect: Dialect
  readonly #clock: Clock

  constructor(params: { readonly port: Port; readonly dialect: Dialect; readonly clock: Clock }) {
    this.#port = params.port
    this.#dialect = params.dialect
    this.#clock = params.clock
  }

  /**
   * The result of the commit where it was applied; undefined where it certainly was not and will not be.
   * @throws {StorageError} `STORAGE_OUTCOME_UNKNOWN` where the database cannot be asked
   */
  async lookUp(batch: readonly Write[], commitId: string, failure: PortFailure): Promise<Applied | undefined> {
    try {
      await this.#backendGone(failure.backendPid)
      if (!(await this.#wasApplied(batch, commitId))) return undefined
      return await this.#rebuild(batch, commitId)
    } catch (error) {
      if (!(error instanceof PortFailure)) throw error
      throw storageError(
        'STORAGE_OUTCOME_UNKNOWN',
        `The connection was lost during a commit, and the database could not be asked what became of it: ${error.message}`,
        { cause: failure.cause, details: { commitId } },
      )
    }
  }

  /** Waits until nobody works on the statement any more. Behind a pooler the process is not known: nothing is found and nothing waited for. */
  async #backendGone(pid: number | undefined): Promise<void> {
    if (pid === undefined) return
    const text = `SELECT (state = 'active' AND query LIKE 'WITH %')::text FROM pg_stat_activity WHERE pid = $1::text::integer AND pid <> pg_backend_pid() AND datname = current_database() AND usename = current_user`
    const deadline = this.#clock.monotonicMs() + BACKEND_WAIT_MS
    for (;;) {
      const [backend] = await this.#ask({ text, values: [String(pid)] })
      if (backend === undefined) return
      if (this.#clock.monotonicMs() < deadline) {
        await sleep(this.#clock, BACKEND_POLL_MS)
        continue
      }
      if (backend[0] !== 'true') return // idle: it has done its work, or never got any
      throw new PortFailure(new Error(`process ${pid} of the server is still at it`), { wasSent: true })
    }
  }

  async #wasApplied(batch: readonly Write[], commitId: string): Promise<boolean> {
    const params = new Params()
    const id = params.add(commitId, 'uuid')
    const traces = batch.flatMap((write) => traceOf(this.#dialect, params, id, write))
    const removals = traces.length > 0 ? [] : batch.flatMap((write) => removalOf(this.#dialect, params, write))
    const conditions = traces.length > 0 ? traces.join(' OR ') : removals.join(' AND ')
    if (conditions === '') return false // it changed nothing in any case
    const [answer] = await this.#ask({ text: `SELECT (${conditions})::text FROM (SELECT ${id}) AS given`, values: params.values })
    return answer?.[0] === 'true'
  }

  async #rebuild(batch: readonly Write[], commitId: string): Promise<Applied> {
    const rows: AnyRow[][] = []
    const events: StoredEvent[][] = []
    for (const write of batch) {
      rows.push('table' in write ? await this.#rowsOf(write, commitId) : [])
      events.push(write.op === 'append' && write.events.length > 0 ? await this.#eventsOf(write.stream, commitId) : [])
    }
    return { ok: true, rows, events }
  }

  async #rowsOf(write: RowWrite, commitId: string): Promise<AnyRow[]> {
    if (write.op === 'delete' || ('returning' in write && write.returning === false)) return []
    const meta = tableMeta(write.table)
    const id = idOf(write)
    const found = await this.#ask(id === undefined ? writtenBy(this.#dialect, meta, commitId) : compileGet(this.#dialect, meta.name, id))
    return found.map(([text]) => decodeRow(meta, text ?? '') as unknown as AnyRow)
  }

  async #eventsOf(stream: string, commitId: string): Promise<StoredEvent[]> {
    const params = new Params()
    const condition = `e.stream = ${params.add(stream, 'text')} AND e.commit_id = ${params.add(commitId, 'uuid')}`
    const event = 'json_build_array(e.seq, e.id, e.type, e.organization_id, e.at, e.payload)::text'
    const text = `SELECT ${event} FROM ${this.#dialect.names.events} AS e WHERE ${condition} ORDER BY e.seq`
    return (await this.#ask({ text, values: params.values })).map(([found]) => decodeEvent(stream, found ?? ''))
  }

  async #ask(statement: Statement): Promise<readonly TextRow[]> {
    for (const [attempt, delay] of ASK_DELAYS_MS.entries()) {
      if (delay > 0) await sleep(this.#clock, delay)
      try {
        return await this.#port.query(statement)
      } catch (failure) {
        if (!isConnectionFault(failure) || attempt === ASK_DELAYS_MS.length - 1) throw failure
      }
    }
    return []
  }
}

const idOf = (write: RowWrite): string | undefined => {
  if (write.op === 'insert') return (write.row as unknown as Record<string, string>)[tableMeta(write.table).primaryKey]
  return write.op === 'update' || write.op === 'delete' ? write.id : undefined
}

/** Where a write leaves the id of its commit behind. */
function traceOf(dialect: Dialect, params: Params, commitId: string, write: Write): string[] {
  if (write.op === 'append') {
    if (write.events.length === 0) return []
    const stream = params.add(write.stream, 'text')
    return [`EXISTS (SELECT 1 FROM ${dialect.names.events} AS e WHERE e.stream = ${stream} AND e.commit_id = ${commitId})`]
  }
  if (write.op === 'deleteStream' || write.op === 'delete') return []
  if (write.op !== 'insert' && changesNothing(write.set)) return []
  const meta = tableMeta(write.table)
  const id = idOf(write)
  const own = id === undefined ? '' : ` AND t.${columnName(meta.primaryKey)} = ${params.add(id, 'text')}`
  return [`EXISTS (SELECT 1 FROM ${dialect.names.table(meta)} AS t WHERE t.commit_id = ${commitId}${own})`]
}

/** What is true after a removal. */
function removalOf(dialect: Dialect, params: Params, write: Write): string[] {
  if (write.op === 'deleteStream') {
    return [`NOT EXISTS (SELECT 1 FROM ${dialect.names.streams} AS s WHERE s.stream = ${params.add(write.stream, 'text')})`]
  }
  if (write.op !== 'delete') return []
  const meta = tableMeta(write.table)
  const key = `t.${columnName(meta.primaryKey)} = ${params.add(write.id, 'text')}`
  return [`NOT EXISTS (SELECT 1 FROM ${dialect.names.table(meta)} AS t WHERE ${key})`]
}

function writtenBy(dialect: Dialect, meta: TableMeta, commitId: string): Statement {
  const text = `SELECT ${rowExpression(meta)} FROM ${dialect.names.table(meta)} AS t WHERE t.commit_id = $1::text::uuid`
  return { text, values: [commitId] }
}

/** An event from the text of its JSON array. */
export function decodeEvent(stream: string, text: string): StoredEvent {
  const [seq, id, type, organizationId, at, payload] = JSON.parse(text) as [number, string, string, string, string, StoredEvent['payload']]
  return { stream, seq, id, type, organizationId, at: decodeInstant(at), payload }
}
