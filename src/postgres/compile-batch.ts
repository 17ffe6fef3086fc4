import type { Write } from '../storage/storage.js'
import { tableMeta } from '../storage/table-meta.js'
import { appendsOf, compileAppends, compileStreamDeletions } from './appends.js'
import { changesNothing, Draft, MISSING, PRECONDITION, REFUSAL_MARK } from './draft.js'
import { compileInsert, groupInserts } from './inserts.js'
import { compileLocks, type Locks } from './locks.js'
import { columnName } from './names.js'
import type { Statement } from './port.js'
import { type Dialect, HOLDER_CLOCK, rowExpression, SWEEP_CLOCK } from './queries.js'
import { type AnyWhere, compileWhere } from './where.js'

export interface CompileBatchParams {
  readonly dialect: Dialect
  readonly batch: readonly Write[]
  readonly commitId: string
  /** Compiles only the first writes; what the others name is left alone as ever. Finds out which one violates a key. @default all */
  readonly length?: number
}

/**
 * Any batch in one statement. First the rows are locked, in the manifest's order of tables and by id; then the conditions are tested on the locked rows,
 * which gives one verdict; then the writes happen, in order, each only under that verdict. (Testing on rows that are not locked lets a
 * lease be stolen between test and write; writes that test for themselves apply half of a batch.) Undefined where there is nothing to do.
 */
export function compileBatch(params: CompileBatchParams): Statement | undefined {
  const batch = params.batch.slice(0, params.length)
  const draft = new Draft(params.dialect, params.commitId)
  const locks = compileLocks(draft, batch, params.batch)
  const gate = compileVerdict(draft, batch, locks) ? 'NOT EXISTS (SELECT 1 FROM verdict)' : ''
  compileWrites(draft, batch, locks, gate)
  compileAppends(draft, appendsOf(batch), gate)
  const deleted = batch.flatMap((write) => (write.op === 'deleteStream' ? [write.stream] : []))
  compileStreamDeletions(draft, deleted, gate)
  return draft.finish(batch.length <= 8)
}

/** The first write that refuses, as a row of `verdict`; none where all may happen. */
function compileVerdict(draft: Draft, batch: readonly Write[], locks: Locks): boolean {
  const tests = batch.flatMap((write, index) => {
    const reason = compileTest(draft, write, index, locks)
    return reason === undefined ? [] : [`(${index}, ${reason})`]
  })
  if (tests.length === 0) return false
  const rows = `(VALUES ${tests.join(', ')}) AS v(place, reason)`
  draft.with('verdict', `MATERIALIZED (SELECT v.place, v.reason FROM ${rows} WHERE v.reason > 0 ORDER BY v.place LIMIT 1)`)
  draft.result(REFUSAL_MARK, 'json_build_array(v.place, v.reason)::text FROM verdict AS v')
  return true
}

function compileTest(draft: Draft, write: Write, index: number, locks: Locks): string | undefined {
  if (write.op === 'claim') return `CASE WHEN EXISTS (SELECT 1 FROM ${locks.taken(index)}) THEN 0 ELSE ${MISSING} END`
  if (write.op !== 'update' && write.op !== 'delete') return undefined
  const meta = tableMeta(write.table)
  const key = `t.${columnName(meta.primaryKey)} = ${draft.params.add(write.id, 'text')}`
  const condition = compileWhere(meta, write.where as AnyWhere | undefined, draft.where('t', HOLDER_CLOCK))
  return `COALESCE((SELECT CASE WHEN ${condition} THEN 0 ELSE ${PRECONDITION} END FROM ${locks.locked(meta)} AS t WHERE ${key}), ${MISSING})`
}

/** The writes, each after the one before it, so that unique keys are tested in the batch's order. */
function compileWrites(draft: Draft, batch: readonly Write[], locks: Locks, gate: string): void {
  const groups = groupInserts(batch)
  let previous: string | undefined
  for (const [index, write] of batch.entries()) {
    const group = groups.get(index)
    if (write.op === 'append' || write.op === 'deleteStream' || (write.op === 'insert' && group === undefined)) continue
    const conditions = [gate, previous === undefined ? '' : `(SELECT count(*) FROM ${previous}) >= 0`].filter((part) => part !== '')
    const compiled =
      group === undefined
        ? compileRowWrite(draft, write, index, locks, conditions)
        : compileInsert(draft, { ...group, isReturning: true }, conditions.join(' AND '))
    if (compiled === undefined) continue
    draft.with(`w${index}`, compiled)
    if (write.op !== 'delete' && !isSilent(write)) draft.result(index, `w.row FROM w${index} AS w`)
    previous = `w${index}`
  }
}

/** Whether nobody wants the row of a write. */
const isSilent = (write: Write) => (write.op === 'insert' || write.op === 'update') && write.returning === false

function compileRowWrite(draft: Draft, write: Write, index: number, locks: Locks, gate: readonly string[]): string | undefined {
  if (write.op === 'append' || write.op === 'deleteStream' || write.op === 'insert') return undefined
  const meta = tableMeta(write.table)
  const table = draft.dialect.names.table(meta)
  const key = columnName(meta.primaryKey)
  const all = (...conditions: string[]) => [...conditions, ...gate].join(' AND ')
  if (write.op === 'delete')
    return `(DELETE FROM ${table} AS t WHERE ${all(`t.${key} = ${draft.params.add(write.id, 'text')}`)} RETURNING 1)`
  const row = `${rowExpression(meta)} AS row`
  if (write.op === 'update') {
    const own = `t.${key} = ${draft.params.add(write.id, 'text')}`
    if (changesNothing(write.set)) return `(SELECT ${row} FROM ${locks.locked(meta)} AS t WHERE ${all(own)})`
    return `(UPDATE ${table} AS t SET ${draft.assignments(meta, write.set, 't', HOLDER_CLOCK)} WHERE ${all(own)} RETURNING ${row})`
  }
  if (write.op === 'updateAll' && write.rows?.length === 0) return undefined
  const taken = locks.taken(index)
  if (changesNothing(write.set)) return `(SELECT ${row} FROM ${taken} AS t${gate.length === 0 ? '' : ` WHERE ${gate.join(' AND ')}`})`
  const clock = write.op === 'updateAll' && write.rows !== undefined ? HOLDER_CLOCK : SWEEP_CLOCK
  const assignments = draft.assignments(meta, write.set, 't', clock)
  return `(UPDATE ${table} AS t SET ${assignments} FROM ${taken} AS x WHERE ${all(`t.${key} = x.${key}`)} RETURNING ${row})`
}
