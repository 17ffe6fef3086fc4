import { NotRunningError, TimeoutError } from '../errors/index.js'
import { type AbortFork, forkAbort, type Timer, withDeadline } from '../runtime/index.js'
import { type BrowserStart, type BrowserStartRequest, type LaunchProgress, newProgress, type StartedBrowser } from './browser-start.js'
import { Deferred } from './deferred.js'
import type { LaunchQueue } from './launch-queue.js'
import type { Leftovers } from './leftovers.js'
import type { SessionPoolSettings } from './options.js'
import type { SessionRegistry } from './session-registry.js'
import { specKey } from './session-spec.js'

/** A launched, clean browser that is nobody's: without a row, it dies with its host. */
export interface Spare {
  /** The session that it will be. */
  readonly browserSessionId: string
  /** Which requests it is good for. */
  readonly key: string
  readonly started: StartedBrowser
  readonly progress: LaunchProgress
  readonly readyAtMs: number
}

export interface WarmSparesParts {
  readonly settings: SessionPoolSettings
  readonly registry: SessionRegistry
  readonly queue: LaunchQueue
  readonly browserStart: BrowserStart
  readonly leftovers: Leftovers
}

/** Behind every launch that somebody waits for. */
const SPARE_PRIORITY = Number.MIN_SAFE_INTEGER
/** Between looks whether a spare is missing or too old, and after a launch that failed, in milliseconds. */
const PAUSE_MS = 1_000
const PAUSE_AFTER_FAILURE_MS = 10_000
/** Limit of the question whether a spare still lives before it is handed out, in milliseconds. */
const PROBE_LIMIT_MS = 2_000
const MINUTE_MS = 60_000

/**
 * Keeps browsers ready for sessions to come, one launch after the other, and only while nobody waits for a launch of his own, there is
 * room, and launches succeed. Each is given out once, to one organisation.
 */
export class WarmSpares {
  readonly #parts: WarmSparesParts
  readonly #ready: Spare[] = []
  /** Endings under way, and the launch; all settle, none rejects. */
  readonly #endings = new Set<Promise<void>>()
  #launching: { readonly fork: AbortFork; readonly done: Promise<void> } | null = null
  #timer: Timer | undefined
  #mayLaunch: () => boolean = () => true
  #isRunning = false
  #pausedUntilMs = Number.NEGATIVE_INFINITY

  constructor(parts: WarmSparesParts) {
    this.#parts = parts
  }

  /** Begins to fill up. `mayLaunch` is asked before each launch: false while somebody waits for the place that it would take. */
  start(mayLaunch: () => boolean): void {
    if (this.#parts.settings.warm === undefined) return
    this.#mayLaunch = mayLaunch
    this.#isRunning = true
    this.#look()
  }

  /** Ends all spares, and resolves when they are gone as far as they can be. */
  async stop(): Promise<void> {
    this.#isRunning = false
    this.#timer?.cancel()
    this.#timer = undefined
    this.#launching?.fork.abort(new NotRunningError('SessionPool', 'stopping'))
    await this.#launching?.done
    for (const spare of this.#ready.splice(0)) this.#end(spare, true)
    await Promise.all(this.#endings)
  }

  /** Spares that may be taken now. */
  get size(): number {
    return this.#ready.length
  }

  /** Whether `makeRoom` would end something. */
  get canMakeRoom(): boolean {
    return this.#ready.length > 0 || this.#launching !== null
  }

  has(key: string): boolean {
    return this.#ready.some((spare) => spare.key === key)
  }

  /** Takes the spare that has waited longest; its place in the registry is the caller's from here on. */
  take(key: string): Spare | undefined {
    const index = this.#ready.findIndex((spare) => spare.key === key)
    const [spare] = index < 0 ? [] : this.#ready.splice(index, 1)
    if (spare !== undefined) this.#lookSoon()
    return spare
  }

  /** Whether its browser still answers; never rejects. */
  async answers({ started, progress }: Spare): Promise<boolean> {
    const timeoutMs = PROBE_LIMIT_MS
    try {
      await withDeadline({
        run: (signal) => started.browser.probe({ signal, timeoutMs }),
        timeoutMs,
        onTimeout: () => new TimeoutError('The probe of a spare', timeoutMs),
        clock: this.#parts.settings.clock,
      })
      return progress.lostReason === null
    } catch {
      return false // dead or hanging: it is all the same for who wants it
    }
  }

  /** Its display is that of a session from here on. */
  async claimDisplay({ browserSessionId, started }: Spare, organizationId: string): Promise<void> {
    const { streaming, logger } = this.#parts.settings
    if (streaming === undefined || started.display === null) return
    try {
      await streaming.claimDisplay({ organizationId, browserSessionId })
    } catch (error) {
      logger.warn('the display of a spare could not be made over to its session', { browserSessionId, error })
    }
  }

  /** Ends one spare, or the launch of one, for a session of another kind; resolves when its place is free, or at once if there is none. */
  async makeRoom(): Promise<void> {
    const spare = this.#ready.shift()
    if (spare !== undefined) return this.#end(spare, true)
    this.#launching?.fork.abort(new NotRunningError('The launch of a spare', 'stopping'))
    await this.#launching?.done
  }

  /** Looks now whether a spare is missing, too old, or too many. */
  #look(): void {
    const { clock, warm } = this.#parts.settings
    this.#timer?.cancel()
    if (!this.#isRunning || warm === undefined) return
    const now = clock.monotonicMs()
    const isOld = (spare: Spare) => now - spare.readyAtMs >= warm.maxAgeMinutes * MINUTE_MS
    for (const spare of this.#ready.filter((one) => isOld(one))) this.#discard(spare, true)
    if (this.#isMissing(warm.min, now)) this.#launch()
    this.#timer = clock.setTimer(() => this.#look(), PAUSE_MS)
  }

  /** Not at once: whoever has just taken one goes first. */
  #lookSoon(): void {
    if (!this.#isRunning) return
    this.#timer?.cancel()
    this.#timer = this.#parts.settings.clock.setTimer(() => this.#look(), 0)
  }

  #isMissing(min: number, now: number): boolean {
    const { registry, queue } = this.#parts
    if (this.#launching !== null || this.#ready.length >= min || now < this.#pausedUntilMs) return false
    return queue.breaker.state === 'closed' && queue.waiting === 0 && registry.hasRoom() && this.#mayLaunch()
  }

  #launch(): void {
    const fork = forkAbort()
    const done = this.#bringUp(fork.signal).finally(() => {
      this.#launching = null
      this.#lookSoon()
    })
    this.#launching = { fork, done }
  }

  /** Never rejects. */
  async #bringUp(signal: AbortSignal): Promise<void> {
    const { settings, registry, browserStart } = this.#parts
    const { warm, clock, logger } = settings
    if (warm === undefined) return
    const browserSessionId = settings.ids.next('bs')
    const headless = warm.spec.headless ?? settings.headless
    const request: BrowserStartRequest = {
      ...warm.spec,
      ...{ organizationId: '', private: false, isSpare: true, proxy: null },
      ...{ browserSessionId, headless, priority: SPARE_PRIORITY },
    }
    const progress = newProgress(browserSessionId)
    registry.addSpare(browserSessionId)
    try {
      const started = await browserStart.start(request, progress, signal)
      signal.throwIfAborted()
      const spare = { browserSessionId, key: specKey({ ...warm.spec }, settings), started, progress, readyAtMs: clock.monotonicMs() }
      this.#ready.push(spare)
      this.#watch(spare)
    } catch (error) {
      if (!signal.aborted) {
        this.#pausedUntilMs = clock.monotonicMs() + PAUSE_AFTER_FAILURE_MS
        logger.warn('a spare browser could not be launched', { error })
      }
      await this.#undo(progress)
    }
  }

  /** One that dies is replaced. */
  #watch(spare: Spare): void {
    const onLost = (reason: string) => {
      spare.progress.lostReason ??= reason
      this.#parts.settings.logger.warn('a spare browser is gone', { browserSessionId: spare.browserSessionId, reason })
      this.#discard(spare, false)
    }
    const { browser, display } = spare.started
    spare.progress.untie.push(browser.onLost(onLost))
    if (display !== null) spare.progress.untie.push(display.onExit((reason) => onLost(`its display is gone: ${reason}`)))
    this.#parts.registry.changed()
  }

  #discard(spare: Spare, isClean: boolean): void {
    const index = this.#ready.indexOf(spare)
    if (index < 0) return // taken: it is somebody's affair
    this.#ready.splice(index, 1)
    this.#end(spare, isClean)
    this.#lookSoon()
  }

  /** Its place is free when its process is confirmed gone. */
  #end(spare: Spare, isClean: boolean): Promise<void> {
    const ending = this.#tearDown(spare.progress, isClean).finally(() => this.#endings.delete(ending))
    this.#endings.add(ending)
    return ending
  }

  async #undo(progress: LaunchProgress): Promise<void> {
    const { late } = progress
    if (late === null) return this.#tearDown(progress, false)
    const { clock, closeTimeoutMs } = this.#parts.settings
    const settled = new Deferred()
    const timer = clock.setTimer(() => settled.resolve(), closeTimeoutMs) // whoever waits does not wait for ever
    void late
      .then((browser) => this.#tearDown({ ...progress, browser }, false))
      .finally(() => {
        timer.cancel()
        settled.resolve()
      })
    return settled.promise
  }

  async #tearDown(progress: LaunchProgress, isClean: boolean): Promise<void> {
    const { leftovers, registry } = this.#parts
    await leftovers.end({ ...progress }, { isClean }, () => registry.removeSpare(progress.browserSessionId))
  }
}
