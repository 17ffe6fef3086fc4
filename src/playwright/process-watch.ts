import type { Clock, Timer } from '../runtime/index.js'
import type { ProcessIdentity } from '../sessions/ports.js'
import { isProcessAlive } from './process-tree.js'

/** Between two looks: reading one stat file takes some 10 µs, and a pipe that ends late may take 355 ms. */
const LOOK_EVERY_MS = 25

/** Tells when processes end. One timer for all of them, and none while nothing is watched. */
export class ProcessWatch {
  readonly #clock: Clock
  readonly #watched = new Map<ProcessIdentity, () => void>()
  #timer: Timer | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls back once, when the process is gone or a zombie. Without /proc it is never called. */
  watch(identity: ProcessIdentity, onExit: () => void): () => void {
    if (identity.startTime === null) return () => {}
    this.#watched.set(identity, onExit)
    this.#schedule()
    return () => {
      this.#watched.delete(identity)
      if (this.#watched.size > 0) return
      this.#timer?.cancel()
      this.#timer = null
    }
  }

  #schedule(): void {
    this.#timer ??= this.#clock.setTimer(() => {
      this.#timer = null
      for (const [identity, onExit] of this.#watched) {
        if (isProcessAlive(identity)) continue
        this.#watched.delete(identity)
        onExit()
      }
      if (this.#watched.size > 0) this.#schedule()
    }, LOOK_EVERY_MS)
  }
}
