interface Entry {
  readonly value: unknown
  close(): Promise<void>
}

/** Things that all runs of an area use: each is made once, and closed with the others, the latest first. */
export class Shared {
  readonly #entries = new Map<string, Promise<Entry>>()

  async get<T>(key: string, open: () => Promise<{ readonly value: T; close(): Promise<void> }>): Promise<T> {
    const present = this.#entries.get(key)
    if (present !== undefined) return (await present).value as T
    const entry = open()
    this.#entries.set(key, entry)
    return (await entry).value as T
  }

  async close(): Promise<void> {
    const entries = [...this.#entries.values()].reverse()
    this.#entries.clear()
    for (const entry of entries) await (await entry.catch(() => undefined))?.close()
  }
}
