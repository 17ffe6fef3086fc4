import { StorageError } from '../errors/index.js'
import type { Computed } from './storage.js'
import { type ColumnMeta, columnOf, type TableMeta } from './table-meta.js'
import { acceptValue, invalidRow, isPlainObject, kindOf } from './values.js'

type Values = Readonly<Record<string, unknown>>

/** Whether a value of a `set`, a row or a condition is computed by the storage. JSON columns hold plain values only. */
export function isComputed(value: unknown): value is Computed {
  return typeof value === 'object' && value !== null && 'compute' in value && !(value instanceof Date)
}

/** What a computed value stands for in a row: memory gives the value itself, the guard leaves it to the adapter. */
export type Resolve = (column: ColumnMeta, computed: Computed) => unknown

/**
 * The whole row of an insert: copied, checked, absent nullable columns null.
 * @throws {StorageError} `STORAGE_INVALID_ROW` naming table and column; `STORAGE_INVALID_QUERY` for an unknown column.
 */
export function completeRow(meta: TableMeta, given: unknown, resolve: Resolve): Record<string, unknown> {
  const values = valuesOf(meta, given, 'row')
  const row: Record<string, unknown> = { ...meta.emptyRow }
  for (const name in values) columnOf(meta, name)
  for (const column of meta.columns) {
    const value = values[column.name]
    if (value === undefined) {
      if (!column.nullable) throw invalidRow({ table: meta.name, column: column.name }, 'given', 'absent')
    } else if (value !== null) row[column.name] = acceptOrResolve(meta, column, value, resolve)
    else row[column.name] = acceptValue(meta.name, column, null)
  }
  return row
}

/**
 * The new values of an update, copied and checked, undefined ones dropped.
 * @throws {StorageError} as {@link completeRow}; the primary key cannot be set.
 */
export function acceptChanges(meta: TableMeta, given: unknown, resolve: Resolve): Record<string, unknown> {
  const values = valuesOf(meta, given, 'set')
  const changes: Record<string, unknown> = {}
  for (const name of Object.keys(values)) {
    const column = columnOf(meta, name)
    const value = values[name]
    if (value === undefined) continue
    if (name === meta.primaryKey) throw invalidRow({ table: meta.name, column: name }, 'left as it is: it is the primary key', 'set')
    changes[name] = acceptOrResolve(meta, column, value, resolve)
  }
  return changes
}

function acceptOrResolve(meta: TableMeta, column: ColumnMeta, value: unknown, resolve: Resolve): unknown {
  return column.kind !== 'json' && isComputed(value) ? resolve(column, value) : acceptValue(meta.name, column, value)
}

function valuesOf(meta: TableMeta, given: unknown, what: string): Values {
  if (typeof given === 'object' && given !== null && isPlainObject(given)) return given as Values
  throw new StorageError(`The ${what} of a write on ${meta.name} must be an object, not ${kindOf(given)}`, {
    code: 'STORAGE_INVALID_ROW',
    details: { table: meta.name, expected: 'object', received: kindOf(given) },
  })
}

/** Whether a computed value fits a column: times on instants, increments on numbers. */
export function fitsColumn(column: ColumnMeta, computed: Computed): boolean {
  if (computed.compute === 'storageNow') return column.kind === 'instant' && Number.isFinite(computed.plusMs)
  if (computed.compute !== 'increment') return false
  return column.kind === 'int' ? Number.isSafeInteger(computed.by) : column.kind === 'float' && Number.isFinite(computed.by)
}
