import type { Write } from '../storage/storage.js'
import { allTables, type TableMeta, tableMeta } from '../storage/table-meta.js'
import { groupInserts } from './inserts.js'

/** A write that is refused where its row is not there or does not meet its condition. */
export type Tested = Extract<Write, { op: 'update' | 'delete' }>

/** More tested writes than this are locked all at once. */
const MAX_TESTED = 6

const places = new Map([...allTables()].map((meta, place) => [meta, place]))

/** The order in which every statement locks the rows of tables: that of the manifest. Two that lock in different orders wait for each other. */
export const byLockOrder = (one: TableMeta, other: TableMeta): number => (places.get(one) ?? 0) - (places.get(other) ?? 0)

/**
 * The places of a batch's updates and deletions in the order in which they lock their rows, where the batch can be one chain of writes: rows
 * by id, inserts and appends, and of each table with unique keys at most one write that could move one. Undefined where it cannot.
 */
export function chainOrder(batch: readonly Write[]): readonly number[] | undefined {
  const tested: number[] = []
  const moved = new Set<TableMeta>()
  for (const [index, write] of batch.entries()) {
    if (write.op === 'claim' || write.op === 'updateAll' || write.op === 'deleteStream') return undefined
    if (write.op === 'update' || write.op === 'delete') tested.push(index)
    if (write.op === 'append' || write.op === 'insert' || !movesKey(tableMeta(write.table), write)) continue
    const meta = tableMeta(write.table)
    if (moved.has(meta)) return undefined
    moved.add(meta)
  }
  if (tested.length > MAX_TESTED) return undefined
  if (batch.length > 1) {
    for (const { meta } of groupInserts(batch).values()) {
      if (meta.unique.length === 0) continue
      if (moved.has(meta)) return undefined
      moved.add(meta)
    }
  }
  return tested.length < 2 ? tested : tested.sort((one, other) => compareRows(batch[one] as Tested, batch[other] as Tested))
}

function movesKey(meta: TableMeta, write: Tested): boolean {
  if (meta.unique.length === 0) return false
  if (write.op === 'delete') return true
  const set = write.set as Readonly<Record<string, unknown>>
  return meta.unique.some(({ columns, where }) => [...columns, ...Object.keys(where ?? {})].some((column) => set[column] !== undefined))
}

function compareRows(one: Tested, other: Tested): number {
  const order = byLockOrder(tableMeta(one.table), tableMeta(other.table))
  if (order !== 0) return order
  return one.id < other.id ? -1 : 1
}
