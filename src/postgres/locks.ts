import type { Write } from '../storage/storage.js'
import { type TableMeta, tableMeta } from '../storage/table-meta.js'
import { byLockOrder } from './chain.js'
import { claimIndexes } from './claim-indexes.js'
import type { Draft } from './draft.js'
import { columnName } from './names.js'
import { type AnyOrder, compileOrder, totalOrder } from './order.js'
import { HOLDER_CLOCK, SWEEP_CLOCK } from './queries.js'
import { type AnyWhere, compileWhere } from './where.js'

type UpdateAll = Extract<Write, { op: 'updateAll' }>
type Claim = Extract<Write, { op: 'claim' }>

/** The relations of a batch that hold its locked rows, as they stand behind the lock. */
export interface Locks {
  /** The rows of a table that the batch names. */
  locked(meta: TableMeta): string
  /** The rows that a claim or an `updateAll` takes. */
  taken(index: number): string
}

/**
 * Locks every row that the batch writes: first those that it names, in the manifest's order of tables and by id, then those that claims and sweeps find.
 * Each relation waits for the one before it.
 * @param whole the batch that names the rows which claims and sweeps leave alone
 */
export function compileLocks(draft: Draft, batch: readonly Write[], whole: readonly Write[]): Locks {
  let previous: string | undefined
  const after = () => (previous === undefined ? '' : ` AND (SELECT count(*) FROM ${previous}) >= 0`)
  for (const [meta, ids] of [...lockedIds(batch)].sort(([one], [other]) => byLockOrder(one, other))) {
    const key = `t.${columnName(meta.primaryKey)}`
    const rows = `SELECT t.* FROM ${draft.dialect.names.table(meta)} AS t WHERE ${key} ${isOneOf(draft, ids)}`
    draft.with(lockedName(meta), `MATERIALIZED (${rows}${after()} ORDER BY ${key} FOR UPDATE OF t)`)
    previous = lockedName(meta)
  }
  const named = namedIds(whole)
  const takenBefore = new Map<TableMeta, number[]>()
  for (const [index, write] of batch.entries()) {
    if (write.op !== 'claim' && write.op !== 'updateAll') continue
    const meta = tableMeta(write.table)
    if (write.op === 'updateAll' && write.rows !== undefined) {
      if (write.rows.length > 0) draft.with(takenName(index), `MATERIALIZED (${compileNamedRows(draft, meta, write)})`)
      continue
    }
    const earlier = takenBefore.get(meta) ?? []
    const conditions = exclusions(draft, meta, named.get(meta) ?? [], earlier)
    draft.with(takenName(index), `MATERIALIZED (${compileSearch(draft, meta, write, `${conditions}${after()}`)})`)
    takenBefore.set(meta, [...earlier, index])
    previous = takenName(index)
  }
  return { locked: lockedName, taken: takenName }
}

/** More ids than this go as one array. */
const MAX_LISTED = 8

/**
 * Few ids are listed: of an array the planner expects ten, and while a table is small it then reads all of it, which the prepared
 * statement goes on doing when the table has grown (measured: 3.3 ms instead of 0.4).
 */
function isOneOf(draft: Draft, ids: readonly string[]): string {
  const [only] = ids
  if (ids.length === 1 && only !== undefined) return `= ${draft.params.add(only, 'text')}`
  if (ids.length > MAX_LISTED) return `= ANY (${draft.params.addArray(ids, 'text')})`
  return `IN (${ids.map((id) => draft.params.add(id, 'text')).join(', ')})`
}

const lockedName = (meta: TableMeta) => `l_${meta.name}`
const takenName = (index: number) => `x${index}`

/** The rows that a claim or a sweep finds, locked; a claim passes over what others have locked. */
function compileSearch(draft: Draft, meta: TableMeta, write: UpdateAll | Claim, conditions: string): string {
  const table = draft.dialect.names.table(meta)
  const context = draft.where('t', SWEEP_CLOCK, write.op === 'claim' ? claimIndexes.get(meta.name)?.literals : undefined)
  const where = `WHERE ${compileWhere(meta, write.where as AnyWhere | undefined, context)}${conditions}`
  if (write.op === 'updateAll') return `SELECT t.* FROM ${table} AS t ${where} ORDER BY t.${columnName(meta.primaryKey)} FOR UPDATE OF t`
  const order = compileOrder(meta, totalOrder(meta, write.orderBy as AnyOrder), 't')
  return `SELECT t.* FROM ${table} AS t ${where} ORDER BY ${order} LIMIT 1 FOR UPDATE OF t SKIP LOCKED`
}

function exclusions(draft: Draft, meta: TableMeta, named: readonly string[], takenBefore: readonly number[]): string {
  const key = columnName(meta.primaryKey)
  const parts = takenBefore.map((index) => ` AND NOT EXISTS (SELECT 1 FROM ${takenName(index)} AS x WHERE x.${key} = t.${key})`)
  if (named.length > 0) parts.unshift(` AND t.${key} <> ALL (${draft.params.addArray(named, 'text')})`)
  return parts.join('')
}

/** The named rows of an `updateAll` that meet the common condition and their own. Rows whose conditions look alike share one select. */
function compileNamedRows(draft: Draft, meta: TableMeta, write: UpdateAll): string {
  const key = columnName(meta.primaryKey)
  const common = compileWhere(meta, write.where as AnyWhere | undefined, draft.where('t', HOLDER_CLOCK))
  const shapes = new Map<string, (string | null)[][]>()
  for (const { id, where } of write.rows ?? []) {
    const values: (string | null)[] = [id]
    const param = (value: string | null, type: string) => {
      values.push(value)
      return type === 'text' ? `r.p${values.length}` : `r.p${values.length}::${type}`
    }
    const condition = compileWhere(meta, where as AnyWhere | undefined, { ...draft.where('t', HOLDER_CLOCK), param })
    const alike = shapes.get(condition)
    if (alike === undefined) shapes.set(condition, [values])
    else alike.push(values)
  }
  const selects = [...shapes].map(([condition, rows]) => {
    const width = rows[0]?.length ?? 0
    const arrays = Array.from({ length: width }, (_, place) =>
      draft.params.addArray(
        rows.map((values) => values[place] ?? null),
        'text',
      ),
    )
    const names = Array.from({ length: width }, (_, place) => `p${place + 1}`)
    const values = `unnest(${arrays.join(', ')}) AS r(${names.join(', ')})`
    return `SELECT t.* FROM ${lockedName(meta)} AS t JOIN ${values} ON t.${key} = r.p1 WHERE ${condition} AND ${common}`
  })
  return selects.join(' UNION ALL ')
}

/** Ids of the rows that have to be locked before anything is tested. */
function lockedIds(batch: readonly Write[]): Map<TableMeta, string[]> {
  return gather(batch, (write) => {
    if (write.op === 'update' || write.op === 'delete') return [write.id]
    return write.op === 'updateAll' ? (write.rows ?? []).map(({ id }) => id) : []
  })
}

/** Ids that a batch names, inserted ones included. */
function namedIds(batch: readonly Write[]): Map<TableMeta, string[]> {
  return gather(batch, (write) => {
    if (write.op === 'insert') return [(write.row as unknown as Record<string, string>)[tableMeta(write.table).primaryKey] as string]
    if (write.op === 'update' || write.op === 'delete') return [write.id]
    return write.op === 'updateAll' ? (write.rows ?? []).map(({ id }) => id) : []
  })
}

function gather(batch: readonly Write[], idsOf: (write: Write) => readonly string[]): Map<TableMeta, string[]> {
  const byTable = new Map<TableMeta, string[]>()
  for (const write of batch) {
    const ids = idsOf(write)
    if (ids.length === 0 || !('table' in write)) continue
    const meta = tableMeta(write.table)
    byTable.set(meta, [...(byTable.get(meta) ?? []), ...ids])
  }
  return byTable
}
