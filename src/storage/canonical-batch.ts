import { type Json, StorageError } from '../errors/index.js'
import { canonicalOrder, canonicalWhere, invalidQuery } from './canonical-query.js'
import { acceptChanges, completeRow, fitsColumn } from './rows.js'
import type { CommitResult, NewEvent, Write } from './storage.js'
import { type ColumnMeta, type TableMeta, tableMeta } from './table-meta.js'
import { acceptJson, invalidRow, kindOf, storableText } from './values.js'

/** A batch as adapters see it, and the way back from its result to the batch that the caller gave. */
export interface CanonicalBatch {
  readonly writes: readonly Write[]
  restore(result: CommitResult): CommitResult
}

/** Where a write of the caller went: which write, and which of its events. */
interface Place {
  readonly index: number
  readonly from: number
  readonly to?: number
}

type LooseWrite = { readonly op: string; readonly table: string; readonly [key: string]: unknown }

/**
 * Checks a batch as a whole and brings it into the form that adapters see: whole rows, canonical conditions, appends to one stream merged.
 * @throws {StorageError} `STORAGE_INVALID_BATCH` where a row or a stream is named twice; as rows and conditions say.
 */
export function canonicalBatch(batch: readonly Write[]): CanonicalBatch {
  if (!Array.isArray(batch)) throw invalidBatch(`A batch must be an array, not ${kindOf(batch)}`, {})
  const writes: Write[] = []
  const places: Place[] = []
  const named = new Set<string>()
  const appends = new Map<string, number>()
  for (const [index, write] of (batch as readonly Write[]).entries()) {
    const canonical = canonicalWrite(write, index)
    if (canonical.op !== 'append') {
      if (batch.length > 1 || canonical.op === 'updateAll') nameRows(canonical, index, named)
      places.push({ index: writes.push(canonical) - 1, from: 0 })
      continue
    }
    const earlier = appends.get(canonical.stream)
    const merged = earlier === undefined ? undefined : writes[earlier]
    if (earlier === undefined || merged?.op !== 'append') {
      nameOnce(`stream ${canonical.stream}`, index, named)
      appends.set(canonical.stream, writes.length)
      places.push({ index: writes.push(canonical) - 1, from: 0, to: canonical.events.length })
    } else {
      const from = merged.events.length
      writes[earlier] = { ...merged, events: [...merged.events, ...canonical.events] }
      places.push({ index: earlier, from, to: from + canonical.events.length })
    }
  }
  const isPlain = writes.length === places.length && !writes.some(isSilent)
  return { writes, restore: isPlain ? (result) => result : (result) => restoreResult(result, places, writes) }
}

const isSilent = (write: Write | undefined) => (write?.op === 'insert' || write?.op === 'update') && write.returning === false

/** The result for the batch as it was given; rows that nobody wants are left out, whatever the adapter gives. */
function restoreResult(result: CommitResult, places: readonly Place[], writes: readonly Write[]): CommitResult {
  if (!result.ok) return { ...result, index: places.findIndex((place) => place.index === result.index) }
  return {
    ok: true,
    rows: places.map(({ index }) => (isSilent(writes[index]) ? [] : (result.rows[index] ?? []))),
    events: places.map(({ index, from, to }) => (result.events[index] ?? []).slice(from, to)),
  }
}

function canonicalWrite(given: Write, index: number): Write {
  const write = given as unknown as LooseWrite
  if (write.op === 'append') return { op: 'append', stream: streamOf(write), events: eventsOf(write, index) }
  if (write.op === 'deleteStream') return { op: 'deleteStream', stream: streamOf(write) }
  return canonicalTableWrite(write, index) as Write
}

function canonicalTableWrite(write: LooseWrite, index: number): unknown {
  const meta = tableMeta(write.table)
  const { op } = write
  const table = meta.name
  const silent = write.returning === false ? { returning: false } : {}
  switch (op) {
    case 'insert':
      return { op, table, row: completeRow(meta, write.row, (column, computed) => checkComputed(meta, column, computed, false)), ...silent }
    case 'update':
      return { op, table, id: idOf(meta, write.id), where: canonicalWhere(meta, write.where), set: changesOf(meta, write), ...silent }
    case 'updateAll': {
      const where = canonicalWhere(meta, write.where)
      const rows = (write.rows as readonly { id: unknown; where?: unknown }[] | undefined)?.map((row) => ({
        id: idOf(meta, row.id),
        where: canonicalWhere(meta, row.where),
      }))
      return { op, table, where, ...(rows === undefined ? {} : { rows }), set: changesOf(meta, write) }
    }
    case 'claim': {
      const where = canonicalWhere(meta, write.where)
      return { op, table, where, orderBy: canonicalOrder(meta, write.orderBy), set: changesOf(meta, write) }
    }
    case 'delete':
      return { op, table, id: idOf(meta, write.id), where: canonicalWhere(meta, write.where) }
    default:
      throw invalidBatch(`Write ${index} has the unknown op "${String(op)}"`, { index, op: String(op) })
  }
}

const changesOf = (meta: TableMeta, write: LooseWrite) =>
  acceptChanges(meta, write.set, (column, computed) => checkComputed(meta, column, computed, true))

function checkComputed(meta: TableMeta, column: ColumnMeta, computed: Parameters<typeof fitsColumn>[1], canIncrement: boolean): unknown {
  if (fitsColumn(column, computed) && (canIncrement || computed.compute !== 'increment')) return computed
  throw invalidRow({ table: meta.name, column: column.name }, `a value of kind ${column.kind}`, String(computed.compute))
}

function idOf(meta: TableMeta, id: unknown): string {
  if (typeof id === 'string') return storableText(id)
  throw invalidQuery(meta, meta.primaryKey, 'a string', kindOf(id))
}

function streamOf(write: LooseWrite): string {
  if (typeof write.stream === 'string' && write.stream !== '') return storableText(write.stream)
  throw invalidBatch(`The stream of an ${write.op} must be a string, not ${kindOf(write.stream)}`, { op: write.op })
}

const eventTexts = ['id', 'type', 'organizationId'] as const

function eventsOf(write: LooseWrite, index: number): NewEvent[] {
  if (!Array.isArray(write.events)) throw invalidBatch(`Write ${index} appends ${kindOf(write.events)} instead of an array`, { index })
  return (write.events as readonly NewEvent[]).map((event) => {
    for (const column of eventTexts) {
      if (typeof event[column] !== 'string') throw invalidRow({ table: 'events', column }, 'a string', kindOf(event[column]))
    }
    const payload = acceptJson(event.payload, { table: 'events', column: 'payload' }) as Json
    const [id, type, organizationId] = [storableText(event.id), storableText(event.type), storableText(event.organizationId)]
    return { id, type, organizationId, payload }
  })
}

function nameRows(write: Write, index: number, named: Set<string>): void {
  if (write.op === 'deleteStream') nameOnce(`stream ${write.stream}`, index, named)
  else if (write.op === 'insert') {
    const id = (write.row as Record<string, unknown>)[tableMeta(write.table).primaryKey] as string
    nameOnce(`row ${write.table} ${id}`, index, named)
  } else if (write.op === 'update' || write.op === 'delete') nameOnce(`row ${write.table} ${write.id}`, index, named)
  else if (write.op === 'updateAll') for (const { id } of write.rows ?? []) nameOnce(`row ${write.table} ${id}`, index, named)
}

function nameOnce(name: string, index: number, named: Set<string>): void {
  if (named.has(name)) throw invalidBatch(`Write ${index} names ${name} again; a batch names each row and stream once`, { index, name })
  named.add(name)
}

function invalidBatch(message: string, details: Readonly<Record<string, Json>>): StorageError {
  return new StorageError(message, { code: 'STORAGE_INVALID_BATCH', details })
}
