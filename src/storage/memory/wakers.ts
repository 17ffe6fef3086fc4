import type { Wake } from '../storage.js'
import type { RowChange } from './transaction.js'

type OnWake = (wake: Wake) => void

/** Tells subscribers of commits: once for each stream and row, after the present job, so that many commits in a row are one wake-up. */
export class Wakers {
  readonly #subscribers = new Set<{ readonly onWake: OnWake }>()
  readonly #pending = new Map<string, Wake>()

  subscribe(onWake: OnWake): () => void {
    const subscriber = { onWake } // an object of its own: the same function may subscribe twice
    this.#subscribers.add(subscriber)
    return () => {
      this.#subscribers.delete(subscriber)
    }
  }

  committed(changes: readonly RowChange[], streams: readonly string[]): void {
    if (this.#subscribers.size === 0) return
    const wasIdle = this.#pending.size === 0
    for (const stream of streams) this.#pending.set(`stream ${stream}`, { stream })
    for (const { table, previous, next } of changes) {
      const id = (next ?? previous)?.[table.meta.primaryKey] as string
      this.#pending.set(`${table.meta.name} ${id}`, { table: table.meta.name, id })
    }
    if (wasIdle && this.#pending.size > 0) queueMicrotask(() => this.#deliver())
  }

  #deliver(): void {
    const wakes = [...this.#pending.values()]
    this.#pending.clear()
    for (const subscriber of [...this.#subscribers]) {
      for (const wake of wakes) {
        if (!this.#subscribers.has(subscriber)) break
        try {
          subscriber.onWake(wake)
        } catch {
          // a wake-up may be lost: whoever waits looks again by itself
        }
      }
    }
  }
}
