import type { AnyEvent, EventPayload, StreamingEventType, TypedBus } from '../events/index.js'
import { sessionStream } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import type { CommitResult, Storage, Write } from '../storage/index.js'

export interface JournalEntry<T extends StreamingEventType> {
  readonly organizationId: string
  readonly type: T
  readonly payload: EventPayload<T>
  /** Applied together with the event, or not at all. */
  readonly writes?: readonly Write[]
}

/** Writes what happens to displays and viewers into the session's stream, and tells listeners once it is written. */
export class StreamingJournal {
  readonly #storage: Storage
  readonly #ids: Ids
  readonly #bus: TypedBus<StreamingEventType>

  constructor(options: { readonly storage: Storage; readonly ids: Ids; readonly bus: TypedBus<StreamingEventType> }) {
    this.#storage = options.storage
    this.#ids = options.ids
    this.#bus = options.bus
  }

  /** Commits the writes and the event as one. A refused commit applies and emits nothing. */
  async commit<T extends StreamingEventType>(entry: JournalEntry<T>): Promise<CommitResult> {
    const { organizationId, type, payload, writes = [] } = entry
    const result = await this.#storage.commit([
      ...writes,
      {
        op: 'append',
        stream: sessionStream(payload.browserSessionId),
        events: [{ id: this.#ids.next('evt'), type, organizationId, payload }],
      },
    ])
    const stored = result.ok ? result.events.at(-1)?.[0] : undefined
    if (stored) this.#bus.emit(stored as unknown as AnyEvent<StreamingEventType>)
    return result
  }
}
