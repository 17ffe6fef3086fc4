import type { Condition } from '../storage.js'
import type { TableMeta } from '../table-meta.js'
import { type AnyWhere, matches } from './matches.js'
import { type AnyOrder, firstInOrder, orderOf, type StoredRow } from './order.js'
import { UniqueIndex } from './unique-index.js'

/** A query on any table. */
export interface AnyQuery {
  readonly where?: AnyWhere
  readonly orderBy?: AnyOrder
  readonly limit?: number
  readonly after?: string
}

/** What stands in the way of a row. */
export interface Conflict {
  /** `primary` or the name of a unique key. */
  readonly constraint: string
  readonly holder: StoredRow
}

/** The rows of one table with their indexes. Stored rows are never changed, only replaced, so that going back is a replacement too. */
export class MemoryTable {
  readonly meta: TableMeta
  readonly #rows = new Map<string, StoredRow>()
  readonly #unique: readonly UniqueIndex[]
  /** By column and value: ids of the rows that have it. */
  readonly #lookups: ReadonlyMap<string, Map<unknown, Set<string>>>

  constructor(meta: TableMeta) {
    this.meta = meta
    this.#unique = meta.unique.map((key) => new UniqueIndex(key, meta.primaryKey))
    const scalar = meta.lookupColumns.filter((column) => !meta.objectColumns.includes(column))
    this.#lookups = new Map(scalar.map((column) => [column, new Map()]))
  }

  get(id: string): StoredRow | undefined {
    return this.#rows.get(id)
  }

  all(): Iterable<StoredRow> {
    return this.#rows.values()
  }

  /** What keeps `next` from being stored; `isNew` rows collide with their own primary key too. */
  conflictOf(next: StoredRow, isNew: boolean): Conflict | undefined {
    const present = isNew ? this.#rows.get(next[this.meta.primaryKey] as string) : undefined
    if (present !== undefined) return { constraint: 'primary', holder: present }
    for (const index of this.#unique) {
      const id = index.holderOf(next)
      const holder = id === undefined ? undefined : this.#rows.get(id)
      if (holder !== undefined) return { constraint: index.name, holder }
    }
    return undefined
  }

  /** Puts `next` in the place of `previous`; either may be absent. */
  replace(previous: StoredRow | undefined, next: StoredRow | undefined): void {
    const id = (next ?? previous)?.[this.meta.primaryKey] as string
    if (next === undefined) this.#rows.delete(id)
    else this.#rows.set(id, next)
    for (const index of this.#unique) index.replace(previous, next)
    for (const [column, byValue] of this.#lookups) {
      if (previous !== undefined && next !== undefined && previous[column] === next[column]) continue
      if (previous !== undefined) removeFrom(byValue, previous[column], id)
      if (next !== undefined) addTo(byValue, next[column], id)
    }
  }

  clear(): void {
    for (const row of [...this.#rows.values()]) this.replace(row, undefined)
  }

  find(params: AnyQuery, nowMs: number): StoredRow[] {
    const compare = orderOf(this.meta, params.orderBy)
    const after = params.after === undefined ? undefined : this.#rows.get(params.after)
    if (params.after !== undefined && after === undefined) return []
    const found = this.matching(params.where, nowMs)
    const rest = after === undefined ? found : found.filter((row) => compare(row, after) > 0)
    // rows come in the order in which they were inserted, mostly that of time: newest first is then near the end
    if (params.orderBy?.[0]?.direction === 'desc') rest.reverse()
    return firstInOrder(rest, compare, params.limit ?? 100)
  }

  /** The first of some rows of this table in an order. */
  firstOf(rows: readonly StoredRow[], orderBy: AnyOrder): StoredRow | undefined {
    const compare = orderOf(this.meta, orderBy)
    return rows.reduce<StoredRow | undefined>((first, row) => (first === undefined || compare(row, first) < 0 ? row : first), undefined)
  }

  /** Every row that meets a condition, in no order. */
  matching(where: AnyWhere | undefined, nowMs: number): StoredRow[] {
    const found: StoredRow[] = []
    for (const row of this.#candidates(where)) if (matches(row, where, nowMs)) found.push(row)
    return found
  }

  count(where: AnyWhere | undefined, nowMs: number): number {
    if (where === undefined) return this.#rows.size
    let count = 0
    for (const row of this.#candidates(where)) if (matches(row, where, nowMs)) count++
    return count
  }

  /** The smallest set of rows that the indexes give for a condition. */
  #candidates(where: AnyWhere | undefined): Iterable<StoredRow> {
    if (where === undefined) return this.#rows.values()
    const ids = wantedValues((where as Record<string, unknown>)[this.meta.primaryKey])
    if (ids !== undefined) return this.#rowsOf(ids as readonly string[])
    let best: readonly Set<string>[] | undefined
    let bestSize = this.#rows.size
    for (const [column, byValue] of this.#lookups) {
      const values = wantedValues((where as Record<string, unknown>)[column])
      if (values === undefined) continue
      const sets = values.map((value) => byValue.get(value)).filter((set) => set !== undefined)
      const size = sets.reduce((sum, set) => sum + set.size, 0)
      if (best !== undefined && size >= bestSize) continue
      best = sets
      bestSize = size
    }
    // walking all rows is cheaper than looking half of them up
    if (best === undefined || bestSize * 2 > this.#rows.size) return this.#rows.values()
    return best.flatMap((set) => this.#rowsOf(set))
  }

  #rowsOf(ids: Iterable<string>): StoredRow[] {
    const rows: StoredRow[] = []
    for (const id of ids) {
      const row = this.#rows.get(id)
      if (row !== undefined) rows.push(row)
    }
    return rows
  }
}

/** The values that a condition admits, each once, where it lists them. */
function wantedValues(condition: unknown): readonly unknown[] | undefined {
  if (condition === undefined) return undefined
  if (typeof condition !== 'object' || condition === null) return [condition]
  const { eq, in: among, isNull } = condition as Condition
  if (eq !== undefined && typeof eq !== 'object') return [eq]
  if (among !== undefined) return [...new Set(among)]
  return isNull === true ? [null] : undefined
}

function addTo(byValue: Map<unknown, Set<string>>, value: unknown, id: string): void {
  const ids = byValue.get(value)
  if (ids === undefined) byValue.set(value, new Set([id]))
  else ids.add(id)
}

function removeFrom(byValue: Map<unknown, Set<string>>, value: unknown, id: string): void {
  const ids = byValue.get(value)
  if (ids === undefined) return
  ids.delete(id)
  if (ids.size === 0) byValue.delete(value)
}
