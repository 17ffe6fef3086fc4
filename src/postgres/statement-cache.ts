import { isComputed } from '../storage/rows.js'
import type { Write } from '../storage/storage.js'
import { type ColumnMeta, columnOf, type TableMeta, tableMeta } from '../storage/table-meta.js'
import { compileSingle } from './compile-single.js'
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

  compile(batch: readonly Write[], commitId: string): Statement | undefined {
    const walk = new Walk(commitId)
    if (!walk.batch(batch)) return compileSingle(this.#dialect, batch, commitId)
    let plan = this.#plans.get(walk.key)
    if (plan === undefined && !this.#plans.has(walk.key) && this.#plans.size < MAX_SHAPES) {
      plan = this.#plan(batch)
      this.#plans.set(walk.key, plan)
    }
    if (plan === undefined) return compileSingle(this.#dialect, batch, commitId)
    const values = plan.sources.map((source) => (typeof source === 'number' ? (walk.leaves[source] as string) : source.constant))
    return { text: plan.text, values, recurs: true }
  }

  #plan(batch: readonly Write[]): Plan | undefined {
    const walk = new Walk('00000000-0000-4000-8000-000000000000', true)
    walk.batch(batch)
    const statement = compileSingle(this.#dialect, walk.replaced as never, walk.leaves[0] as string)
    if (statement === undefined) return undefined
    const places = new Map(walk.leaves.map((leaf, place) => [leaf, place]))
    const sources = statement.values.map((value) => (value === null ? { constant: null } : (places.get(value) ?? { constant: value })))
    return { text: statement.text, sources }
  }
}

/** Goes through a batch of the usual shape: collects its values, and writes down everything else. */
class Walk {
  key = ''
  readonly leaves: string[]
  /** The batch with every value replaced by one that occurs only once. */
  readonly replaced: unknown[] = []
  readonly #isReplacing: boolean

  constructor(commitId: string, isReplacing = false) {
    this.leaves = [commitId]
    this.#isReplacing = isReplacing
  }

  /** Whether it is of the usual shape. */
  batch(batch: readonly Write[]): boolean {
    const [update, append] = batch
    if (batch.length > 2 || update?.op !== 'update') return false
    if (append !== undefined && (append.op !== 'append' || append.events.length !== 1)) return false
    const meta = tableMeta(update.table)
    this.key = meta.name
    const id = this.#text(update.id)
    const where = this.#where(meta, update.where)
    this.key += '|'
    const set = this.#columns(meta, update.set)
    if (this.#isReplacing) this.replaced.push({ ...update, id, where, set })
    if (append === undefined) return true
    this.key += '|+'
    const [event] = append.events
    if (event === undefined) return false
    const stream = this.#text(append.stream)
    const own = { id: this.#text(event.id), type: this.#text(event.type), organizationId: this.#text(event.organizationId) }
    const payload = this.#isReplacing ? { place: this.leaves.length } : event.payload
    this.leaves.push(JSON.stringify(payload))
    if (this.#isReplacing) this.replaced.push({ ...append, stream, events: [{ ...own, payload }] })
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
      copy[name] = this.#value(columnOf(meta, name), value)
    }
    return copy
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
