import type { UniqueKey } from '../columns.js'
import type { StoredRow } from './order.js'

/** One unique key of a table: which row holds which values. */
export class UniqueIndex {
  readonly name: string
  readonly #key: UniqueKey
  readonly #primaryKey: string
  readonly #holders = new Map<string, string>()

  constructor(key: UniqueKey, primaryKey: string) {
    this.name = key.name
    this.#key = key
    this.#primaryKey = primaryKey
  }

  /** Id of another row that already holds the key of this one. */
  holderOf(row: StoredRow): string | undefined {
    const key = this.#keyOf(row)
    if (key === undefined) return undefined
    const holder = this.#holders.get(key)
    return holder === row[this.#primaryKey] ? undefined : holder
  }

  /** Moves a row's key from what it was to what it is; either may be absent. */
  replace(previous: StoredRow | undefined, next: StoredRow | undefined): void {
    const before = previous && this.#keyOf(previous)
    const after = next && this.#keyOf(next)
    if (before === after) return
    if (before !== undefined) this.#holders.delete(before)
    if (after !== undefined) this.#holders.set(after, next?.[this.#primaryKey] as string)
  }

  /** The row's values as one string; undefined where the key does not bind it: a null, or outside of the key's condition. */
  #keyOf(row: StoredRow): string | undefined {
    const { columns, where } = this.#key
    for (const column in where) {
      const wanted = where[column]
      const value = row[column]
      if (Array.isArray(wanted) ? !wanted.includes(value) : value !== wanted) return undefined
    }
    let key = ''
    for (const column of columns) {
      const value = row[column]
      if (value === null) return undefined
      const text = value instanceof Date ? String(value.getTime()) : String(value)
      key += `${text.length}:${text}` // the length keeps ("a", "bc") apart from ("ab", "c")
    }
    return key
  }
}
