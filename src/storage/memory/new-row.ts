import { acceptChanges, completeRow, fitsColumn } from '../rows.js'
import type { Computed } from '../storage.js'
import type { ColumnMeta, TableMeta } from '../table-meta.js'
import { acceptValue, invalidRow } from '../values.js'
import type { StoredRow } from './order.js'

/** The row of an insert at the storage's time. */
export function newRow(meta: TableMeta, given: object, nowMs: number): StoredRow {
  return completeRow(meta, given, (column, computed) => {
    if (computed.compute === 'increment') throw misfit(meta, column, computed)
    return timeAt(meta, column, computed, nowMs)
  })
}

/** A row with new values for some columns; an increment of null stays null, as in SQL. */
export function changedRow(meta: TableMeta, row: StoredRow, set: object, nowMs: number): StoredRow {
  const changes = acceptChanges(meta, set, (column, computed) => {
    if (computed.compute !== 'increment') return timeAt(meta, column, computed, nowMs)
    if (!fitsColumn(column, computed)) throw misfit(meta, column, computed)
    const present = row[column.name] as number | null
    return present === null ? null : acceptValue(meta.name, column, present + computed.by)
  })
  return { ...row, ...changes }
}

function timeAt(meta: TableMeta, column: ColumnMeta, computed: Computed, nowMs: number): Date {
  if (computed.compute !== 'storageNow' || !fitsColumn(column, computed)) throw misfit(meta, column, computed)
  return new Date(nowMs + computed.plusMs)
}

function misfit(meta: TableMeta, column: ColumnMeta, computed: Computed) {
  return invalidRow({ table: meta.name, column: column.name }, `a value of kind ${column.kind}`, computed.compute)
}
