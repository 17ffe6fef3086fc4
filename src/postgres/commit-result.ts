import type { AnyRow, CommitResult, StoredEvent, Wake, Write } from '../storage/storage.js'
import { tableMeta } from '../storage/table-meta.js'
import { storedEvents } from './appends.js'
import { MISSING, REFUSAL_MARK, STREAM_MARK } from './draft.js'
import { groupInserts } from './inserts.js'
import type { TextRow } from './port.js'
import { decodeRow } from './values.js'

type Applied = Extract<CommitResult, { ok: true }>

/** What a commit's statement answered: the result, or which write refused first. */
export type Verdict = Applied | { readonly ok: false; readonly index: number; readonly reason: 'missing' | 'precondition' }

type LooseRow = Record<string, unknown>

/** Reads the rows of a commit's statement. */
export function readVerdict(batch: readonly Write[], result: readonly TextRow[]): Verdict {
  const rows: LooseRow[][] = batch.map(() => [])
  const streams = new Map<string, readonly [lastSeq: number, at: string]>()
  for (const [mark, text] of result) {
    const index = Number(mark)
    if (index === REFUSAL_MARK) {
      const [place, reason] = JSON.parse(text ?? '') as [number, number]
      return { ok: false, index: place, reason: reason === MISSING ? 'missing' : 'precondition' }
    }
    if (index === STREAM_MARK) {
      const [stream, lastSeq, at] = JSON.parse(text ?? '') as [string, number, string]
      streams.set(stream, [lastSeq, at])
      continue
    }
    const write = batch[index]
    if (write !== undefined && 'table' in write) rows[index]?.push(decodeRow(tableMeta(write.table), text ?? ''))
  }
  spreadGroups(batch, rows)
  sortNamed(batch, rows)
  return { ok: true, rows: rows as unknown as AnyRow[][], events: batch.map((write) => eventsOf(write, streams)) }
}

function eventsOf(write: Write, streams: ReadonlyMap<string, readonly [lastSeq: number, at: string]>): StoredEvent[] {
  const given = write.op === 'append' ? streams.get(write.stream) : undefined
  return write.op === 'append' && given !== undefined && write.events.length > 0 ? storedEvents(write, given[0], given[1]) : []
}

/** The rows of inserts that went out together came back under the first of them. */
function spreadGroups(batch: readonly Write[], rows: LooseRow[][]): void {
  if (batch.length === 1) return
  for (const [first, { meta, indexes, rows: cells }] of groupInserts(batch)) {
    if (indexes.length === 1) continue
    const byId = new Map(rows[first]?.map((row) => [row[meta.primaryKey], row]))
    for (const [place, index] of indexes.entries()) {
      const row = byId.get(cells[place]?.[meta.primaryKey])
      rows[index] = row === undefined ? [] : [row]
    }
  }
}

/** Rows of an `updateAll` with `rows` come in the order in which they were named. */
function sortNamed(batch: readonly Write[], rows: LooseRow[][]): void {
  for (const [index, write] of batch.entries()) {
    if (write.op !== 'updateAll' || write.rows === undefined) continue
    const key = tableMeta(write.table).primaryKey
    const places = new Map(write.rows.map(({ id }, place) => [id as unknown, place]))
    rows[index]?.sort((one, other) => (places.get(one[key]) ?? 0) - (places.get(other[key]) ?? 0))
  }
}

/** What an applied batch may have changed for others. */
export function wakesOf(batch: readonly Write[], result: Applied): Wake[] {
  return batch.flatMap((write, index): Wake[] => {
    if (write.op === 'append') return write.events.length === 0 ? [] : [{ stream: write.stream }]
    if (write.op === 'deleteStream') return [{ stream: write.stream }]
    if (write.op === 'delete') return [{ table: write.table, id: write.id }]
    if (write.op === 'update') return [{ table: write.table, id: write.id }]
    const key = tableMeta(write.table).primaryKey
    if (write.op === 'insert') return [{ table: write.table, id: (write.row as unknown as LooseRow)[key] as string }]
    return (result.rows[index] ?? []).map((row) => ({ table: write.table, id: (row as unknown as LooseRow)[key] as string }))
  })
}
