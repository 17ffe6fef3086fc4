import { type AnyEvent, type DebugEventType, debugStream, type EventPayload, logListenerErrors, TypedBus } from '../events/index.js'
import type { CommitResult, NewEvent, Write } from '../storage/index.js'
import type { DebugSettings } from './debug-options.js'
import { type DebugSession, type NamedDebugSession, named } from './debug-session.js'

/** Commits of debug sessions, with their events; listeners of this process hear of those afterwards. */
export class DebugJournal {
  readonly bus: TypedBus<DebugEventType>
  readonly #settings: DebugSettings

  constructor(settings: DebugSettings) {
    this.#settings = settings
    this.bus = new TypedBus(settings.onListenerError ?? logListenerErrors(settings.logger))
  }

  /** The write that tells of a debug session. */
  tell<T extends DebugEventType>(
    type: T,
    session: NamedDebugSession & Pick<DebugSession, 'organizationId'>,
    more: Omit<EventPayload<T>, keyof NamedDebugSession>,
  ): Write {
    const { organizationId, debugSessionId } = session
    const event: NewEvent = { id: this.#settings.ids.next('evt'), type, organizationId, payload: { ...named(session), ...more } }
    return { op: 'append', stream: debugStream(debugSessionId), events: [event] }
  }

  /** Streams of others may be among the writes: their events are heard of by whoever reads those. */
  async commit(batch: readonly Write[]): Promise<CommitResult> {
    const result = await this.#settings.storage.commit(batch)
    if (!result.ok) return result
    for (const event of result.events.flat()) if (event.stream.startsWith(debugStream(''))) this.bus.emit(event as unknown as AnyEvent)
    return result
  }
}
