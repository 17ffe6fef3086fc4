import { InvalidArgumentError, StorageError } from '../../errors/index.js'
import { type Clock, systemClock } from '../../runtime/index.js'
import type { Row, TableName } from '../schema.js'
import type { AnyRow, CommitResult, FindParams, Storage, StorageCapabilities, StoredEvent, Wake, Where, Write } from '../storage.js'
import { allTables, tableMeta } from '../table-meta.js'
import { copyRow } from '../values.js'
import { type AnyQuery, MemoryTable } from './memory-table.js'
import { newRow } from './new-row.js'
import { Retention } from './retention.js'
import { MemoryStreams } from './streams.js'
import { Transaction } from './transaction.js'
import { Wakers } from './wakers.js'

/** Options of {@link MemoryStorage}. */
export interface MemoryStorageOptions {
  /** The storage's clock. @default the host's */
  readonly clock?: Clock
  /** Bounds what a long-lived host keeps. */
  readonly retain?: {
    /** How many ended runs are kept, with their blocks, actions, artifact rows, events and private session; 1 or more. @default all */
    readonly runs?: number
  }
}

/** Everything that a {@link MemoryStorage} held at one moment; a copy, fit for `structuredClone`. */
export interface MemorySnapshot {
  readonly tables: { readonly [T in TableName]: readonly Row<T>[] }
  readonly streams: Readonly<Record<string, readonly StoredEvent[]>>
}

/**
 * Rows and events in this process's memory: for tests, and for hosts whose runs may die with them.
 *
 * @example
 * const storage = new MemoryStorage({ retain: { runs: 1_000 } })
 */
export class MemoryStorage implements Storage {
  readonly capabilities: StorageCapabilities = { durable: false, shared: false, notify: true }
  readonly #clock: Clock
  readonly #tables: ReadonlyMap<TableName, MemoryTable>
  readonly #streams = new MemoryStreams()
  readonly #wakers = new Wakers()
  readonly #retention: Retention | undefined

  /** @throws {InvalidArgumentError} `INVALID_ARGUMENT` where `retain.runs` is not a whole number of 1 or more. */
  constructor(options: MemoryStorageOptions = {}) {
    this.#clock = options.clock ?? systemClock
    this.#tables = new Map([...allTables()].map((meta) => [meta.name, new MemoryTable(meta)]))
    const runs = options.retain?.runs
    if (runs === undefined) return
    if (!Number.isSafeInteger(runs) || runs < 1) {
      const details = { path: 'retain.runs', expected: 'a whole number of 1 or more', received: String(runs) }
      throw new InvalidArgumentError(`retain.runs must be ${details.expected}, not ${details.received}`, details)
    }
    this.#retention = new Retention({ runs, tables: this.#tables, streams: this.#streams })
  }

  /** Nothing to open: the rows are there as long as the object is. */
  async open(): Promise<void> {}

  async close(): Promise<void> {}

  async now(): Promise<Date> {
    return this.#clock.now()
  }

  async get<T extends TableName>(table: T, id: string): Promise<Row<T> | undefined> {
    const { meta } = this.#table(table)
    const row = this.#table(table).get(id)
    return row && (copyRow(meta, row) as Row<T>)
  }

  async find<T extends TableName>(params: FindParams<T>): Promise<Row<T>[]> {
    const table = this.#table(params.table)
    const rows = table.find(params as unknown as AnyQuery, this.#clock.now().getTime())
    return rows.map((row) => copyRow(table.meta, row) as Row<T>)
  }

  async count<T extends TableName>(table: T, where?: Where<Row<T>>): Promise<number> {
    return this.#table(table).count(where as Where | undefined, this.#clock.now().getTime())
  }

  async commit(batch: readonly Write[]): Promise<CommitResult> {
    for (const write of batch) if ('table' in write) this.#table(write.table)
    const transaction = new Transaction({ tables: this.#tables, streams: this.#streams, batch, at: this.#clock.now() })
    const result = transaction.run()
    if (!result.ok) return result
    this.#wakers.committed(transaction.changes, transaction.touchedStreams)
    this.#retention?.observe(transaction.changes)
    return result
  }

  async readEvents(params: { readonly stream: string; readonly after?: number; readonly limit?: number }): Promise<StoredEvent[]> {
    return this.#streams.read(params.stream, params.after ?? 0, params.limit ?? 1_000)
  }

  async subscribe(onWake: (wake: Wake) => void): Promise<() => Promise<void>> {
    const unsubscribe = this.#wakers.subscribe(onWake)
    return async () => unsubscribe()
  }

  /** A copy of everything stored. */
  snapshot(): MemorySnapshot {
    const tables: Record<string, AnyRow[]> = {}
    for (const [name, table] of this.#tables) tables[name] = [...table.all()].map((row) => copyRow(table.meta, row) as AnyRow)
    const streams = Object.fromEntries([...this.#streams.all()].map(([stream, events]) => [stream, this.#streams.copyOf(events)]))
    return { tables: tables as unknown as MemorySnapshot['tables'], streams }
  }

  /** Replaces everything stored by a copy of a snapshot. Subscribers are not woken. */
  restore(snapshot: MemorySnapshot): void {
    const restored = [...this.#tables].map(([name, table]) => {
      return { table, rows: snapshot.tables[name].map((row) => newRow(table.meta, row, 0)) } // checked before anything is dropped
    })
    for (const { table, rows } of restored) {
      table.clear()
      for (const row of rows) table.replace(undefined, row)
    }
    this.#streams.clear()
    for (const [stream, events] of Object.entries(snapshot.streams)) this.#streams.restore(stream, this.#streams.copyOf(events))
    this.#retention?.rebuild()
  }

  #table(name: TableName): MemoryTable {
    return this.#tables.get(name) ?? unknownTable(name)
  }
}

function unknownTable(name: string): never {
  tableMeta(name) // names the known ones
  throw new StorageError(`Table ${name} is not stored`, { code: 'STORAGE_INVALID_QUERY', details: { table: name } })
}
