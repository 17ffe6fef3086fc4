import type { Clock } from '../runtime/index.js'
import type { Storage, StoredEvent, Write } from '../storage/storage.js'

/** How long after its failure a commit may still turn out to have been applied, in milliseconds. */
const KEEP_MS = 60_000
const PAGE_SIZE = 1_000

interface Missing {
  readonly ids: ReadonlySet<string>
  readonly untilMs: number
}

/** Events of commits whose answer never came: the storage knows whether they happened. */
export class UnansweredEvents {
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #byStream = new Map<string, Missing[]>()

  constructor(parts: { readonly storage: Storage; readonly clock: Clock }) {
    this.#storage = parts.storage
    this.#clock = parts.clock
  }

  /** Remembers what these writes were to append. */
  note(batch: readonly Write[]): void {
    const untilMs = this.#clock.monotonicMs() + KEEP_MS
    for (const write of batch) {
      if (write.op !== 'append') continue
      const missing = { ids: new Set(write.events.map(({ id }) => id)), untilMs }
      this.#byStream.set(write.stream, [...(this.#byStream.get(write.stream) ?? []), missing])
    }
  }

  has(stream: string): boolean {
    return this.#byStream.has(stream)
  }

  get streams(): readonly string[] {
    return [...this.#byStream.keys()]
  }

  /** Those of a stream that did happen, oldest first, each once; what is not found in time is forgotten. Rejects as the storage does. */
  async take(stream: string): Promise<readonly StoredEvent[]> {
    if (!this.has(stream)) return []
    const found: StoredEvent[] = []
    for (let after = 0; ; ) {
      const page = await this.#storage.readEvents({ stream, after, limit: PAGE_SIZE })
      found.push(...page)
      after = page.at(-1)?.seq ?? after
      if (page.length < PAGE_SIZE) break
    }
    const missing = this.#byStream.get(stream) ?? [] // somebody else may have taken them meanwhile
    const taken = found.filter(({ id }) => missing.some(({ ids }) => ids.has(id)))
    const takenIds = new Set(taken.map(({ id }) => id))
    const nowMs = this.#clock.monotonicMs()
    const left = missing.filter(({ ids, untilMs }) => untilMs > nowMs && ![...ids].some((id) => takenIds.has(id)))
    if (left.length === 0) this.#byStream.delete(stream)
    else this.#byStream.set(stream, left)
    return taken
  }
}
