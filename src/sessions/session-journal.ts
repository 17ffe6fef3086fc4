import type { AnyEvent, EventPayload, ProfileEventType, SessionEventType, TypedBus } from '../events/index.js'
import { sessionStream } from '../events/index.js'
import type { Clock, Ids } from '../runtime/index.js'
import type { CommitResult, NewEvent, Storage, StoredEvent, Write } from '../storage/storage.js'
import { UnansweredEvents } from './unanswered-events.js'

/** What a pool emits: the events of its sessions, of what is kept of them, and that one goes on without the display it should have had. */
export type PoolEventType = SessionEventType | ProfileEventType | 'artifact.saved' | 'artifact.failed' | 'display.degraded'

/** Writes of the pool, with their events in the same commit; listeners hear of them when the caller says so. */
export class SessionJournal {
  readonly #storage: Storage
  readonly #ids: Ids
  readonly #bus: TypedBus<PoolEventType>
  readonly #unanswered: UnansweredEvents

  constructor(parts: { readonly storage: Storage; readonly ids: Ids; readonly clock: Clock }, bus: TypedBus<PoolEventType>) {
    this.#storage = parts.storage
    this.#ids = parts.ids
    this.#bus = bus
    this.#unanswered = new UnansweredEvents(parts)
  }

  event<T extends PoolEventType>(type: T, organizationId: string, payload: EventPayload<T>): NewEvent {
    return { id: this.#ids.next('evt'), type, organizationId, payload }
  }

  append(browserSessionId: string, events: readonly NewEvent[]): Write {
    return { op: 'append', stream: sessionStream(browserSessionId), events }
  }

  /** Where the answer is lost, listeners hear of the events later, if the commit was applied: before the next of their stream, or by `settle`. */
  async commit(batch: readonly Write[]): Promise<CommitResult> {
    for (const write of batch) if (write.op === 'append' && this.#unanswered.has(write.stream)) await this.#tell(write.stream)
    try {
      return await this.#storage.commit(batch)
    } catch (error) {
      this.#unanswered.note(batch)
      throw error
    }
  }

  /** A commit of somebody else with these writes is not known to have been applied. */
  unanswered(batch: readonly Write[]): void {
    this.#unanswered.note(batch)
  }

  /** Finds out about the commits whose answer was lost, and tells listeners of those that were applied. Never rejects. */
  async settle(): Promise<void> {
    await Promise.all(this.#unanswered.streams.map((stream) => this.#tell(stream)))
  }

  /** Tells this process's listeners what a commit appended; called after the pool's own state has followed the write. */
  emit(events: readonly (readonly StoredEvent[])[]): void {
    for (const appended of events) for (const event of appended) this.#bus.emit(event as unknown as AnyEvent)
  }

  async #tell(stream: string): Promise<void> {
    try {
      this.emit([await this.#unanswered.take(stream)])
    } catch {
      // the storage does not answer yet; they are looked for again
    }
  }
}
