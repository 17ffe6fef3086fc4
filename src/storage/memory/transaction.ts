import type { TableName } from '../schema.js'
import type { AnyRow, CommitResult, StoredEvent, Write } from '../storage.js'
import { copyRow } from '../values.js'
import { type AnyWhere, matches } from './matches.js'
import type { MemoryTable } from './memory-table.js'
import { changedRow, newRow } from './new-row.js'
import type { AnyOrder, StoredRow } from './order.js'
import type { MemoryStreams } from './streams.js'

type Refusal = Extract<CommitResult, { ok: false }>

/** A row that a transaction wrote: what it was and what it is. */
export interface RowChange {
  readonly table: MemoryTable
  readonly previous: StoredRow | undefined
  readonly next: StoredRow | undefined
}

export interface TransactionParams {
  readonly tables: ReadonlyMap<TableName, MemoryTable>
  readonly streams: MemoryStreams
  readonly batch: readonly Write[]
  readonly at: Date
}

/** Applies one batch, in order; a refusal or an error takes back what was applied. Conditions see the state before the batch. */
export class Transaction {
  readonly changes: RowChange[] = []
  readonly touchedStreams: string[] = []
  readonly #params: TransactionParams
  readonly #undo: (() => void)[] = []
  readonly #nowMs: number
  /** Rows that the batch names, by table: `claim` and `updateAll` leave them alone. Made when first needed. */
  #named: Map<string, Set<string>> | undefined

  constructor(params: TransactionParams) {
    this.#params = params
    this.#nowMs = params.at.getTime()
  }

  run(): CommitResult {
    const rows: AnyRow[][] = []
    const events: StoredEvent[][] = []
    try {
      for (const [index, write] of this.#params.batch.entries()) {
        const outcome = this.#apply(write, index)
        if ('ok' in outcome) {
          this.#takeBack()
          return outcome
        }
        rows.push(outcome.rows)
        events.push(outcome.events)
      }
    } catch (error) {
      this.#takeBack()
      throw error
    }
    return { ok: true, rows, events }
  }

  #apply(write: Write, index: number): { rows: AnyRow[]; events: StoredEvent[] } | Refusal {
    if (write.op === 'append') return { rows: [], events: this.#append(write.stream, write.events) }
    if (write.op === 'deleteStream') {
      this.#deleteStream(write.stream)
      return { rows: [], events: [] }
    }
    const table = this.#params.tables.get(write.table) as MemoryTable
    const refuse = (reason: Refusal['reason'], row?: StoredRow, constraint?: string): Refusal => {
      const current = row && ({ current: copyRow(table.meta, row) as AnyRow } as const)
      return { ok: false, index, reason, ...(constraint === undefined ? {} : { constraint }), ...current }
    }
    if (write.op === 'insert') return this.#put(table, undefined, newRow(table.meta, write.row, this.#nowMs), refuse, write.returning)
    if (write.op === 'updateAll') return this.#updateAll(table, write, refuse)
    if (write.op === 'claim') {
      const free = table.matching(write.where as AnyWhere, this.#nowMs).filter((row) => !this.#isNamed(table, row))
      const first = table.firstOf(free, write.orderBy as AnyOrder)
      if (first === undefined) return refuse('missing')
      this.#name(table, first)
      return this.#put(table, first, changedRow(table.meta, first, write.set, this.#nowMs), refuse)
    }
    const present = table.get(write.id)
    if (present === undefined) return refuse('missing')
    if (!matches(present, write.where as AnyWhere | undefined, this.#nowMs)) return refuse('precondition', present)
    if (write.op === 'update') {
      return this.#put(table, present, changedRow(table.meta, present, write.set, this.#nowMs), refuse, write.returning)
    }
    this.#replace(table, present, undefined)
    return { rows: [], events: [] }
  }

  #updateAll(
    table: MemoryTable,
    write: Extract<Write, { op: 'updateAll' }>,
    refuse: (reason: Refusal['reason'], row?: StoredRow, constraint?: string) => Refusal,
  ): { rows: AnyRow[]; events: StoredEvent[] } | Refusal {
    const where = write.where as AnyWhere | undefined
    const wanted =
      write.rows === undefined
        ? table.matching(where, this.#nowMs).filter((row) => !this.#isNamed(table, row))
        : write.rows.flatMap(({ id, where: own }) => {
            const row = table.get(id)
            return row !== undefined && matches(row, own as AnyWhere | undefined, this.#nowMs) && matches(row, where, this.#nowMs)
              ? [row]
              : []
          })
    const rows: AnyRow[] = []
    for (const row of wanted) {
      if (write.rows === undefined) this.#name(table, row)
      const outcome = this.#put(table, row, changedRow(table.meta, row, write.set as Record<string, unknown>, this.#nowMs), refuse)
      if ('ok' in outcome) return outcome
      rows.push(...outcome.rows)
    }
    return { rows, events: [] }
  }

  #put(
    table: MemoryTable,
    previous: StoredRow | undefined,
    next: StoredRow,
    refuse: (reason: Refusal['reason'], row?: StoredRow, constraint?: string) => Refusal,
    returning: boolean | undefined = true,
  ): { rows: AnyRow[]; events: StoredEvent[] } | Refusal {
    const conflict = table.conflictOf(next, previous === undefined)
    if (conflict !== undefined) return refuse('duplicate', conflict.holder, conflict.constraint)
    this.#replace(table, previous, next)
    return { rows: returning ? [copyRow(table.meta, next) as AnyRow] : [], events: [] }
  }

  #replace(table: MemoryTable, previous: StoredRow | undefined, next: StoredRow | undefined): void {
    table.replace(previous, next)
    this.changes.push({ table, previous, next })
    this.#undo.push(() => table.replace(next, previous))
  }

  #append(stream: string, events: Extract<Write, { op: 'append' }>['events']): StoredEvent[] {
    const { streams, at } = this.#params
    const stored = streams.append(stream, events, at)
    this.touchedStreams.push(stream)
    this.#undo.push(() => streams.truncate(stream, stored.length))
    return streams.copyOf(stored)
  }

  #deleteStream(stream: string): void {
    const { streams } = this.#params
    const removed = streams.remove(stream)
    this.touchedStreams.push(stream)
    this.#undo.push(() => streams.restore(stream, removed))
  }

  #takeBack(): void {
    for (const undo of this.#undo.reverse()) undo()
  }

  #isNamed(table: MemoryTable, row: StoredRow): boolean {
    return this.#namedIn(table).has(row[table.meta.primaryKey] as string)
  }

  #name(table: MemoryTable, row: StoredRow): void {
    this.#namedIn(table).add(row[table.meta.primaryKey] as string)
  }

  #namedIn(table: MemoryTable): Set<string> {
    this.#named ??= namedRows(this.#params.batch, this.#params.tables)
    const { name } = table.meta
    const ids = this.#named.get(name) ?? new Set()
    this.#named.set(name, ids)
    return ids
  }
}

/** Ids that a batch names, by table. */
function namedRows(batch: readonly Write[], tables: ReadonlyMap<TableName, MemoryTable>): Map<string, Set<string>> {
  const named = new Map<string, Set<string>>()
  for (const write of batch) {
    if (write.op === 'append' || write.op === 'deleteStream' || write.op === 'claim') continue
    const ids = named.get(write.table) ?? new Set()
    named.set(write.table, ids)
    if (write.op === 'insert') ids.add((write.row as Record<string, unknown>)[tables.get(write.table)?.meta.primaryKey ?? ''] as string)
    else if (write.op === 'updateAll') for (const { id } of write.rows ?? []) ids.add(id)
    else ids.add(write.id)
  }
  return named
}
