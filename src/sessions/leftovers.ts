import type { SessionParts, SessionTeardown } from './session-teardown.js'

/** Ends browsers that are no session's: of launches that failed, and spares. One that cannot be ended keeps its place, and is tried again. */
export class Leftovers {
  readonly #teardown: SessionTeardown
  readonly #left = new Map<SessionParts, () => void>()

  constructor(parts: { readonly teardown: SessionTeardown }) {
    this.#teardown = parts.teardown
  }

  /** Those that could not be ended so far. */
  get left(): readonly SessionParts[] {
    return [...this.#left.keys()]
  }

  /**
   * Takes everything away, and resolves when that has been tried; never rejects.
   * @param onGone called once, as soon as the browser is confirmed gone
   */
  async end(parts: SessionParts, how: { readonly isClean: boolean }, onGone: () => void): Promise<void> {
    if (await this.#teardown.run(parts, how)) onGone()
    else this.#left.set(parts, onGone)
  }

  /** Tries again what could not be ended; resolves when that has been done. */
  async retryAll(): Promise<void> {
    const left = [...this.#left]
    this.#left.clear() // what is under way is not begun a second time
    await Promise.all(left.map(([parts, onGone]) => this.end(parts, { isClean: false }, onGone)))
  }
}
