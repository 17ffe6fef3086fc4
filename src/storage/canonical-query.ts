import { StorageError } from '../errors/index.js'
import { fitsColumn, isComputed } from './rows.js'
import type { TableName } from './schema.js'
import type { Condition, FindParams, Where } from './storage.js'
import { type ColumnMeta, columnOf, type TableMeta } from './table-meta.js'
import { isOfKind, isPlainObject, kindOf, storableText } from './values.js'

type AnyWhere = Where<Record<string, unknown>>
type Operator = keyof Condition

const operators = new Set<string>(['eq', 'ne', 'in', 'notIn', 'lt', 'lte', 'gt', 'gte', 'isNull', 'contains'] satisfies Operator[])

/** A refusal of a query, naming table and column. */
export function invalidQuery(meta: TableMeta, column: string | undefined, expected: string, received: string): StorageError {
  const place = column === undefined ? meta.name : `${meta.name}.${column}`
  return new StorageError(`A query on ${place} wants ${expected}, not ${received}`, {
    code: 'STORAGE_INVALID_QUERY',
    details: { table: meta.name, column, expected, received },
  })
}

/**
 * Conditions in the one form that adapters see: each column with an object of operators; a plain value has become `eq`, null `isNull`,
 * and what is undefined is gone.
 * @throws {StorageError} `STORAGE_INVALID_QUERY` for unknown columns and operators, and for operands that do not fit.
 */
export function canonicalWhere(meta: TableMeta, where: unknown): AnyWhere {
  if (where === undefined) return {}
  if (typeof where !== 'object' || where === null || !isPlainObject(where)) {
    throw invalidQuery(meta, undefined, 'an object of conditions', kindOf(where))
  }
  const canonical: Record<string, unknown> = {}
  for (const name of Object.keys(where)) {
    const given = (where as Record<string, unknown>)[name]
    if (name === 'any') {
      if (given === undefined) continue
      if (!Array.isArray(given)) throw invalidQuery(meta, 'any', 'an array of alternatives', kindOf(given))
      canonical.any = given.map((alternative) => canonicalWhere(meta, alternative))
      continue
    }
    const column = columnOf(meta, name)
    const condition = given === undefined ? undefined : canonicalCondition(meta, column, given)
    if (condition !== undefined) canonical[name] = condition
  }
  return canonical
}

function canonicalCondition(meta: TableMeta, column: ColumnMeta, given: unknown): Condition | undefined {
  if (given === null) return { isNull: true }
  if (typeof given !== 'object' || given instanceof Date || isComputed(given)) {
    checkOperand(meta, column, 'eq', given)
    return { eq: storableOperand(given) }
  }
  const condition: Record<string, unknown> = {}
  let isEmpty = true
  for (const operator of Object.keys(given)) {
    const operand = (given as Record<string, unknown>)[operator]
    if (!operators.has(operator)) throw invalidQuery(meta, column.name, `one of ${[...operators].join(', ')}`, `the operator "${operator}"`)
    if (operand === undefined) continue
    checkOperand(meta, column, operator as Operator, operand)
    condition[operator] = storableOperand(operand)
    isEmpty = false
  }
  return isEmpty ? undefined : condition
}

/** Texts of a condition as rows hold them, so that a row is found by the text with which it was written. */
function storableOperand(operand: unknown): unknown {
  if (typeof operand === 'string') return storableText(operand)
  return Array.isArray(operand) ? operand.map(storableOperand) : operand
}

function checkOperand(meta: TableMeta, column: ColumnMeta, operator: Operator, operand: unknown): void {
  const refuse = (expected: string) => invalidQuery(meta, column.name, `${operator} with ${expected}`, kindOf(operand))
  if (operator === 'isNull') {
    if (typeof operand !== 'boolean') throw refuse('true or false')
    return
  }
  if (column.kind === 'json') throw invalidQuery(meta, column.name, 'isNull: JSON is not compared', operator)
  if (operator === 'contains') {
    if (column.kind !== 'text') throw invalidQuery(meta, column.name, 'a text column for contains', column.kind)
    if (typeof operand !== 'string') throw refuse('a string')
    return
  }
  if (operator === 'in' || operator === 'notIn') {
    if (!Array.isArray(operand)) throw refuse('an array')
    for (const item of operand)
      if (!isOfKind(column, item)) throw invalidQuery(meta, column.name, `${operator} of ${column.kind}`, kindOf(item))
    return
  }
  const fits = isComputed(operand) ? operand.compute === 'storageNow' && fitsColumn(column, operand) : isOfKind(column, operand)
  if (!fits) throw refuse(operand === null ? `a value; for null use isNull` : `a value of kind ${column.kind}`)
}

/** An order as adapters see it: directions written out, and the primary key last, so that it is total. */
export function canonicalOrder(meta: TableMeta, orderBy: unknown): { column: string; direction: 'asc' | 'desc' }[] {
  if (orderBy !== undefined && !Array.isArray(orderBy)) throw invalidQuery(meta, undefined, 'an array as orderBy', kindOf(orderBy))
  const order: { column: string; direction: 'asc' | 'desc' }[] = []
  for (const { column: name, direction = 'asc' } of (orderBy ?? []) as { column: string; direction?: 'asc' | 'desc' }[]) {
    const column = columnOf(meta, name)
    if (column.kind === 'json') throw invalidQuery(meta, name, 'an ordered column', 'JSON')
    if (direction !== 'asc' && direction !== 'desc') throw invalidQuery(meta, name, 'asc or desc', String(direction))
    if (order.some((earlier) => earlier.column === name)) throw invalidQuery(meta, name, 'each column once in orderBy', 'twice')
    order.push({ column: name, direction })
  }
  if (!order.some(({ column }) => column === meta.primaryKey)) order.push({ column: meta.primaryKey, direction: 'asc' })
  return order
}

/** A whole query as adapters see it: every member given, but for `after`. */
export function canonicalFind(meta: TableMeta, params: FindParams): FindParams {
  const { after } = params
  if (after !== undefined && typeof after !== 'string') throw invalidQuery(meta, undefined, 'a primary key as after', kindOf(after))
  return {
    table: meta.name as TableName,
    where: canonicalWhere(meta, params.where),
    orderBy: canonicalOrder(meta, params.orderBy),
    limit: checkedLimit(params.limit ?? 100),
    ...(after === undefined ? {} : { after: storableText(after) }),
  } as unknown as FindParams
}

/** @throws {StorageError} `STORAGE_INVALID_QUERY` unless it is a whole number from 1 to 10,000. */
export function checkedLimit(limit: number): number {
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= 10_000) return limit
  throw new StorageError(`limit must be a whole number from 1 to 10,000, not ${String(limit)}`, {
    code: 'STORAGE_INVALID_QUERY',
    details: { expected: '1 to 10000', received: String(limit) },
  })
}
