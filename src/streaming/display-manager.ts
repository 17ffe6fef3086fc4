import { NotRunningError, StreamingError } from '../errors/index.js'
import { type Clock, closeAll, forkAbort, isAbortError, type Logger, raceAbort } from '../runtime/index.js'
import { type CommitResult, type Storage, storageNow, type Write } from '../storage/index.js'
import type { BackendChoice } from './backend-choice.js'
import type { Display, DisplayParams } from './display.js'
import { liveSession, notEnded } from './session-rows.js'
import type { StreamingJournal } from './streaming-journal.js'

export interface StartDisplayRequest extends DisplayParams {
  /** Null: of a session that is yet to be; `claim` tells whose it has become. */
  readonly organizationId: string | null
}

/** A display that runs, and whose. */
export interface RunningDisplay {
  /** Null: nobody's so far, and on no row. */
  organizationId: string | null
  readonly browserSessionId: string
  readonly display: Display
  readonly startedAt: Date
  /** How long it took to start, in milliseconds. */
  readonly startMs: number
}

interface Start {
  readonly promise: Promise<Display>
  readonly abort: (reason: unknown) => void
  /** Callers who still want it. */
  waiting: number
}

export interface DisplayManagerOptions {
  readonly storage: Storage
  readonly journal: StreamingJournal
  readonly backends: BackendChoice
  readonly clock: Clock
  readonly logger: Logger
  /** A display that died has been taken off the list. */
  readonly onLost: (running: RunningDisplay, reason: string) => void
}

/** The displays of this host: one for a session, written on the session's row while it lives. */
export class DisplayManager {
  readonly #options: DisplayManagerOptions
  readonly #starts = new Map<string, Start>()
  readonly #running = new Map<string, RunningDisplay>()
  readonly #stops = new Map<string, Promise<void>>()
  #isClosed = false

  constructor(options: DisplayManagerOptions) {
    this.#options = options
  }

  get(browserSessionId: string): RunningDisplay | undefined {
    return this.#running.get(browserSessionId)
  }

  list(): readonly RunningDisplay[] {
    return [...this.#running.values()]
  }

  /** The session's display, started unless it runs. A caller that aborts leaves; when the last one has left, the start is undone. */
  async start(request: StartDisplayRequest, signal?: AbortSignal): Promise<Display> {
    const { browserSessionId } = request
    signal?.throwIfAborted()
    const { organizationId } = request
    if (organizationId !== null) await liveSession(this.#options.storage, { organizationId, browserSessionId })
    await this.#stops.get(browserSessionId)
    if (this.#isClosed) throw new NotRunningError('StreamingSupervisor', 'stopped')
    const running = this.#running.get(browserSessionId)
    if (running) return running.display
    const start = this.#starts.get(browserSessionId) ?? this.#begin(request)
    start.waiting += 1
    try {
      return await raceAbort(start.promise, signal)
    } finally {
      start.waiting -= 1
      if (start.waiting === 0 && signal?.aborted) start.abort(signal.reason)
    }
  }

  /** Takes over the display of a session whose host is gone, where its row says it is. @throws {StreamingError} `STREAM_UNAVAILABLE`, `DISPLAY_START_FAILED` */
  async adopt(key: { readonly organizationId: string; readonly browserSessionId: string }): Promise<Display> {
    const { storage, backends, clock } = this.#options
    const { organizationId, browserSessionId } = key
    const known = this.#running.get(browserSessionId)
    if (known !== undefined) return known.display
    if (this.#isClosed) throw new NotRunningError('StreamingSupervisor', 'stopped')
    const startedMs = clock.monotonicMs()
    const { displayDir, displayBackend } = await liveSession(storage, key)
    const backend = backends.ofKind(displayBackend)
    if (displayDir === null || backend?.adopt === undefined) {
      throw new StreamingError(`The display of session ${browserSessionId} cannot be adopted: no backend here knows "${displayBackend}"`, {
        code: 'STREAM_UNAVAILABLE',
        details: { browserSessionId, displayBackend },
      })
    }
    const display = await backend.adopt({ directory: displayDir, browserSessionId }, new AbortController().signal)
    const running = { organizationId, browserSessionId, display, startedAt: clock.now(), startMs: clock.monotonicMs() - startedMs }
    await this.#record(running, organizationId)
    this.#running.set(browserSessionId, running)
    display.onExit((reason) => void this.#lost(running, reason))
    return display
  }

  /** Lets go of a detached display; any other stays. Its row goes on telling of it. */
  leave(browserSessionId: string): void {
    const running = this.#running.get(browserSessionId)
    if (running?.display.leave === undefined) return
    this.#running.delete(browserSessionId)
    running.display.leave()
  }

  /** A display that was nobody's is that of this session, whose row exists by now. Does nothing for any other. */
  async claim(organizationId: string, browserSessionId: string): Promise<void> {
    const running = this.#running.get(browserSessionId)
    if (running === undefined || running.organizationId !== null) return
    running.organizationId = organizationId
    await this.#record(running, organizationId) // a session that has ended meanwhile takes it along
  }

  /** Ends a display that runs or is being started; resolves when its processes and its directory are gone. */
  stop(browserSessionId: string): Promise<void> {
    const present = this.#stops.get(browserSessionId)
    if (present) return present
    const stop = this.#stop(browserSessionId).finally(() => this.#stops.delete(browserSessionId))
    this.#stops.set(browserSessionId, stop)
    return stop
  }

  /** Lets displays be started (again). */
  open(): void {
    this.#isClosed = false
  }

  /** Ends every display but the detached, which are left, and refuses new ones; one that fails to end does not keep the others. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const browserSessionId of [...this.#running.keys()]) this.leave(browserSessionId)
    const sessionIds = new Set([...this.#starts.keys(), ...this.#running.keys(), ...this.#stops.keys()])
    const endings = await Promise.allSettled([...sessionIds].map((id) => this.stop(id)))
    const failures = endings.flatMap((ending) => (ending.status === 'rejected' ? [() => Promise.reject(ending.reason)] : []))
    await closeAll(failures, 'the displays')
  }

  #begin(request: StartDisplayRequest): Start {
    const fork = forkAbort()
    const promise = this.#start(request, fork.signal).finally(() => this.#starts.delete(request.browserSessionId))
    promise.catch(() => {}) // every caller may have left
    const start: Start = { promise, abort: fork.abort, waiting: 0 }
    this.#starts.set(request.browserSessionId, start)
    return start
  }

  async #start(request: StartDisplayRequest, signal: AbortSignal): Promise<Display> {
    const { clock, storage, backends } = this.#options
    const { organizationId, browserSessionId } = request
    const startedMs = clock.monotonicMs()
    const backend = await backends.pick()
    signal.throwIfAborted()
    const display = await backend.start(request, signal)
    const running = { organizationId, browserSessionId, display, startedAt: clock.now(), startMs: clock.monotonicMs() - startedMs }
    try {
      signal.throwIfAborted()
      const result = organizationId === null ? null : await this.#record(running, organizationId)
      // says what is wrong with the session
      if (organizationId !== null && result?.ok === false) await liveSession(storage, { organizationId, browserSessionId })
      if (result?.ok === false) {
        throw new StreamingError(`The display of session ${browserSessionId} could not be recorded: ${result.reason}`, {
          code: 'DISPLAY_START_FAILED',
          retryable: true,
        })
      }
    } catch (error) {
      await display.stop()
      throw error
    }
    this.#running.set(browserSessionId, running)
    display.onExit((reason) => void this.#lost(running, reason))
    return display
  }

  /** Writes it on the session's row, as long as that has not ended. */
  #record({ browserSessionId, display, startMs }: RunningDisplay, organizationId: string): Promise<CommitResult> {
    const payload = { browserSessionId, backend: display.backend, displayNumber: display.displayNumber, startMs }
    const writes = [writeDisplay(organizationId, browserSessionId, display)]
    return this.#options.journal.commit({ organizationId, type: 'display.started', payload, writes })
  }

  async #stop(browserSessionId: string): Promise<void> {
    const start = this.#starts.get(browserSessionId)
    start?.abort(new DOMException(`The display of session ${browserSessionId} is being stopped`, 'AbortError'))
    await start?.promise.catch((error: unknown) => {
      if (!isAbortError(error))
        this.#options.logger.debug('a display failed to start while it was being stopped', { browserSessionId, error })
    })
    const running = this.#running.get(browserSessionId)
    if (!running) return
    this.#running.delete(browserSessionId)
    await running.display.stop()
    const { organizationId, display } = running
    if (organizationId === null) return
    await this.#options.journal.commit({
      organizationId,
      type: 'display.stopped',
      payload: { browserSessionId, backend: display.backend },
      writes: [clearDisplay(running, null)],
    })
  }

  async #lost(running: RunningDisplay, reason: string): Promise<void> {
    const { browserSessionId, display } = running
    if (this.#running.get(browserSessionId) !== running) return
    this.#running.delete(browserSessionId)
    const { journal, logger, onLost } = this.#options
    logger.warn('a display died', { browserSessionId, reason })
    onLost(running, reason)
    try {
      await display.stop() // what is left of its chain, and its directory
      const { organizationId } = running
      if (organizationId === null) return
      const payload = { browserSessionId, reason }
      await journal.commit({
        organizationId,
        type: 'display.lost',
        payload,
        writes: [clearDisplay(running, `The display died: ${reason}`)],
      })
    } catch (error) {
      logger.error('the end of a display could not be recorded', { browserSessionId, error })
    }
  }
}

function writeDisplay(organizationId: string, browserSessionId: string, display: Display): Write {
  return {
    op: 'update',
    table: 'browser_sessions',
    id: browserSessionId,
    where: { organizationId, ...notEnded },
    set: {
      displayBackend: display.backend,
      displayNumber: display.displayNumber,
      displayDir: display.directory,
      displayUnavailableReason: null,
      modifiedAt: storageNow(),
    },
  }
}

/** Only while the row still tells of this very display: the session may have got another one. */
function clearDisplay({ browserSessionId, display }: RunningDisplay, displayUnavailableReason: string | null): Write {
  return {
    op: 'update',
    table: 'browser_sessions',
    id: browserSessionId,
    where: { displayDir: display.directory },
    set: { displayBackend: null, displayNumber: null, displayDir: null, displayUnavailableReason, modifiedAt: storageNow() },
  }
}
