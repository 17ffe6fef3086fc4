import { RunwrightError, StorageError } from '../errors/index.js'
import { closeAll, isAbortError, Lifecycle } from '../runtime/index.js'
import { canonicalBatch } from './canonical-batch.js'
import { canonicalFind, canonicalWhere, checkedLimit, invalidQuery } from './canonical-query.js'
import type { Row, TableName } from './schema.js'
import type { CommitResult, FindParams, Storage, StorageCapabilities, StoredEvent, Wake, Where, Write } from './storage.js'
import { tableMeta } from './table-meta.js'
import { kindOf, storableText } from './values.js'

const guards = new WeakMap<Storage, Storage>()

/**
 * Makes the rules that every adapter shares true for one: open and close are idempotent, nothing runs before or after them; batches,
 * rows and queries are checked and completed before they are sent; whatever it throws is a coded error.
 *
 * The same adapter gives the same guard, so that the facades of a host agree on whether it is open; a guard gives itself.
 * Adapters can rely on what they are handed: whole rows, conditions as operators, orders that are total, text without NUL and lone surrogates.
 */
export function guardStorage(storage: Storage): Storage {
  const present = guards.get(storage)
  if (present !== undefined) return present
  const guard = new GuardedStorage(storage)
  guards.set(storage, guard)
  guards.set(guard, guard)
  return guard
}

class GuardedStorage implements Storage {
  readonly capabilities: StorageCapabilities
  readonly subscribe?: NonNullable<Storage['subscribe']>
  readonly #adapter: Storage
  readonly #lifecycle: Lifecycle
  readonly #unsubscribers = new Set<() => Promise<void>>()
  #inFlight = 0
  #onIdle: (() => void) | undefined

  constructor(adapter: Storage) {
    this.#adapter = adapter
    this.capabilities = adapter.capabilities
    this.#lifecycle = new Lifecycle({ start: () => translated('open', () => adapter.open()), stop: () => this.#shutDown() })
    const subscribe = adapter.subscribe?.bind(adapter)
    if (subscribe !== undefined) this.subscribe = (onWake) => this.#call('subscribe', () => this.#subscribe(subscribe, onWake))
  }

  async open(): Promise<void> {
    await this.#lifecycle.start()
  }

  close(): Promise<void> {
    return this.#lifecycle.stop()
  }

  now(): Promise<Date> {
    return this.#call('now', () => this.#adapter.now())
  }

  get<T extends TableName>(table: T, id: string): Promise<Row<T> | undefined> {
    return this.#call('get', () => {
      const meta = tableMeta(table)
      if (typeof id !== 'string') throw invalidQuery(meta, meta.primaryKey, 'a string', kindOf(id))
      return this.#adapter.get(table, storableText(id))
    })
  }

  find<T extends TableName>(params: FindParams<T>): Promise<Row<T>[]> {
    return this.#call('find', () => {
      const canonical = canonicalFind(tableMeta(params.table), params as unknown as FindParams)
      return this.#adapter.find(canonical as unknown as FindParams<T>)
    })
  }

  count<T extends TableName>(table: T, where?: Where<Row<T>>): Promise<number> {
    return this.#call('count', () => this.#adapter.count(table, canonicalWhere(tableMeta(table), where) as Where<Row<T>>))
  }

  commit(batch: readonly Write[]): Promise<CommitResult> {
    return this.#call('commit', async () => {
      const { writes, restore } = canonicalBatch(batch)
      return restore(await this.#adapter.commit(writes))
    })
  }

  readEvents(params: { readonly stream: string; readonly after?: number; readonly limit?: number }): Promise<StoredEvent[]> {
    return this.#call('readEvents', () => {
      const { stream, after = 0, limit = 1_000 } = params
      if (typeof stream !== 'string' || !Number.isSafeInteger(after) || after < 0) {
        throw new StorageError('readEvents wants a stream and a sequence number of 0 or more as after', {
          code: 'STORAGE_INVALID_QUERY',
          details: { stream: kindOf(stream), after: String(after) },
        })
      }
      return this.#adapter.readEvents({ stream: storableText(stream), after, limit: checkedLimit(limit) })
    })
  }

  async #subscribe(subscribe: NonNullable<Storage['subscribe']>, onWake: (wake: Wake) => void): Promise<() => Promise<void>> {
    let isActive = true
    const end = await subscribe((wake) => {
      if (!isActive) return
      try {
        onWake(wake)
      } catch {
        // a wake-up may be lost: whoever waits looks again by itself
      }
    })
    let ending: Promise<void> | undefined
    const unsubscribe = () => {
      isActive = false
      this.#unsubscribers.delete(unsubscribe)
      ending ??= translated('unsubscribe', end)
      return ending
    }
    this.#unsubscribers.add(unsubscribe)
    return unsubscribe
  }

  async #call<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (!this.#lifecycle.isRunning) throw notOpen(name, this.#lifecycle.state)
    this.#inFlight++
    try {
      return await work()
    } catch (error) {
      throw translate(name, error)
    } finally {
      this.#inFlight--
      if (this.#inFlight === 0) this.#onIdle?.()
    }
  }

  /** What is under way finishes first; then subscriptions end, then the adapter closes. */
  async #shutDown(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    this.#onIdle = undefined
    await closeAll([...this.#unsubscribers, () => translated('close', () => this.#adapter.close())], 'the storage')
  }
}

function notOpen(name: string, state: string): StorageError {
  const message =
    state === 'new' ? `The storage is not open yet: open() comes before ${name}()` : `The storage is closed: ${name}() came after close()`
  return new StorageError(message, { code: 'STORAGE_CLOSED', details: { call: name, state } })
}

async function translated<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw translate(name, error)
  }
}

function translate(name: string, error: unknown): unknown {
  if (RunwrightError.is(error) || isAbortError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new StorageError(`The storage failed in ${name}(): ${reason}`, { code: 'STORAGE_FAILED', details: { call: name }, cause: error })
}
