import type { AnyEvent } from '../events/index.js'
import { type Clock, forkAbort, sleep, systemClock } from '../runtime/index.js'
import type { Storage, StoredEvent } from './storage.js'

export interface ReadStreamParams {
  readonly storage: Storage
  /** `run:<id>`, `session:<id>` or `workflow:<permanentId>`. */
  readonly stream: string
  /** Only events with a greater `seq`. @default 0 */
  readonly after?: number
  /** Ends the iteration: it throws the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Whether nothing follows this event; the iteration ends after it. */
  readonly isLast?: (event: StoredEvent) => boolean
  /** How often the storage is asked when no wake-up comes, in milliseconds. @default 1_000 */
  readonly pollMs?: number
  readonly clock?: Clock
}

const PAGE_SIZE = 1_000

/**
 * Reads a stream: what is stored after `after`, then what is appended, without gap or duplicate at the seam.
 * Wake-ups of the storage only shorten the wait; the events themselves are always read by `seq`.
 */
export async function* readStream(params: ReadStreamParams): AsyncGenerator<AnyEvent, void, undefined> {
  const { storage, stream, signal, isLast, pollMs = 1_000, clock = systemClock } = params
  const bell = new Bell()
  const unsubscribe = await storage.subscribe?.((wake) => {
    const isOther = wake.stream === undefined ? wake.table !== undefined : wake.stream !== stream
    if (!isOther) bell.ring()
  })
  try {
    let after = params.after ?? 0
    while (true) {
      signal?.throwIfAborted()
      bell.arm() // before the read: what is appended during it rings
      const events = await storage.readEvents({ stream, after, limit: PAGE_SIZE })
      for (const event of events) {
        signal?.throwIfAborted()
        after = event.seq
        yield event as unknown as AnyEvent
        if (isLast?.(event)) return
      }
      if (events.length < PAGE_SIZE) await bell.wait(clock, pollMs, signal)
    }
  } finally {
    await unsubscribe?.()
  }
}

/** Lets one reader sleep until it is rung or a time has passed. */
class Bell {
  #hasRung = false
  #wakeUp: (() => void) | undefined

  arm(): void {
    this.#hasRung = false
  }

  ring(): void {
    this.#hasRung = true
    this.#wakeUp?.()
  }

  async wait(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#hasRung) return
    const fork = forkAbort(signal)
    this.#wakeUp = () => fork.abort(RUNG)
    try {
      await sleep(clock, ms, fork.signal)
    } catch (reason) {
      if (reason !== RUNG) throw reason
    } finally {
      this.#wakeUp = undefined
      fork.dispose()
    }
  }
}

const RUNG = Symbol('rung')
