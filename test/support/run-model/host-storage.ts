import { sleep } from '../../../src/runtime/index.js'
import type { CommitResult, Storage, Wake, Write } from '../../../src/storage/index.js'
import type { HostClock } from '../host-clock.js'

/** How a host’s way to the storage is. */
export interface Weather {
  /** Each way takes up to so long, half of it there, half of it back. */
  readonly latencyMs: number
  /** `down`: every call fails. `before`, `after`: the next commit fails, without its work done or with its answer lost. `read`: the next read. */
  readonly fault: 'none' | 'down' | 'before' | 'after' | 'read'
}

export const FAIR: Weather = { latencyMs: 0, fault: 'none' }

/** What faults of the storage are told as. */
export const WEATHER = 'The weather'

/** A storage that many processes share, as each of them sees it: calls take time, fail, and never answer a dead one. */
export class HostStorage {
  readonly storage: Storage
  weather: Weather = FAIR
  #isDead = false
  readonly #clock: HostClock
  readonly #fraction: () => number

  constructor(inner: Storage, params: { readonly clock: HostClock; readonly fraction: () => number }) {
    this.#clock = params.clock
    this.#fraction = params.fraction
    this.storage = {
      capabilities: { durable: true, shared: true, notify: true },
      open: async () => {},
      close: async () => {},
      now: () => this.#pass('read', () => inner.now()),
      get: (table, id) => this.#pass('read', () => inner.get(table, id)),
      find: (query) => this.#pass('read', () => inner.find(query)),
      count: (table, where) => this.#pass('read', () => inner.count(table, where)),
      commit: (batch) => this.#pass('commit', () => inner.commit(batch)),
      readEvents: (query) => this.#pass('read', () => inner.readEvents(query)),
      subscribe: async (onWake) => {
        const unsubscribe = await inner.subscribe?.((wake) => this.#wake(wake, onWake))
        return async () => unsubscribe?.()
      },
    }
  }

  die(): void {
    this.#isDead = true
  }

  #wake(wake: Wake, onWake: (wake: Wake) => void): void {
    if (this.#isDead || this.weather.fault === 'down') return
    if (this.weather.latencyMs === 0 && !this.#clock.isFrozen) onWake(wake)
    else this.#clock.setTimer(() => onWake(wake), this.#wayMs())
  }

  async #pass<T>(kind: 'read' | 'commit', work: () => Promise<T>): Promise<T> {
    await this.#travel()
    const { fault } = this.weather
    if (fault === 'down') throw new Error(`${WEATHER}: the storage is down`)
    if (fault !== 'none' && (fault === 'read') === (kind === 'read')) {
      this.weather = { ...this.weather, fault: 'none' }
      if (fault === 'after') await work()
      throw new Error(`${WEATHER}: the storage failed, ${fault}`)
    }
    const answer = await work()
    await this.#travel()
    return answer
  }

  async #travel(): Promise<void> {
    if (this.weather.latencyMs > 0) await sleep(this.#clock, this.#wayMs())
    await this.#clock.awake()
  }

  #wayMs(): number {
    return Math.floor((this.#fraction() * (this.weather.latencyMs + 1)) / 2)
  }
}

/** Calls the listener with every commit and all of its rows, in the order in which they were applied; whoever commits gets the rows that it asked for. */
export function observed(storage: Storage, onCommit: (batch: readonly Write[], result: CommitResult) => void): Storage {
  return {
    capabilities: storage.capabilities,
    open: () => storage.open(),
    close: () => storage.close(),
    now: () => storage.now(),
    get: (table, id) => storage.get(table, id),
    find: (query) => storage.find(query),
    count: (table, where) => storage.count(table, where),
    readEvents: (query) => storage.readEvents(query),
    ...(storage.subscribe === undefined ? {} : { subscribe: storage.subscribe.bind(storage) }),
    async commit(batch) {
      const result = await storage.commit(batch.map(read))
      onCommit(batch, result)
      if (!result.ok) return result
      return { ...result, rows: result.rows.map((rows, index) => (isUnread(batch[index]) ? [] : rows)) }
    },
  }
}

const read = ({ returning: _, ...write }: Write & { readonly returning?: boolean }): Write => write as Write
const isUnread = (write: Write | undefined) => (write as { returning?: boolean } | undefined)?.returning === false
