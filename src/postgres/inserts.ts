import { isComputed } from '../storage/rows.js'
import type { Computed, Write } from '../storage/storage.js'
import { type TableMeta, tableMeta } from '../storage/table-meta.js'
import type { Draft } from './draft.js'
import { columnName } from './names.js'
import { HOLDER_CLOCK, rowExpression } from './queries.js'
import { encodeValue, typeOf } from './values.js'

type Insert = Extract<Write, { op: 'insert' }>
type Cells = Readonly<Record<string, unknown>>

/** Inserts that follow each other, into one table, with the same columns left to the storage's clock: one INSERT. */
export interface InsertGroup {
  readonly meta: TableMeta
  readonly indexes: readonly number[]
  readonly rows: readonly Cells[]
  /** Whether the rows come back. */
  readonly isReturning: boolean
}

interface OpenGroup extends InsertGroup {
  readonly indexes: number[]
  readonly rows: Cells[]
  readonly signature: string
}

/** Gathers the inserts of a batch into groups, without changing their order among the other writes. */
export function groupInserts(batch: readonly Write[]): ReadonlyMap<number, InsertGroup> {
  const groups = new Map<number, OpenGroup>()
  let open: OpenGroup | undefined
  for (const [index, write] of batch.entries()) {
    if (write.op === 'append' || write.op === 'deleteStream') continue // they do not touch tables
    if (write.op !== 'insert') {
      open = undefined
      continue
    }
    const meta = tableMeta(write.table)
    const signature = signatureOf(meta, write)
    if (open?.meta === meta && open.signature === signature) {
      open.indexes.push(index)
      open.rows.push(write.row as unknown as Cells)
    } else {
      open = { meta, indexes: [index], rows: [write.row as unknown as Cells], signature, isReturning: write.returning !== false }
      groups.set(index, open)
    }
  }
  return groups
}

const computedIn = (meta: TableMeta, row: Cells) => meta.columns.filter((column) => column.kind !== 'json' && isComputed(row[column.name]))

function signatureOf(meta: TableMeta, write: Insert): string {
  const row = write.row as unknown as Cells
  const computed = computedIn(meta, row).map(({ name }) => `${name}:${(row[name] as { plusMs?: number }).plusMs}`)
  return [write.returning !== false, ...computed].join()
}

/** `INSERT …`, in the order of the rows, which come back where the group says so. `gate` keeps it from writing anything; it may be empty. */
export function compileInsert(draft: Draft, group: InsertGroup, gate: string): string {
  const { meta, rows } = group
  const [first] = rows
  if (first === undefined) return ''
  const columns = [...meta.columns.map((column) => columnName(column.name)), 'commit_id'].join(', ')
  const head = `INSERT INTO ${draft.dialect.names.table(meta)} AS t (${columns})`
  const returning = group.isReturning ? ` RETURNING ${rowExpression(meta)} AS row` : ''
  const computed = new Set(computedIn(meta, first).map((column) => column.name))
  const clock = (name: string) => draft.now(first[name] as Computed, HOLDER_CLOCK)
  const isAlone = rows.length === 1
  const arrays: string[] = []
  const cells = meta.columns.map((column) => {
    if (computed.has(column.name)) return clock(column.name)
    if (isAlone) return draft.value(column, first[column.name] ?? null)
    arrays.push(
      draft.params.addArray(
        rows.map((row) => encodeValue(column, row[column.name] ?? null)),
        'text',
      ),
    )
    return `v.c${arrays.length}::${typeOf[column.kind]}`
  })
  const select = [...cells, draft.commitId].join(', ')
  if (isAlone) return `(${head} SELECT ${select}${gate === '' ? '' : ` WHERE ${gate}`}${returning})`
  const names = [...arrays.map((_, place) => `c${place + 1}`), 'place'].join(', ')
  const source = `unnest(${arrays.join(', ')}) WITH ORDINALITY AS v(${names})`
  return `(${head} SELECT ${select} FROM ${source}${gate === '' ? '' : ` WHERE ${gate}`} ORDER BY v.place${returning})`
}
