import { isComputed } from '../storage/rows.js'
import type { Write } from '../storage/storage.js'
import { type ColumnMeta, columnOf, type TableMeta, tableMeta } from '../storage/table-meta.js'
import { MAX_LISTED_EVENTS } from './appends.js'
import { compileChain } from './compile-chain.js'
import type { Statement } from './port.js'
import type { Dialect } from './queries.js'
import { encodeArray, encodeValue } from './values.js'

/** More shapes than a host has; past it, statements are compiled each time. */
const MAX_SHAPES = 1_000

/** A statement whose parameters stand for leaves of a batch, by their place, or for themselves. */
interface Plan {
  readonly text: string
  readonly sources: readonly (number | { readonly constant: string | null })[]
}

/**
 * The usual commits differ in their values only: their text is made once for each shape (columns, operators, nulls, computed values).
 * The shape's text is compiled from a batch in which every value is one of a kind, so that each parameter tells which value it stands for.
 */
export class StatementCache {
  readonly #dialect: Dialect
  readonly #plans = new Map<string, Plan | undefined>()

  constructor(dialect: Dialect) {
    this.#dialect = dialect
  }

  /** The statement of a batch that is a chain, with its order; undefined where there is nothing to do. */
  compile(batch: readonly Write[], order: readonly number[], commitId: string): Statement | undefined {
    const walk = new Walk(commitId)
    if (!walk.batch(batch, order)) return compileChain(this.#dialect, batch, order, commitId)
    let plan = this.#plans.get(walk.key)
    if (plan === undefined && !this.#plans.has(walk.key) && this.#plans.size < MAX_SHAPES) {
      plan = this.#plan(batch, order)
      this.#plans.set(walk.key, plan)
    }
    if (plan === undefined) return compileChain(this.#dialect, batch, order, commitId)
    const { leaves } = walk
    const values = plan.sources.map((source) => (typeof source === 'number' ? (leaves[source] as string | null) : source.constant))
    return { text: plan.text, values, recurs: true }
  }

  #plan(batch: readonly Write[], order: readonly number[]): Plan | undefined {
    const walk = new Walk('00000000-0000-4000-8000-000000000000', true)
    walk.batch(batch, order)
    const statement = compileChain(this.#dialect, walk.replaced as never, order, walk.leaves[0] as string)
    if (statement === undefined) return undefined
    const places = new Map(walk.leaves.map((leaf, place) => [leaf, place]))
    const sources = statement.values.map((value) => (value === null ? { constant: null } : (places.get(value) ?? { constant: value })))
    return { text: statement.text, sources }
  }
}

/** Goes through a batch: collects its values, and writes down everything else. */
class Walk {
  key = ''
  readonly leaves: (string | null)[]
  /** The batch with every value replaced by one that occurs only once. */
  readonly replaced: unknown[] = []
  readonly #isReplacing: boolean
  #streams = 0

  constructor(commitId: string, isReplacing = false) {
    this.leaves = [commitId]
    this.#isReplacing = isReplacing
  }

  /** Whether it has a shape that recurs: few inserts, few events of one stream. */
  batch(batch: readonly Write[], order: readonly number[]): boolean {
    if (order.length > 1) this.key = `${order.join()}/`
    let previous: Write | undefined
    for (const write of batch) {
      // inserts that follow each other go together, as arrays
      if (write.op === 'insert' && previous?.op === 'insert' && previous.table === write.table) return false
      if (write.op !== 'append') previous = write
      if (!this.#write(write)) return false
    }
    return true
  }

  #write(write: Write): boolean {
    if (write.op === 'append') return this.#append(write)
    if (write.op !== 'insert' && write.op !== 'update' && write.op !== 'delete') return false
    const meta = tableMeta(write.table)
    this.key += `${write.op} ${meta.name}${'returning' in write && write.returning === false ? '-' : ''}`
    if (write.op === 'insert') {
      const row = this.#row(meta, write.row)
      if (this.#isReplacing) this.replaced.push({ ...write, row })
      return true
    }
    const id = this.#text(write.id)
    const where = this.#where(meta, write.where)
    if (write.op === 'delete') {
      if (this.#isReplacing) this.replaced.push({ ...write, id, where })
    } else {
      this.key += '|'
      const set = this.#columns(meta, write.set)
      if (this.#isReplacing) this.replaced.push({ ...write, id, where, set })
    }
    this.key += '/'
    return true
  }

  #append(append: Extract<Write, { op: 'append' }>): boolean {
    const count = append.events.length
    this.#streams += 1
    if (count === 0 || count > MAX_LISTED_EVENTS || this.#streams > 1) return false
    this.key += `+${count}/`
    const stream = this.#text(append.stream)
    const events = append.events.map((event) => {
      const own = { id: this.#text(event.id), type: this.#text(event.type), organizationId: this.#text(event.organizationId) }
      const payload = this.#isReplacing ? { place: this.leaves.length } : event.payload
      this.leaves.push(JSON.stringify(payload))
      return { ...own, payload }
    })
    if (this.#isReplacing) this.replaced.push({ ...append, stream, events })
    return true
  }

  #text(value: string): string {
    const text = this.#isReplacing ? `~${this.leaves.length}~` : value
    this.leaves.push(text)
    return text
  }

  #where(meta: TableMeta, where: object | undefined): unknown {
    const copy: Record<string, unknown> = {}
    for (const name in where) {
      const condition = (where as Record<string, unknown>)[name]
      if (condition === undefined) continue
      this.key += `,${name}`
      if (name === 'any') {
        this.key += '('
        copy[name] = (condition as object[]).map((alternative) => {
          this.key += ';'
          return this.#where(meta, alternative)
        })
        this.key += ')'
        continue
      }
      const column = columnOf(meta, name)
      if (condition === null || typeof condition !== 'object' || condition instanceof Date || isComputed(condition)) {
        copy[name] = this.#value(column, condition)
        continue
      }
      const operators: Record<string, unknown> = {}
      for (const operator in condition) {
        this.key += ` ${operator}`
        const operand = (condition as Record<string, unknown>)[operator]
        operators[operator] = Array.isArray(operand) ? this.#list(column, operand) : this.#value(column, operand)
      }
      copy[name] = operators
    }
    return copy
  }

  #columns(meta: TableMeta, set: object): unknown {
    const copy: Record<string, unknown> = {}
    for (const name in set) {
      const value = (set as Record<string, unknown>)[name]
      if (value === undefined) continue
      this.key += `,${name}`
      const own = this.#cell(columnOf(meta, name), value)
      if (this.#isReplacing) copy[name] = own
    }
    return copy
  }

  /** Every column of a row, in the manifest's order. */
  #row(meta: TableMeta, row: object): unknown {
    const copy: Record<string, unknown> = {}
    for (const column of meta.columns) {
      const own = this.#cell(column, (row as Record<string, unknown>)[column.name] ?? null)
      if (this.#isReplacing) copy[column.name] = own
    }
    this.key += '/'
    return copy
  }

  /** A value that is written: whether it is null is no part of the shape. */
  #cell(column: ColumnMeta, value: unknown): unknown {
    if (column.kind !== 'json' && isComputed(value)) {
      this.key += `=${column.name}${value.compute === 'storageNow' ? `=now${value.plusMs}` : `=+${value.by}`}`
      return value
    }
    const own = this.#isReplacing ? only(column, this.leaves.length) : value
    this.leaves.push(encodeValue(column, own))
    return own
  }

  #list(column: ColumnMeta, items: readonly unknown[]): unknown[] {
    const list = this.#isReplacing ? [only(column, this.leaves.length)] : items
    this.leaves.push(encodeArray(list.map((item) => encodeValue(column, item))))
    return list as unknown[]
  }

  #value(column: ColumnMeta, value: unknown): unknown {
    if (value === null || typeof value === 'boolean' || value === undefined) {
      this.key += `=${value}`
      return value
    }
    if (column.kind !== 'json' && isComputed(value)) {
      this.key += value.compute === 'storageNow' ? `=now${value.plusMs}` : `=+${value.by}`
      return value
    }
    const own = this.#isReplacing ? only(column, this.leaves.length) : value
    this.leaves.push(encodeValue(column, own) as string)
    return own
  }
}

/** A value of a column that occurs nowhere else. */
function only(column: ColumnMeta, place: number): unknown {
  switch (column.kind) {
    case 'text':
    case 'bool':
      return `~${place}~`
    case 'int':
      return 7_000_000_000 + place
    case 'float':
      return 7_000_000_000.5 + place
    case 'instant':
      return new Date(1_000_000_000_000 + place)
    default:
      return { place }
  }
}
