import { isComputed } from '../storage/rows.js'
import type { Computed, Where } from '../storage/storage.js'
import { type ColumnMeta, columnOf, type TableMeta } from '../storage/table-meta.js'
import { columnName, quoteLiteral } from './names.js'
import { encodeArray, encodeValue, typeOf } from './values.js'

export type AnyWhere = Where<Record<string, unknown>>

/** What a condition is compiled against. */
export interface WhereContext {
  /** The table's alias. */
  readonly alias: string
  /** The storage's clock: `clock_timestamp()` where a holder checks its own row, `statement_timestamp()` in sweeps, so that an index serves. */
  readonly now: string
  /** Collation by which `lower()` knows all scripts. */
  readonly lowerCollation: string
  /** Gives the expression of a parameter, already of this type. */
  readonly param: (value: string | null, type: string) => string
  /** Columns whose plain words are written out, so that a partial index is recognised. */
  readonly literals?: ReadonlySet<string>
}

/** A condition as SQL; `true` where it asks for nothing. Comparisons with null are never true, as in SQL. */
export function compileWhere(meta: TableMeta, where: AnyWhere | undefined, context: WhereContext): string {
  const parts: string[] = []
  for (const name of Object.keys(where ?? {})) {
    const condition = (where as Record<string, unknown>)[name]
    if (condition === undefined) continue
    if (name === 'any') {
      const alternatives = (condition as readonly AnyWhere[]).map((alternative) => compileWhere(meta, alternative, context))
      parts.push(alternatives.length === 0 ? 'false' : `(${alternatives.join(' OR ')})`)
    } else parts.push(...compileCondition(columnOf(meta, name), condition, context))
  }
  if (parts.length === 0) return 'true'
  return parts.length === 1 ? (parts[0] as string) : `(${parts.join(' AND ')})`
}

/**
 * A condition beside an equation with the primary key, as SQL that no index serves: while a table is small, the planner thinks every index
 * as good as the key's, and what it prepares then is kept when the table has grown. Empty where the condition asks for nothing.
 */
export function compileBesideKey(meta: TableMeta, where: AnyWhere | undefined, context: WhereContext): string {
  const condition = compileWhere(meta, where, context)
  return condition === 'true' ? '' : ` AND CASE WHEN ${condition} THEN true ELSE false END`
}

function compileCondition(column: ColumnMeta, condition: unknown, context: WhereContext): string[] {
  if (condition === null) return [compileOperator(column, 'isNull', true, context)]
  if (typeof condition !== 'object' || condition instanceof Date || isComputed(condition)) {
    return [compileOperator(column, 'eq', condition, context)]
  }
  return Object.entries(condition).flatMap(([operator, operand]) =>
    operand === undefined ? [] : [compileOperator(column, operator, operand, context)],
  )
}

const comparisons: Readonly<Record<string, string>> = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' }

function compileOperator(column: ColumnMeta, operator: string, operand: unknown, context: WhereContext): string {
  const name = `${context.alias}.${columnName(column.name)}`
  const type = typeOf[column.kind]
  const comparison = comparisons[operator]
  if (comparison !== undefined) return `${name} ${comparison} ${compileOperand(column, operand, context)}`
  if (operator === 'isNull') return compileIsNull(column, name, operand === true)
  if (operator === 'contains') {
    const lower = (text: string) => `lower(${text} COLLATE ${context.lowerCollation})`
    return `strpos(${lower(name)}, ${lower(context.param(operand as string, 'text'))}) > 0`
  }
  const items = (operand as readonly unknown[]).map((item) => encodeValue(column, item))
  if (operator === 'in') {
    if (context.literals?.has(column.name) && items.length > 0 && items.every(isPlainWord)) {
      return `${name} IN (${items.map((item) => quoteLiteral(item as string)).join(', ')})`
    }
    return `${name} = ANY (${context.param(encodeArray(items), `${type}[]`)})`
  }
  const list = context.param(encodeArray(items), `${type}[]`)
  return column.nullable ? `(${name} IS NOT NULL AND ${name} <> ALL (${list}))` : `${name} <> ALL (${list})`
}

/** A required JSON column holds null as JSON. */
function compileIsNull(column: ColumnMeta, name: string, wanted: boolean): string {
  if (column.kind === 'json' && !column.nullable) return `${name}::text ${wanted ? '=' : '<>'} 'null'`
  return `${name} IS ${wanted ? '' : 'NOT '}NULL`
}

function compileOperand(column: ColumnMeta, operand: unknown, context: WhereContext): string {
  if (isComputed(operand)) return compileNow(operand as Computed & { compute: 'storageNow' }, context)
  const text = encodeValue(column, operand)
  if (context.literals?.has(column.name) && isPlainWord(text)) return quoteLiteral(text)
  return context.param(text, typeOf[column.kind])
}

/** The storage's clock, shifted, at the resolution of stored times. */
export function compileNow(computed: Computed & { compute: 'storageNow' }, context: Pick<WhereContext, 'now' | 'param'>): string {
  if (computed.plusMs === 0) return `${context.now}::timestamptz(3)`
  return `(${context.now} + ${context.param(String(computed.plusMs), 'double precision')} * interval '1 millisecond')::timestamptz(3)`
}

const isPlainWord = (text: string | null): text is string => text !== null && /^[a-z][a-z_]{0,40}$/.test(text)
