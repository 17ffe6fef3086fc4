import type { AnyEvent } from '../events/index.js'
import { type Clock, systemClock } from '../runtime/index.js'
import type { Storage, StoredEvent, Wake } from './storage.js'

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
  /** While true, nothing is read for a wake-up, as what is waited for comes another way. @default never */
  readonly isQuiet?: () => boolean
  readonly clock?: Clock
}

const PAGE_SIZE = 1_000
const never = () => false

/**
 * Reads a stream: what is stored after `after`, then what is appended, without gap or duplicate at the seam.
 * Wake-ups of the storage only shorten the wait; the events themselves are always read by `seq`.
 */
export async function* readStream(params: ReadStreamParams): AsyncGenerator<AnyEvent, void, undefined> {
  const { storage, stream, signal, isLast, pollMs = 1_000, clock = systemClock, isQuiet = never } = params
  const bell = new Bell()
  const stopListening = await StreamBells.of(storage).listen(stream, bell)
  try {
    let after = params.after ?? 0
    for (let untilMs = clock.monotonicMs() + pollMs; ; untilMs = clock.monotonicMs() + pollMs) {
      signal?.throwIfAborted()
      bell.arm() // before the read: what is appended during it rings
      while (isQuiet() && clock.monotonicMs() < untilMs) {
        await bell.wait(clock, Math.max(1, untilMs - clock.monotonicMs()), signal)
        bell.arm()
      }
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
    await stopListening()
  }
}

const bellsOfStorages = new WeakMap<Storage, StreamBells>()

/** Wake-ups of one storage for all of its readers: one subscription, so that a commit costs the same however many streams are followed. */
class StreamBells {
  readonly #storage: Storage
  readonly #bells = new Map<string, Set<Bell>>()
  #subscription: Promise<() => Promise<void>> | undefined

  private constructor(storage: Storage) {
    this.#storage = storage
  }

  static of(storage: Storage): StreamBells {
    const bells = bellsOfStorages.get(storage) ?? new StreamBells(storage)
    bellsOfStorages.set(storage, bells)
    return bells
  }

  /** Rings a bell with its stream; gives the function that ends it. */
  async listen(stream: string, bell: Bell): Promise<() => Promise<void>> {
    const bells = this.#bells.get(stream) ?? new Set()
    this.#bells.set(stream, bells.add(bell))
    const stop = () => this.#remove(stream, bell)
    try {
      this.#subscription ??= this.#storage.subscribe?.((wake) => this.#onWake(wake))
      await this.#subscription
    } catch (error) {
      await stop()
      throw error
    }
    return stop
  }

  async #remove(stream: string, bell: Bell): Promise<void> {
    const bells = this.#bells.get(stream)
    bells?.delete(bell)
    if (bells?.size === 0) this.#bells.delete(stream)
    if (this.#bells.size > 0) return
    const subscription = this.#subscription
    this.#subscription = undefined
    const unsubscribe = await subscription?.catch(() => undefined) // whoever listened first has heard of it
    await unsubscribe?.()
  }

  #onWake(wake: Wake): void {
    if (wake.stream !== undefined) for (const bell of this.#bells.get(wake.stream) ?? []) bell.ring()
    else if (wake.table === undefined) for (const bells of this.#bells.values()) for (const bell of bells) bell.ring()
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
    signal?.throwIfAborted()
    if (this.#hasRung) return
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => {
        timer.cancel()
        signal?.removeEventListener('abort', onAbort)
        this.#wakeUp = undefined
        settle()
      }
      const onAbort = () => end(() => reject(signal?.reason))
      const timer = clock.setTimer(() => end(resolve), ms, { keepAlive: true }) // somebody waits for it
      this.#wakeUp = () => end(resolve)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }
}
