import type { CommitResult, FindParams, Row, Storage, StorageCapabilities, StoredEvent, TableName, Wake, Where, Write } from 'runwright'

/** Counts the commits that go to a storage, and times those that renew the leases of runs. */
export class CountingStorage implements Storage {
  readonly capabilities: StorageCapabilities
  commits = 0
  readonly #storage: Storage
  #onRenewal: (leases: number, ms: number) => void = () => {}

  constructor(storage: Storage) {
    this.#storage = storage
    this.capabilities = storage.capabilities
  }

  /** How long the next `count` commits take that renew the leases of `leases` runs, in milliseconds. */
  nextRenewals(leases: number, count: number): Promise<readonly number[]> {
    const times: number[] = []
    return new Promise((resolve) => {
      this.#onRenewal = (renewed, ms) => {
        if (renewed === leases) times.push(ms)
        if (times.length === count) resolve(times)
      }
    })
  }

  async commit(batch: readonly Write[]): Promise<CommitResult> {
    this.commits++
    const startedAt = performance.now()
    const result = await this.#storage.commit(batch)
    const leases = renewedRuns(batch)
    if (leases > 0) this.#onRenewal(leases, performance.now() - startedAt)
    return result
  }

  open(): Promise<void> {
    return this.#storage.open()
  }

  close(): Promise<void> {
    return this.#storage.close()
  }

  now(): Promise<Date> {
    return this.#storage.now()
  }

  get<T extends TableName>(table: T, id: string): Promise<Row<T> | undefined> {
    return this.#storage.get(table, id)
  }

  find<T extends TableName>(params: FindParams<T>): Promise<Row<T>[]> {
    return this.#storage.find(params)
  }

  count<T extends TableName>(table: T, where?: Where<Row<T>>): Promise<number> {
    return this.#storage.count(table, where)
  }

  readEvents(params: { readonly stream: string; readonly after?: number; readonly limit?: number }): Promise<StoredEvent[]> {
    return this.#storage.readEvents(params)
  }

  subscribe(onWake: (wake: Wake) => void): Promise<() => Promise<void>> {
    if (this.#storage.subscribe === undefined) throw new TypeError('The storage under it has no subscribe()')
    return this.#storage.subscribe(onWake)
  }
}

/** Of how many runs a commit renews the leases. */
export function renewedRuns(batch: readonly Write[]): number {
  const [write] = batch
  return batch.length === 1 && write?.op === 'updateAll' && write.table === 'runs' ? (write.rows?.length ?? 0) : 0
}
