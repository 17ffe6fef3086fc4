import { NotRunningError, StreamingError } from '../errors/index.js'
import { type Clock, closeAll, forkAbort, isAbortError, type Logger, raceAbort } from '../runtime/index.js'
import { type Storage, storageNow, type Write } from '../storage/index.js'
import type { BackendChoice } from './backend-choice.js'
import type { Display, DisplayParams } from './display.js'
import { liveSession, notEnded } from './session-rows.js'
import type { StreamingJournal } from './streaming-journal.js'

export interface StartDisplayRequest extends DisplayParams {
  readonly organizationId: string
}

/** A display that runs, and whose. */
export interface RunningDisplay {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly display: Display
  readonly startedAt: Date
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
    await liveSession(this.#options.storage, request)
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

  /** Ends every display, and refuses new ones; one that fails to end does not keep the others. */
  async close(): Promise<void> {
    this.#isClosed = true
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
    const { clock, storage, backends, journal } = this.#options
    const { organizationId, browserSessionId } = request
    const startedMs = clock.monotonicMs()
    const backend = await backends.pick()
    signal.throwIfAborted()
    const display = await backend.start(request, signal)
    try {
      signal.throwIfAborted()
      const payload = {
        browserSessionId,
        backend: display.backend,
        displayNumber: display.displayNumber,
        startMs: clock.monotonicMs() - startedMs,
      }
      const writes = [writeDisplay(organizationId, browserSessionId, display)]
      const result = await journal.commit({ organizationId, type: 'display.started', payload, writes })
      if (!result.ok) await liveSession(storage, request) // says what is wrong with the session
      if (!result.ok) {
        throw new StreamingError(`The display of session ${browserSessionId} could not be recorded: ${result.reason}`, {
          code: 'DISPLAY_START_FAILED',
          retryable: true,
        })
      }
    } catch (error) {
      await display.stop()
      throw error
    }
    const running = { organizationId, browserSessionId, display, startedAt: clock.now() }
    this.#running.set(browserSessionId, running)
    display.onExit((reason) => void this.#lost(running, reason))
    return display
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
    await this.#options.journal.commit({
      organizationId,
      type: 'display.stopped',
      payload: { browserSessionId, backend: display.backend },
      writes: [clearDisplay(running, null)],
    })
  }

  async #lost(running: RunningDisplay, reason: string): Promise<void> {
    const { organizationId, browserSessionId, display } = running
    if (this.#running.get(browserSessionId) !== running) return
    this.#running.delete(browserSessionId)
    const { journal, logger, onLost } = this.#options
    logger.warn('a display died', { browserSessionId, reason })
    onLost(running, reason)
    try {
      await display.stop() // what is left of its chain, and its directory
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
