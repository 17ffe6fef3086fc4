import { columnOf, type TableMeta } from '../storage/table-meta.js'
import { columnName } from './names.js'

/** The order of any table. */
export type AnyOrder = readonly { readonly column: string; readonly direction?: 'asc' | 'desc' }[]

/** The order with the primary key as its last criterion. */
export function totalOrder(meta: TableMeta, orderBy: AnyOrder | undefined): AnyOrder {
  const order = orderBy ?? []
  return order.some(({ column }) => column === meta.primaryKey) ? order : [...order, { column: meta.primaryKey }]
}

/**
 * ORDER BY, nulls last in both directions. For a required column that is left unsaid: the order is the same, and an index that was
 * built ascending can be read backwards.
 */
export function compileOrder(meta: TableMeta, order: AnyOrder, alias: string): string {
  return order
    .map(({ column, direction }) => {
      const name = `${alias}.${columnName(column)}`
      if (direction !== 'desc') return name
      return columnOf(meta, column).nullable ? `${name} DESC NULLS LAST` : `${name} DESC`
    })
    .join(', ')
}

/**
 * The rows that sort after the one in `anchor`, which is a sub-select's alias with a single row, or none: then nothing does.
 * The anchor's values are read by scalar sub-selects, so that the planner keeps walking the index in order.
 */
export function compileAfter(meta: TableMeta, order: AnyOrder, alias: string, anchor: string): string {
  let condition = 'false'
  for (const { column, direction } of order.toReversed()) {
    const { nullable } = columnOf(meta, column)
    const own = `${alias}.${columnName(column)}`
    const anchored = `(SELECT ${anchor}.${columnName(column)} FROM ${anchor})`
    const beyond = `${own} ${direction === 'desc' ? '<' : '>'} ${anchored}`
    if (nullable) {
      const intoNulls = `(${own} IS NULL AND ${anchored} IS NOT NULL)`
      condition = `(${beyond} OR ${intoNulls} OR (${own} IS NOT DISTINCT FROM ${anchored} AND ${condition}))`
    } else if (condition === 'false') {
      condition = beyond
    } else {
      // the first comparison alone is what an index can begin at
      const from = `${own} ${direction === 'desc' ? '<=' : '>='} ${anchored}`
      condition = `(${from} AND (${beyond} OR ${condition}))`
    }
  }
  return condition
}
