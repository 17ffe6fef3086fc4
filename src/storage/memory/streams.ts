import type { NewEvent, StoredEvent } from '../storage.js'
import { acceptJson, copyJson } from '../values.js'

const copyEvent = (event: StoredEvent): StoredEvent => ({
  ...event,
  at: new Date(event.at.getTime()),
  payload: copyJson(event.payload) as StoredEvent['payload'],
})

/** The event streams: in each, `seq` is the place in the list, from 1. */
export class MemoryStreams {
  readonly #streams = new Map<string, StoredEvent[]>()

  /** Appends and returns the stored events; they are the store's own, so copy them before handing them out. */
  append(stream: string, events: readonly NewEvent[], at: Date): readonly StoredEvent[] {
    if (events.length === 0) return []
    const place = { table: 'events', column: 'payload' }
    const accepted = events.map((event) => ({ ...event, payload: acceptJson(event.payload, place) as StoredEvent['payload'] }))
    const log = this.#streams.get(stream) ?? []
    const stored = accepted.map(({ id, type, organizationId, payload }, index) => {
      return { stream, seq: log.length + index + 1, id, type, organizationId, at, payload }
    })
    log.push(...stored)
    this.#streams.set(stream, log)
    return stored
  }

  /** Takes back the last events of a stream. */
  truncate(stream: string, count: number): void {
    const log = this.#streams.get(stream)
    if (log === undefined) return
    log.length -= count
    if (log.length === 0) this.#streams.delete(stream)
  }

  /** Removes a stream and returns its events, for `restore`. */
  remove(stream: string): readonly StoredEvent[] {
    const log = this.#streams.get(stream) ?? []
    this.#streams.delete(stream)
    return log
  }

  restore(stream: string, events: readonly StoredEvent[]): void {
    if (events.length > 0) this.#streams.set(stream, [...events])
  }

  read(stream: string, after: number, limit: number): StoredEvent[] {
    return (
      this.#streams
        .get(stream)
        ?.slice(after, after + limit)
        .map(copyEvent) ?? []
    )
  }

  copyOf(events: readonly StoredEvent[]): StoredEvent[] {
    return events.map(copyEvent)
  }

  *all(): Iterable<readonly [stream: string, events: readonly StoredEvent[]]> {
    yield* this.#streams
  }

  clear(): void {
    this.#streams.clear()
  }
}
