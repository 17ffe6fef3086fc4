import type { Write } from '../storage/storage.js'
import { type TableMeta, tableMeta } from '../storage/table-meta.js'
import { appendsOf, compileAppends } from './appends.js'
import { changesNothing, Draft, MISSING, PRECONDITION, REFUSAL_MARK } from './draft.js'
import { compileInsert } from './inserts.js'
import { columnName } from './names.js'
import type { Statement } from './port.js'
import { type Dialect, HOLDER_CLOCK, rowExpression } from './queries.js'
import { type AnyWhere, compileWhere } from './where.js'

type RowWrite = Extract<Write, { op: 'insert' | 'update' | 'delete' }>

/**
 * The usual commit: one row written under its condition, and at most one stream appended to. An UPDATE tests its condition on the row
 * that it locks, so that nothing has to be locked before; the stream is appended to only where the row was written.
 * Undefined where the batch has another shape.
 */
export function compileSingle(dialect: Dialect, batch: readonly Write[], commitId: string): Statement | undefined {
  const writes = batch.filter((write) => write.op !== 'append')
  const [write] = writes
  if (writes.length !== 1 || batch.length > 2 || write === undefined) return undefined
  if (write.op !== 'insert' && write.op !== 'update' && write.op !== 'delete') return undefined
  const index = batch.indexOf(write)
  const draft = new Draft(dialect, commitId)
  const meta = tableMeta(write.table)
  draft.with('w', compileRowWrite(draft, meta, write))
  compileAppends(draft, appendsOf(batch), write.op === 'insert' ? '' : 'EXISTS (SELECT 1 FROM w)')
  if (write.op !== 'delete') draft.result(index, 'w.row FROM w')
  if (write.op !== 'insert') draft.result(REFUSAL_MARK, refusal(draft, meta, write.id, index))
  return draft.finish(true)
}

function compileRowWrite(draft: Draft, meta: TableMeta, write: RowWrite): string {
  if (write.op === 'insert') return compileInsert(draft, { meta, indexes: [0], rows: [write.row as never] }, '')
  const table = draft.dialect.names.table(meta)
  const key = keyIs(draft, meta, write.id)
  if (write.op === 'delete') return `(DELETE FROM ${table} AS t WHERE ${key} AND ${conditionOf(draft, meta, write)} RETURNING 1)`
  const row = `${rowExpression(meta)} AS row`
  if (changesNothing(write.set)) return `(SELECT ${row} FROM ${table} AS t WHERE ${key} AND ${conditionOf(draft, meta, write)} FOR UPDATE)`
  const assignments = draft.assignments(meta, write.set, 't', HOLDER_CLOCK)
  return `(UPDATE ${table} AS t SET ${assignments} WHERE ${key} AND ${conditionOf(draft, meta, write)} RETURNING ${row})`
}

const keyIs = (draft: Draft, meta: TableMeta, id: string) => `t.${columnName(meta.primaryKey)} = ${draft.params.add(id, 'text')}`

const conditionOf = (draft: Draft, meta: TableMeta, write: { readonly where?: object }) =>
  compileWhere(meta, write.where as AnyWhere | undefined, draft.where('t', HOLDER_CLOCK))

/** One row where nothing was written: the write's index, and whether the row was there at all. */
function refusal(draft: Draft, meta: TableMeta, id: string, index: number): string {
  const exists = `EXISTS (SELECT 1 FROM ${draft.dialect.names.table(meta)} AS t WHERE ${keyIs(draft, meta, id)})`
  return `json_build_array(${index}, CASE WHEN ${exists} THEN ${PRECONDITION} ELSE ${MISSING} END)::text WHERE NOT EXISTS (SELECT 1 FROM w)`
}
