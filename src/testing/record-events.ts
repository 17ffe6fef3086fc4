import { systemClock, withDeadline } from '../runtime/index.js'

/** The part of an event that a recording needs. */
export interface RecordableEvent {
  readonly type: string
}

/** What can be recorded: an engine, a pool or a supervisor through `onAny`, or the events of a run or session. */
export type EventSource<E extends RecordableEvent> = { onAny(listener: (event: E) => void): () => void } | AsyncIterable<E>

/** Which event is waited for, and how long. */
export interface WaitForEventOptions<E> {
  /** Only an event for which this is true. */
  readonly where?: (event: E) => boolean
  /** In milliseconds. @default 10_000 */
  readonly timeoutMs?: number
}

/** What came so far, and what is still to come. */
export interface EventRecording<E extends RecordableEvent> {
  /** In the order in which they came; grows. */
  readonly events: readonly E[]
  /** Types of the events so far. */
  types(): E['type'][]
  /**
   * The first event of a type, whether it has come or is still to come. Rejects after `timeoutMs`, and when the source ends or fails
   * before; the message says what came instead.
   */
  waitFor<T extends E['type']>(type: T, options?: WaitForEventOptions<Extract<E, { type: T }>>): Promise<Extract<E, { type: T }>>
  /** Records no more. What is recorded stays. */
  stop(): void
}

/**
 * Keeps the events of a source, so that a test can look at them and wait for them.
 *
 * @example
 * const recording = recordEvents(engine)
 * await engine.startRun({ workflowPermanentId })
 * const { payload } = await recording.waitFor('run.completed')
 * recording.stop()
 */
export function recordEvents<E extends RecordableEvent>(source: EventSource<E>): EventRecording<E> {
  const events: E[] = []
  const looks = new Set<() => void>()
  let end: { readonly reason: string; readonly cause?: unknown } | undefined
  const lookAgain = () => {
    for (const look of looks) look()
  }
  const finish = (reason: string, cause?: unknown) => {
    end ??= { reason, cause }
    lookAgain()
  }
  const record = (event: E) => {
    if (end !== undefined) return
    events.push(event)
    lookAgain()
  }
  const unsubscribe = 'onAny' in source ? source.onAny(record) : follow(source, record, finish)

  const waitFor: EventRecording<E>['waitFor'] = (type, { where = () => true, timeoutMs = 10_000 } = {}) => {
    type Wanted = Extract<E, { type: typeof type }>
    const failure = (why: string, cause?: unknown) =>
      new Error(`No event ${type} ${why}; there came: ${events.map((event) => event.type).join(', ') || 'none'}`, { cause })
    let look = () => {}
    const found = new Promise<Wanted>((resolve, reject) => {
      look = () => {
        const event = events.find((one): one is Wanted => one.type === type && where(one as Wanted))
        if (event !== undefined) resolve(event)
        else if (end !== undefined) reject(failure(end.reason, end.cause))
      }
    })
    looks.add(look)
    look()
    const onTimeout = () => failure(`within ${timeoutMs} ms`)
    return withDeadline({ run: () => found, timeoutMs, onTimeout, clock: systemClock }).finally(() => looks.delete(look))
  }

  return {
    events,
    types: () => events.map((event) => event.type),
    waitFor,
    stop() {
      unsubscribe()
      finish('before the recording was stopped')
    },
  }
}

/** Reads an iterable to its end; the function that is returned ends it before. */
function follow<E>(source: AsyncIterable<E>, record: (event: E) => void, finish: (reason: string, cause?: unknown) => void): () => void {
  const iterator = source[Symbol.asyncIterator]()
  const read = async () => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) record(next.value)
  }
  read().then(
    () => finish('before the source ended'),
    (error: unknown) => finish(`before the source failed: ${String(error)}`, error),
  )
  return () => {
    iterator.return?.()?.catch(() => {}) // a generator that waits ends at its next event; nobody is left to hear of its failure
  }
}
