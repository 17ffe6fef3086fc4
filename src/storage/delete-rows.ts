import type { Row, TableName } from './schema.js'
import type { Storage, Where, Write } from './storage.js'
import { tableMeta } from './table-meta.js'

/** Rows of one commit. */
const BATCH_SIZE = 200

export interface DeleteRowsParams<T extends TableName> {
  readonly storage: Storage
  readonly table: T
  readonly where: Where<Row<T>>
  /** Done before the rows of a batch go; what it rejects with ends the whole. */
  readonly before?: (rows: readonly Row<T>[]) => Promise<unknown>
  /** What else goes in the same commit. */
  readonly also?: (row: Row<T>) => readonly Write[]
  /** Ends it between two batches. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Deletes every row that meets a condition, batch by batch, and tells how many. Whoever deletes the same rows at the same time disturbs
 * nothing; done again after a crash, it goes on where it was.
 */
export async function deleteRows<T extends TableName>(params: DeleteRowsParams<T>): Promise<number> {
  const { storage, table, where, before, also, signal } = params
  const { primaryKey } = tableMeta(table)
  let count = 0
  while (true) {
    signal?.throwIfAborted()
    const rows = await storage.find({ table, where, limit: BATCH_SIZE })
    if (rows.length === 0) return count
    await before?.(rows)
    const deletes = rows.map((row) => ({ op: 'delete', table, id: (row as Record<string, unknown>)[primaryKey], where }) as Write)
    const result = await storage.commit([...deletes, ...rows.flatMap((row) => also?.(row) ?? [])])
    if (result.ok) count += rows.length // refused: another deleted one of them meanwhile, so look again
  }
}
