import type { AnyEvent, EventPayload, ProfileEventType, SessionEventType, TypedBus } from '../events/index.js'
import { sessionStream } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import type { CommitResult, NewEvent, Storage, StoredEvent, Write } from '../storage/storage.js'

/** What a pool emits: the events of its sessions, of what is kept of them, and that one goes on without the display it should have had. */
export type PoolEventType = SessionEventType | ProfileEventType | 'artifact.saved' | 'artifact.failed' | 'display.degraded'

/** Writes of the pool, with their events in the same commit; listeners hear of them when the caller says so. */
export class SessionJournal {
  readonly #storage: Storage
  readonly #ids: Ids
  readonly #bus: TypedBus<PoolEventType>

  constructor(parts: { readonly storage: Storage; readonly ids: Ids }, bus: TypedBus<PoolEventType>) {
    this.#storage = parts.storage
    this.#ids = parts.ids
    this.#bus = bus
  }

  event<T extends PoolEventType>(type: T, organizationId: string, payload: EventPayload<T>): NewEvent {
    return { id: this.#ids.next('evt'), type, organizationId, payload }
  }

  append(browserSessionId: string, events: readonly NewEvent[]): Write {
    return { op: 'append', stream: sessionStream(browserSessionId), events }
  }

  commit(batch: readonly Write[]): Promise<CommitResult> {
    return this.#storage.commit(batch)
  }

  /** Tells this process's listeners what a commit appended; called after the pool's own state has followed the write. */
  emit(events: readonly (readonly StoredEvent[])[]): void {
    for (const appended of events) for (const event of appended) this.#bus.emit(event as unknown as AnyEvent)
  }
}
