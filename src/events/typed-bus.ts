import { EventEmitter } from 'eventemitter3'
import type { EventPayload, EventType } from './schemas.js'

/** An event as listeners and readers get it. */
export interface RunwrightEvent<T extends EventType = EventType> {
  /** Gapless from 1 within its stream. */
  readonly seq: number
  readonly id: string
  /** When it was committed, by the storage's clock. */
  readonly at: Date
  readonly type: T
  readonly organizationId: string
  /** `run:<id>`, `session:<id>` or `workflow:<permanentId>`. */
  readonly stream: string
  readonly payload: EventPayload<T>
}

/** Any event, discriminated by `type`. */
export type AnyEvent<T extends EventType = EventType> = { [K in T]: RunwrightEvent<K> }[T]

/** A listener of one event type. */
export type Listener<T extends EventType> = (payload: EventPayload<T>, event: RunwrightEvent<T>) => void

const ANY = Symbol('any')

/** What a listener threw, and at which event. */
export type ListenerErrorHandler = (error: unknown, event: AnyEvent) => void

/** Reports to a logger: what a service does that names no handler of its own. */
export const logListenerErrors =
  (logger: { warn(message: string, fields?: Readonly<Record<string, unknown>>): void }): ListenerErrorHandler =>
  (error, event) =>
    logger.warn('a listener failed', { type: event.type, stream: event.stream, error })

/** Typed events of this process. A listener that throws, or rejects, disturbs nobody: it is reported to `onListenerError`. */
export class TypedBus<T extends EventType> {
  readonly #emitter = new EventEmitter()
  readonly #onListenerError: ListenerErrorHandler

  constructor(onListenerError: ListenerErrorHandler = () => {}) {
    this.#onListenerError = onListenerError
  }

  /** Calls the listener for each event of the type; returns the function that ends it. */
  on<K extends T>(type: K, listener: Listener<K>): () => void {
    return this.#listen(type, (event) => listener(event.payload as EventPayload<K>, event as unknown as RunwrightEvent<K>))
  }

  /** Calls the listener for every event; returns the function that ends it. */
  onAny(listener: (event: AnyEvent<T>) => void): () => void {
    return this.#listen(ANY, (event) => listener(event as AnyEvent<T>))
  }

  /** The one safe emit: called after the write has succeeded. */
  emit(event: AnyEvent): void {
    this.#emitter.emit(event.type, event)
    this.#emitter.emit(ANY, event)
  }

  /** Number of listeners, for leak checks. */
  get listenerCount(): number {
    return this.#emitter.eventNames().reduce((sum, name) => sum + this.#emitter.listenerCount(name), 0)
  }

  #listen(name: string | symbol, call: (event: AnyEvent) => unknown): () => void {
    const safe = (event: AnyEvent) => {
      try {
        const returned = call(event)
        if (returned instanceof Promise) returned.catch((error: unknown) => this.#report(error, event))
      } catch (error) {
        this.#report(error, event)
      }
    }
    this.#emitter.on(name, safe)
    return () => {
      this.#emitter.off(name, safe)
    }
  }

  #report(error: unknown, event: AnyEvent): void {
    try {
      this.#onListenerError(error, event)
    } catch {
      // the reporter itself failed: there is nobody left to tell
    }
  }
}
