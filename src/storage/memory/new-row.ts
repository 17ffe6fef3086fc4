import { StorageError } from '../../errors/index.js'
import { isComputed } from '../computed.js'
import { columnOf, type TableMeta } from '../table-meta.js'
import { acceptValue, invalidRow } from '../values.js'
import type { StoredRow } from './order.js'

/** The whole row of an insert: copied, checked, computed values filled in, absent nullable columns null. */
export function newRow(meta: TableMeta, given: object, nowMs: number): StoredRow {
  const row: Record<string, unknown> = { ...meta.emptyRow }
  const values = given as Record<string, unknown>
  for (const name in values) columnOf(meta, name)
  for (const column of meta.columns) {
    const value = values[column.name]
    if (value === undefined) {
      if (!column.nullable) throw invalidRow({ table: meta.name, column: column.name }, 'given', 'undefined')
    } else if (column.kind === 'instant' && isComputed(value) && value.compute === 'storageNow') {
      row[column.name] = new Date(nowMs + value.plusMs)
    } else row[column.name] = acceptValue(meta.name, column, value)
  }
  return row
}

/** A row with new values for some columns; an increment of null stays null, as in SQL. */
export function changedRow(meta: TableMeta, row: StoredRow, set: object, nowMs: number): StoredRow {
  const next: Record<string, unknown> = { ...row }
  for (const [name, value] of Object.entries(set)) {
    if (value === undefined) continue
    const column = columnOf(meta, name)
    if (name === meta.primaryKey) throw primaryKeySet(meta)
    if (column.kind === 'json' || !isComputed(value)) next[name] = acceptValue(meta.name, column, value)
    else if (value.compute === 'storageNow') next[name] = new Date(nowMs + value.plusMs)
    else next[name] = row[name] === null ? null : acceptValue(meta.name, column, (row[name] as number) + value.by)
  }
  return next
}

export function primaryKeySet(meta: TableMeta): StorageError {
  return new StorageError(`The primary key ${meta.name}.${meta.primaryKey} cannot be changed`, {
    code: 'STORAGE_INVALID_ROW',
    details: { table: meta.name, column: meta.primaryKey, expected: 'absent' },
  })
}
