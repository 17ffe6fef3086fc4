import type { Write } from '../storage/storage.js'
import { tableMeta } from '../storage/table-meta.js'
import { appendsOf, compileAppends } from './appends.js'
import type { Tested } from './chain.js'
import { APPLIED_MARK, changesNothing, Draft } from './draft.js'
import { compileInsert, groupInserts } from './inserts.js'
import { columnName } from './names.js'
import type { Statement } from './port.js'
import { type Dialect, HOLDER_CLOCK, rowExpression } from './queries.js'
import { type AnyWhere, compileBesideKey } from './where.js'

/**
 * The usual commit, without locks and verdicts of its own: an UPDATE tests its condition on the row that it locks, and whatever follows
 * is written only where it wrote. Where the first row refuses, nothing is written and nothing comes back. Where a later one does, the
 * statement fails as a whole, by dividing by the number of rows that were written: which write it was is then for `compileBatch` to say.
 * (Conditions are tested on rows as they stand behind the lock, which holds for one row found by its key, as each of these is.)
 * @param order places of the updates and deletions in the order of their locks, as `chainOrder` gives it
 */
export function compileChain(dialect: Dialect, batch: readonly Write[], order: readonly number[], commitId: string): Statement | undefined {
  const draft = new Draft(dialect, commitId)
  let gate = ''
  for (const index of order) {
    draft.with(`w${index}`, compileTested(draft, batch[index] as Tested, gate))
    gate = `EXISTS (SELECT 1 FROM w${index})`
  }
  for (const [index, group] of groupInserts(batch)) draft.with(`w${index}`, compileInsert(draft, group, gate))
  const appends = appendsOf(batch)
  compileAppends(draft, appends, gate)
  const returned = batch.flatMap((write, index) => (draft.has(`w${index}`) && returnsRow(write) ? [index] : []))
  for (const index of returned) draft.result(index, `w.row FROM w${index} AS w`)
  const [first] = order
  const last = order.at(-1)
  if (first === undefined || last === undefined) return draft.finish(true)
  if (first !== last) draft.result(APPLIED_MARK, `(1 / (SELECT count(*) FROM w${last}))::text FROM w${first}`)
  else if (returned.length === 0 && appends.length === 0) draft.result(APPLIED_MARK, `NULL FROM w${first}`)
  return draft.finish(true)
}

/** Whether the row of a write comes back. */
const returnsRow = (write: Write): boolean => (write.op === 'update' || write.op === 'insert' ? write.returning !== false : false)

function compileTested(draft: Draft, write: Tested, gate: string): string {
  const meta = tableMeta(write.table)
  const table = draft.dialect.names.table(meta)
  const key = `t.${columnName(meta.primaryKey)} = ${draft.params.add(write.id, 'text')}`
  const condition = compileBesideKey(meta, write.where as AnyWhere | undefined, draft.where('t', HOLDER_CLOCK))
  const where = `${key}${condition}${gate === '' ? '' : ` AND ${gate}`}`
  if (write.op === 'delete') return `(DELETE FROM ${table} AS t WHERE ${where} RETURNING 1)`
  const row = write.returning === false ? '1' : `${rowExpression(meta)} AS row`
  if (changesNothing(write.set)) return `(SELECT ${row} FROM ${table} AS t WHERE ${where} FOR UPDATE)`
  return `(UPDATE ${table} AS t SET ${draft.assignments(meta, write.set, 't', HOLDER_CLOCK)} WHERE ${where} RETURNING ${row})`
}
