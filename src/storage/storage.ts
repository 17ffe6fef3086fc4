import type { Json } from '../errors/index.js'
import type { Row, TableName } from './schema.js'

/** What an adapter can do. The contract suite tests each claim. */
export interface StorageCapabilities {
  /** What is committed survives the end of the process. */
  readonly durable: boolean
  /** Several processes can work on the same data at once. */
  readonly shared: boolean
  /** `subscribe` wakes other processes. */
  readonly notify: boolean
}

/** A value that the storage computes when it applies a write. */
export type Computed =
  /** The column's present value plus `by`. */
  | { readonly compute: 'increment'; readonly by: number }
  /** The storage's clock plus `plusMs` milliseconds. Leases use no other clock. */
  | { readonly compute: 'storageNow'; readonly plusMs: number }

/** Adds to a numeric column; null stays null. In `set` only. */
export const increment = (by = 1): Computed => ({ compute: 'increment', by })
/** The storage's own time, shifted by `plusMs` milliseconds. Usable in `set`, in inserted rows and in conditions. */
export const storageNow = (options: { plusMs?: number } = {}): Computed => ({ compute: 'storageNow', plusMs: options.plusMs ?? 0 })

type Comparable = string | number | boolean | Date | Computed

/**
 * A condition on one column; several operators are and-ed. `contains` is case-insensitive text search. Comparisons with null are never
 * true, an empty `notIn` included. Text is ordered by code point. A JSON column can only be tested with `isNull`.
 */
export interface Condition<V = unknown> {
  readonly eq?: Exclude<V, null> | Computed
  readonly ne?: Exclude<V, null> | Computed
  readonly in?: readonly Exclude<V, null>[]
  readonly notIn?: readonly Exclude<V, null>[]
  readonly lt?: (V & Comparable) | Computed
  readonly lte?: (V & Comparable) | Computed
  readonly gt?: (V & Comparable) | Computed
  readonly gte?: (V & Comparable) | Computed
  readonly isNull?: boolean
  readonly contains?: string
}

/**
 * Conditions on a row, and-ed; `any` holds alternatives of which at least one must hold too (an empty list: none does). A plain value
 * means `eq`, null means `isNull`, undefined is left out. Adapters behind the guard only see operators.
 */
export type Where<R = Record<string, unknown>> = {
  readonly [K in keyof R]?: R[K] | Condition<R[K]>
} & { readonly any?: readonly Where<R>[] }

/** New values of a row; unnamed columns keep theirs. */
export type Changes<R> = { readonly [K in keyof R]?: R[K] | Computed }
/** A row to insert: nullable columns may be left out. */
export type NewRow<R> = { readonly [K in keyof R as null extends R[K] ? never : K]: R[K] | Computed } & {
  readonly [K in keyof R as null extends R[K] ? K : never]?: R[K] | Computed | undefined
}

/** One criterion of an order. */
export interface OrderBy<R = Record<string, unknown>> {
  readonly column: keyof R & string
  /** @default 'asc' */
  readonly direction?: 'asc' | 'desc'
}

/** What {@link Storage.find} looks for. */
export interface FindParams<T extends TableName = TableName> {
  readonly table: T
  readonly where?: Where<Row<T>>
  /** The primary key is always added as the last criterion, so that the order is total. Nulls sort last in both directions. */
  readonly orderBy?: readonly OrderBy<Row<T>>[]
  /** @default 100; 1 to 10,000 */
  readonly limit?: number
  /** Keyset paging: only rows that sort after the row with this primary key, as it stands now. Where that row is gone, there is no next page: nothing is found. */
  readonly after?: string
}

/** An event as it is appended. */
export interface NewEvent {
  readonly id: string
  readonly type: string
  readonly organizationId: string
  readonly payload: Json
}

/** An event as it is read back. `seq` is gapless from 1 within its stream; `at` is the storage's time of the commit. */
export interface StoredEvent extends NewEvent {
  readonly stream: string
  readonly seq: number
  readonly at: Date
}

/**
 * One change; a batch of them is applied all or not at all.
 *
 * Conditions see the rows as they were before the batch. A batch names each row at most once; `claim`, and `updateAll` without `rows`,
 * leave alone what the batch names or takes elsewhere, so that no row is written twice. Unique keys are tested write by write, in order.
 * The row of an insert or update that says `returning: false` is not in the result: nobody reads it.
 */
export type Write = { [T in TableName]: TableWrite<T> }[TableName] | StreamWrite

type TableWrite<T extends TableName> =
  | { readonly op: 'insert'; readonly table: T; readonly row: NewRow<Row<T>>; readonly returning?: false }
  /** Applies only if the row still meets `where`; an empty `set` only tests it. */
  | {
      readonly op: 'update'
      readonly table: T
      readonly id: string
      readonly where?: Where<Row<T>>
      readonly set: Changes<Row<T>>
      readonly returning?: false
    }
  /** Every row that meets `where` (and, with `rows`, is named there and meets its own condition); never refuses. */
  | {
      readonly op: 'updateAll'
      readonly table: T
      readonly where?: Where<Row<T>>
      readonly rows?: readonly { readonly id: string; readonly where?: Where<Row<T>> }[]
      readonly set: Changes<Row<T>>
    }
  /** The first row that matches, skipping rows that others are taking; refuses with `missing` where there is none. */
  | {
      readonly op: 'claim'
      readonly table: T
      readonly where: Where<Row<T>>
      readonly orderBy: readonly OrderBy<Row<T>>[]
      readonly set: Changes<Row<T>>
    }
  | { readonly op: 'delete'; readonly table: T; readonly id: string; readonly where?: Where<Row<T>> }

type StreamWrite =
  /** Sequence numbers are allotted inside the commit. */
  | { readonly op: 'append'; readonly stream: string; readonly events: readonly NewEvent[] }
  | { readonly op: 'deleteStream'; readonly stream: string }

/** Any row, where the table is not known. */
export type AnyRow = { [T in TableName]: Row<T> }[TableName]

/** Outcome of a commit. A refusal applied nothing; `index` is the write that refused. */
export type CommitResult =
  | {
      readonly ok: true
      /** For each write: the rows as they stand after it (insert, update, claim, updateAll), in order; empty for the others, and where it says `returning: false`. */
      readonly rows: readonly (readonly AnyRow[])[]
      /** For each write: the events appended by it, as stored; empty for the others. */
      readonly events: readonly (readonly StoredEvent[])[]
    }
  | {
      readonly ok: false
      readonly index: number
      /** `precondition`: the row does not meet `where`; `duplicate`: a key exists, see `constraint`; `missing`: no such row. */
      readonly reason: 'precondition' | 'duplicate' | 'missing'
      /** `primary` or the name of the unique key. */
      readonly constraint?: string
      /** The row in the way, as a later read showed it: that which did not meet `where`, or that which holds the key. Informative only. */
      readonly current?: AnyRow
    }

/** Something may have changed; a wake-up can be lost or doubled. */
export interface Wake {
  readonly stream?: string
  readonly table?: TableName
  readonly id?: string
}

/**
 * Where rows and events live. An adapter moves rows and knows no domain rule; the rules are conditions in the writes that it is handed.
 * Values that cross it are JSON or `Date`, copied in and out. The guard replaces NUL characters and lone surrogates in texts, keys of JSON
 * included, by U+FFFD on the way in (rows, ids, conditions, streams and events): databases in UTF-8 refuse or lose them.
 */
export interface Storage {
  readonly capabilities: StorageCapabilities
  /** Idempotent; concurrent calls share one promise. */
  open(): Promise<void>
  /** Idempotent; later calls of the others reject with `STORAGE_CLOSED`. */
  close(): Promise<void>
  /** The storage's clock. */
  now(): Promise<Date>
  get<T extends TableName>(table: T, id: string): Promise<Row<T> | undefined>
  find<T extends TableName>(params: FindParams<T>): Promise<Row<T>[]>
  count<T extends TableName>(table: T, where?: Where<Row<T>>): Promise<number>
  /** All or nothing. A batch names each row at most once and each stream at most once; the guard merges appends to one stream before they come here. */
  commit(batch: readonly Write[]): Promise<CommitResult>
  /** Events with `seq > after`, oldest first. `limit` 1 to 10,000, default 1,000. */
  readEvents(params: { readonly stream: string; readonly after?: number; readonly limit?: number }): Promise<StoredEvent[]>
  /** Wake-ups after commits, of other processes too where `capabilities.notify` says so. */
  subscribe?(onWake: (wake: Wake) => void): Promise<() => Promise<void>>
}
