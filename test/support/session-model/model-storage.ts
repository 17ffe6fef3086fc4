import { type Clock, sleep } from '../../../src/runtime/index.js'
import type { CommitResult, Storage, Write } from '../../../src/storage/index.js'

/** How a host's way to the storage is. */
export interface StorageWeather {
  /** Each call takes so long, half of it before its work is done. */
  readonly latencyMs: number
  /** `down`: every call fails; `before`, `after`: the next commit fails, without its work done or with its answer lost. */
  readonly fault: 'none' | 'down' | 'before' | 'after'
}

export const FAIR: StorageWeather = { latencyMs: 0, fault: 'none' }

/** Calls the listener with every commit that was applied, in the order in which they were. */
export function observed(storage: Storage, onCommit: (batch: readonly Write[], result: CommitResult) => void): Storage {
  return wrap(storage, async (_call, work, batch) => {
    const result = await work()
    if (batch !== undefined) onCommit(batch, result as CommitResult)
    return result
  })
}

/** One host's way to the storage. */
export class ModelStorage {
  readonly storage: Storage
  weather: StorageWeather = FAIR
  #isDead = false
  readonly #clock: Clock

  constructor(storage: Storage, clock: Clock) {
    this.#clock = clock
    this.storage = wrap(storage, (call, work, batch) => this.#pass(call, work, batch !== undefined))
  }

  /** The process is gone: what it waits for never comes, and nothing that it asks for is done. */
  die(): void {
    this.#isDead = true
  }

  async #pass<T>(call: string, work: () => Promise<T>, isCommit: boolean): Promise<T> {
    await this.#travel()
    const { fault } = this.weather
    if (fault === 'down') throw new Error(`The storage is down: ${call}`)
    if (isCommit && fault !== 'none') {
      this.weather = { ...this.weather, fault: 'none' }
      if (fault === 'after') await work()
      throw new Error(`The storage failed ${fault} a commit`)
    }
    const answer = await work()
    await this.#travel()
    return answer
  }

  async #travel(): Promise<void> {
    const { latencyMs } = this.weather
    if (latencyMs > 0 && !this.#isDead) await sleep(this.#clock, latencyMs / 2)
    if (this.#isDead) await new Promise(() => {})
  }
}

function wrap(storage: Storage, pass: <T>(call: string, work: () => Promise<T>, batch?: readonly Write[]) => Promise<T>): Storage {
  return {
    capabilities: storage.capabilities,
    open: () => storage.open(),
    close: () => storage.close(),
    now: () => pass('now', () => storage.now()),
    get: (table, id) => pass('get', () => storage.get(table, id)),
    find: (params) => pass('find', () => storage.find(params)),
    count: (table, where) => pass('count', () => storage.count(table, where)),
    commit: (batch) => pass('commit', () => storage.commit(batch), batch),
    readEvents: (params) => pass('readEvents', () => storage.readEvents(params)),
  }
}
