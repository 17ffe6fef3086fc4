import type { Wake } from '../storage/index.js'

type OnWake = (wake: Wake) => void

/** Who wants to be woken in this process. */
export class Subscribers {
  readonly #all = new Set<{ readonly onWake: OnWake }>()

  get size(): number {
    return this.#all.size
  }

  add(onWake: OnWake): () => void {
    const subscriber = { onWake } // an object of its own: the same function may subscribe twice
    this.#all.add(subscriber)
    return () => {
      this.#all.delete(subscriber)
    }
  }

  wake(wakes: readonly Wake[]): void {
    for (const subscriber of [...this.#all]) {
      for (const wake of wakes) {
        if (!this.#all.has(subscriber)) break
        try {
          subscriber.onWake(wake)
        } catch {
          // a wake-up may be lost: whoever waits looks again by itself
        }
      }
    }
  }

  clear(): void {
    this.#all.clear()
  }
}
