import type { Row, Storage, StorageCapabilities, TableName, Write } from '../storage/index.js'

/** The calls that can be made to fail. */
export type FaultyCall = 'now' | 'get' | 'find' | 'count' | 'commit' | 'readEvents'

/** Options of {@link faultyStorage}. */
export interface FaultyStorageOptions {
  /** Number of the call that fails, from 1. @default none */
  readonly failAtCall?: number
  /** Whether the failing call does its work first: `after` is an answer that was lost on its way. @default 'before' */
  readonly when?: 'before' | 'after'
  /** `once`, or `onwards`: the process has lost its storage for good. @default 'once' */
  readonly fails?: 'once' | 'onwards'
  /** Which calls are counted. @default all */
  readonly calls?: readonly FaultyCall[]
  /** Makes the error. @default an Error that names the call */
  readonly error?: (call: FaultyCall, number: number) => unknown
}

/** A storage with a fault to order. */
export interface FaultyStorage extends Storage {
  /** Counted calls so far. */
  readonly calls: number
  /** Sets the counter back and changes the fault; without options, none is left. */
  reset(options?: FaultyStorageOptions): void
}

/**
 * Passes every call on to a storage, but for the one that is to fail. Looped over every number of call, it shows what a crash at any
 * point leaves behind.
 *
 * @example
 * const storage = faultyStorage(new MemoryStorage(), { failAtCall: 3, when: 'after' })
 */
export function faultyStorage(storage: Storage, options: FaultyStorageOptions = {}): FaultyStorage {
  let fault = options
  let calls = 0

  async function pass<T>(call: FaultyCall, work: () => Promise<T>): Promise<T> {
    if (fault.calls !== undefined && !fault.calls.includes(call)) return work()
    const number = ++calls
    const { failAtCall = Number.POSITIVE_INFINITY } = fault
    if (fault.fails === 'onwards' ? number < failAtCall : number !== failAtCall) return work()
    const isFirst = number === failAtCall
    if (fault.when === 'after' && isFirst) await work()
    throw fault.error?.(call, number) ?? new Error(`Call ${number} of the storage, ${call}(), was made to fail`)
  }

  const capabilities: StorageCapabilities = storage.capabilities
  const subscribe = storage.subscribe?.bind(storage)
  return {
    capabilities,
    get calls() {
      return calls
    },
    reset(next = {}) {
      fault = next
      calls = 0
    },
    open: () => storage.open(),
    close: () => storage.close(),
    now: () => pass('now', () => storage.now()),
    get: <T extends TableName>(table: T, id: string): Promise<Row<T> | undefined> => pass('get', () => storage.get(table, id)),
    find: (params) => pass('find', () => storage.find(params)),
    count: (table, where) => pass('count', () => storage.count(table, where)),
    commit: (batch: readonly Write[]) => pass('commit', () => storage.commit(batch)),
    readEvents: (params) => pass('readEvents', () => storage.readEvents(params)),
    ...(subscribe === undefined ? {} : { subscribe }),
  }
}
