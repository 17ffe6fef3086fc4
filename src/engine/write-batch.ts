import type { TableName, Write } from '../storage/index.js'

type RowWrite = Extract<Write, { op: 'insert' | 'update' }>

/**
 * Writes that wait for the next commit. A row is named once: an update of a row that waits to be inserted, or updated, is merged into
 * that write; events of one stream are kept together.
 */
export class WriteBatch {
  readonly #rows = new Map<string, RowWrite>()
  readonly #events = new Map<string, Extract<Write, { op: 'append' }>>()

  get isEmpty(): boolean {
    return this.#rows.size === 0 && this.#events.size === 0
  }

  add(write: Write, rowId: (table: TableName, row: Readonly<Record<string, unknown>>) => string): void {
    if (write.op === 'append') {
      this.#append(write)
      return
    }
    if (write.op !== 'insert' && write.op !== 'update') throw new TypeError(`A ${write.op} cannot wait in a batch`)
    const id = write.op === 'update' ? write.id : rowId(write.table, write.row)
    const key = `${write.table}/${id}`
    const waiting = this.#rows.get(key)
    this.#rows.set(key, waiting === undefined ? write : merge(waiting, write))
  }

  /** Takes everything that waits. */
  drain(): Write[] {
    const writes = [...this.#rows.values(), ...this.#events.values()]
    this.#rows.clear()
    this.#events.clear()
    return writes
  }

  #append(write: Extract<Write, { op: 'append' }>): void {
    const waiting = this.#events.get(write.stream)
    this.#events.set(write.stream, waiting === undefined ? write : { ...waiting, events: [...waiting.events, ...write.events] })
  }
}

function merge(waiting: RowWrite, write: RowWrite): RowWrite {
  if (write.op !== 'update') throw new TypeError(`A row of ${write.table} is inserted twice`)
  if (waiting.op === 'insert') return { ...waiting, row: { ...waiting.row, ...write.set } } as RowWrite
  return { ...waiting, set: { ...waiting.set, ...write.set } } as RowWrite
}
