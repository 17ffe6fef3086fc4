import type { TableMeta } from '../table-meta.js'

export type StoredRow = Readonly<Record<string, unknown>>
/** The order of any table. */
export type AnyOrder = readonly { readonly column: string; readonly direction?: 'asc' | 'desc' }[]
export type Compare = (left: StoredRow, right: StoredRow) => number

/** Orders text by code point, as databases with the "C" collation do; `<` orders by UTF-16 unit, which differs beyond U+FFFF. */
export function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a !== b) return fixSurrogate(a) - fixSurrogate(b)
  }
  return left.length - right.length
}

/** Moves surrogates above the rest of the basic plane. */
const fixSurrogate = (unit: number) => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** Orders two values of one column, neither of them null. */
export function compareValues(left: unknown, right: unknown): number {
  if (typeof left === 'string') return compareText(left, right as string)
  if (left instanceof Date) return left.getTime() - Number(right)
  return Number(left) - Number(right)
}

/** The total order of a query: its columns, nulls last in both directions, then the primary key. */
export function orderOf(meta: TableMeta, orderBy: AnyOrder = []): Compare {
  const criteria = orderBy.map(({ column, direction }) => ({ column, sign: direction === 'desc' ? -1 : 1 }))
  const { primaryKey } = meta
  return (left, right) => {
    for (const { column, sign } of criteria) {
      const a = left[column]
      const b = right[column]
      if (a === null || b === null) {
        if (a !== b) return a === null ? 1 : -1
        continue
      }
      const order = compareValues(a, b)
      if (order !== 0) return order * sign
    }
    return compareText(left[primaryKey] as string, right[primaryKey] as string)
  }
}

/** The first rows in an order, without sorting all of them. */
export function firstInOrder(rows: Iterable<StoredRow>, compare: Compare, limit: number): StoredRow[] {
  let kept: StoredRow[] = []
  let worst: StoredRow | undefined // the last of `limit` rows: what sorts after it is out
  const room = limit * 2 + 64
  for (const row of rows) {
    if (worst !== undefined && compare(row, worst) > 0) continue
    kept.push(row)
    if (kept.length < room) continue
    kept = kept.sort(compare).slice(0, limit)
    worst = kept[limit - 1]
  }
  return kept.sort(compare).slice(0, limit)
}
