import { type TableMeta, tableMeta } from '../storage/table-meta.js'
import { columnName, type Names } from './names.js'
import { type AnyOrder, compileAfter, compileOrder, totalOrder } from './order.js'
import type { Statement } from './port.js'
import { Params } from './values.js'
import { type AnyWhere, compileBesideKey, compileWhere, type WhereContext } from './where.js'

/** What every compiler needs to know of the database. */
export interface Dialect {
  readonly names: Names
  readonly lowerCollation: string
}

const rowExpressions = new WeakMap<TableMeta, string>()

/** A row under the alias `t` as the text of a JSON array, in the manifest's order. */
export function rowExpression(meta: TableMeta): string {
  const known = rowExpressions.get(meta)
  if (known !== undefined) return known
  const expression = `json_build_array(${meta.columns.map((column) => `t.${columnName(column.name)}`).join(', ')})::text`
  rowExpressions.set(meta, expression)
  return expression
}

/** Conditions on rows under the alias `t`. */
export function whereContext(dialect: Dialect, params: Params, now: WhereContext['now'], alias = 't'): WhereContext {
  return { alias, now, lowerCollation: dialect.lowerCollation, param: (value, type) => params.add(value, type) }
}

/** Clock of sweeps: the same for the whole statement, so that an index on a time can be used. */
export const SWEEP_CLOCK = 'statement_timestamp()'
/** Clock of a holder that checks its own row, which may have waited for a lock. */
export const HOLDER_CLOCK = 'clock_timestamp()'

export function compileGet(dialect: Dialect, table: string, id: string): Statement {
  const meta = tableMeta(table)
  const params = new Params()
  const key = `t.${columnName(meta.primaryKey)} = ${params.add(id, 'text')}`
  return {
    text: `SELECT ${rowExpression(meta)} FROM ${dialect.names.table(meta)} AS t WHERE ${key}`,
    values: params.values,
    recurs: true,
  }
}

export interface AnyFind {
  readonly table: string
  readonly where?: AnyWhere | undefined
  readonly orderBy?: AnyOrder | undefined
  readonly limit?: number | undefined
  readonly after?: string | undefined
}

export function compileFind(dialect: Dialect, find: AnyFind): Statement {
  const meta = tableMeta(find.table)
  const table = dialect.names.table(meta)
  const params = new Params()
  const order = totalOrder(meta, find.orderBy)
  const conditions = [compileSearch(meta, find.where, whereContext(dialect, params, SWEEP_CLOCK))]
  let anchor = ''
  if (find.after !== undefined) {
    const key = `${columnName(meta.primaryKey)} = ${params.add(find.after, 'text')}`
    anchor = `WITH a AS MATERIALIZED (SELECT * FROM ${table} WHERE ${key}) `
    conditions.push(compileAfter(meta, order, 't', 'a'))
  }
  // the limit is written out: the planner has to know it
  const text = `${anchor}SELECT ${rowExpression(meta)} FROM ${table} AS t WHERE ${conditions.join(' AND ')} ORDER BY ${compileOrder(meta, order, 't')} LIMIT ${Number(find.limit ?? 100)}`
  return { text, values: params.values, recurs: true }
}

/** A condition, by the primary key where it names that. */
function compileSearch(meta: TableMeta, where: AnyWhere | undefined, context: WhereContext): string {
  const { [meta.primaryKey]: own, ...others } = (where ?? {}) as Record<string, unknown>
  const isByKey = typeof own === 'object' && own !== null && ('eq' in own || 'in' in own)
  if (!isByKey) return compileWhere(meta, where, context)
  return `${compileWhere(meta, { [meta.primaryKey]: own }, context)}${compileBesideKey(meta, others as AnyWhere, context)}`
}

export function compileCount(dialect: Dialect, table: string, where: AnyWhere | undefined): Statement {
  const meta = tableMeta(table)
  const params = new Params()
  const condition = compileWhere(meta, where, whereContext(dialect, params, SWEEP_CLOCK))
  return { text: `SELECT count(*)::text FROM ${dialect.names.table(meta)} AS t WHERE ${condition}`, values: params.values, recurs: true }
}

/** Events as JSON arrays `[seq, id, type, organizationId, at, payload]`. */
export function compileReadEvents(dialect: Dialect, stream: string, after: number, limit: number): Statement {
  const params = new Params()
  const conditions = `e.stream = ${params.add(stream, 'text')} AND e.seq > ${params.add(String(after), 'bigint')}`
  const event = 'json_build_array(e.seq, e.id, e.type, e.organization_id, e.at, e.payload)::text'
  const text = `SELECT ${event} FROM ${dialect.names.events} AS e WHERE ${conditions} ORDER BY e.seq LIMIT ${Number(limit)}`
  return { text, values: params.values, recurs: true }
}

export const compileNowQuery = (): Statement => ({
  text: `SELECT to_json(${HOLDER_CLOCK}::timestamptz(3)) #>> '{}'`,
  values: [],
  recurs: true,
})
