import { isComputed } from '../storage/rows.js'
import type { Write } from '../storage/storage.js'
import { type TableMeta, tableMeta } from '../storage/table-meta.js'
import { compileBatch } from './compile-batch.js'
import { violatedKey } from './failures.js'
import type { Port } from './port.js'
import { compileFind, compileGet, type Dialect } from './queries.js'
import { decodeRow } from './values.js'

type Row = Record<string, unknown>

/** Which write ran into which key. */
export interface Duplicate {
  readonly index: number
  /** `primary` or the name of a unique key. */
  readonly constraint: string
}

/** Name of a constraint in the terms of the contract. */
const constraintOf = (meta: TableMeta, constraint: string) => (constraint === `${meta.name}_pkey` ? 'primary' : constraint)

/** Whether a write could run into a key of its table; into one of them, where it is given. */
export function mayCollide(write: Write, constraint?: string): boolean {
  if (!('table' in write) || write.op === 'delete') return false
  if (write.op === 'insert') return true
  const keys = tableMeta(write.table).unique.filter(({ name }) => constraint === undefined || name === constraint)
  const columns = keys.flatMap((key) => [...key.columns, ...Object.keys(key.where ?? {})])
  return columns.some((column) => (write.set as Row)[column] !== undefined)
}

/** Finds out about keys that are taken. The server names the key; which write it was takes more than one look where several could be it. */
export class Duplicates {
  readonly #port: Port
  readonly #dialect: Dialect

  constructor(port: Port, dialect: Dialect) {
    this.#port = port
    this.#dialect = dialect
  }

  /** The first write that runs into a key; undefined where none does any more. `failure` is what the whole batch met. */
  async find(batch: readonly Write[], commitId: string, failure: unknown): Promise<Duplicate | undefined> {
    const violated = violatedKey(failure)
    if (violated === undefined) return undefined
    const meta = tableMeta(violated.table)
    const constraint = constraintOf(meta, violated.constraint)
    const suspects = batch.flatMap((write, index) =>
      'table' in write && write.table === violated.table && mayCollide(write, constraint) ? [index] : [],
    )
    const [only] = suspects
    if (suspects.length === 1 && only !== undefined) return { index: only, constraint }
    return this.#search(batch, commitId)
  }

  /** The first write among the first `length` that runs into a key. */
  async findBefore(batch: readonly Write[], commitId: string, length: number): Promise<Duplicate | undefined> {
    if (!batch.slice(0, length).some((write) => mayCollide(write))) return undefined
    return this.#search(batch, commitId, length)
  }

  /** Tries ever shorter beginnings of the batch, each in a transaction that is taken back. */
  async #search(batch: readonly Write[], commitId: string, length = batch.length): Promise<Duplicate | undefined> {
    const suspects = batch.slice(0, length).flatMap((write, index) => (mayCollide(write) ? [index] : []))
    let found: Duplicate | undefined
    let low = 0
    let high = suspects.length - 1
    while (low <= high) {
      const middle = found === undefined ? high : (low + high) >> 1
      const index = suspects[middle] as number
      const violated = await this.#try(batch, commitId, index + 1)
      if (violated === undefined) {
        if (found === undefined) return undefined
        low = middle + 1
      } else {
        found = { index, constraint: constraintOf(tableMeta(violated.table), violated.constraint) }
        high = middle - 1
      }
    }
    return found
  }

  async #try(batch: readonly Write[], commitId: string, length: number) {
    const takeBack = new Error('taken back')
    try {
      await this.#port.tx(async (connection) => {
        const statement = compileBatch({ dialect: this.#dialect, batch, commitId, length })
        if (statement !== undefined) await connection.query(statement)
        throw takeBack
      })
    } catch (failure) {
      if (failure === takeBack) return undefined
      const violated = violatedKey(failure)
      if (violated !== undefined) return violated
      throw failure
    }
    return undefined
  }

  /** The row that holds the key, as it stands now. */
  async holderOf(write: Write, constraint: string): Promise<Row | undefined> {
    if (!('table' in write)) return undefined
    const meta = tableMeta(write.table)
    const wanted = await this.#rowWanted(meta, write)
    if (wanted === undefined) return undefined
    if (constraint === 'primary') return this.#get(meta, wanted[meta.primaryKey] as string)
    const key = meta.unique.find(({ name }) => name === constraint)
    const values = key?.columns.map((column) => [column, wanted[column]] as const) ?? []
    if (key === undefined || values.some(([, value]) => value === null || value === undefined || isComputed(value))) return undefined
    const binding = Object.entries(key.where ?? {}).map(([column, value]) => [column, Array.isArray(value) ? { in: value } : value])
    const where = { ...Object.fromEntries(binding), ...Object.fromEntries(values.map(([column, value]) => [column, { eq: value }])) }
    const [found] = await this.#port.query(compileFind(this.#dialect, { table: write.table, where, limit: 1 }))
    return found?.[0] == null ? undefined : decodeRow(meta, found[0])
  }

  /** The row as the write wanted it; undefined where that is not known. */
  async #rowWanted(meta: TableMeta, write: Write): Promise<Row | undefined> {
    if (write.op === 'insert') return write.row as unknown as Row
    if (write.op !== 'update') return undefined
    const present = await this.#get(meta, write.id)
    return present && { ...present, ...(write.set as Row) }
  }

  async #get(meta: TableMeta, id: string): Promise<Row | undefined> {
    const [found] = await this.#port.query(compileGet(this.#dialect, meta.name, id))
    return found?.[0] == null ? undefined : decodeRow(meta, found[0])
  }
}
