import { BrowserLaunchError, RunwrightError, TimeoutError } from '../errors/index.js'
import { withDeadline } from '../runtime/index.js'
import type { Display } from '../streaming/display.js'
import { type BrowserOptions, recordingKinds } from './browser-options.js'
import type { BrowserState } from './browser-state.js'
import type { LaunchPermit } from './launch-breaker.js'
import type { LaunchQueue } from './launch-queue.js'
import type { LaunchSources } from './launch-sources.js'
import type { SessionPoolSettings } from './options.js'
import type { BrowserHandle, GuardedNetwork, LaunchSpec, NetworkPolicy, PageOperationOptions, UpstreamProxy } from './ports.js'
import { createSessionDirectory, type SessionDirectory } from './session-directory.js'
import type { SessionKeeps } from './session-exports.js'
import { writeSessionMemo } from './session-memo.js'
import type { SessionNetworks } from './session-network.js'

export interface BrowserStartRequest extends BrowserOptions {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly browserType: 'chromium' | 'chrome' | 'msedge'
  readonly headless: boolean
  readonly viewport: { readonly width: number; readonly height: number } | null
  readonly url?: string | undefined
  /** Made for one holder: nothing is kept of it unless asked for. */
  readonly private: boolean
  /** What `proxyLocation` stands for; null: none. */
  readonly proxy: UpstreamProxy | null
  readonly guarded: boolean
  readonly networkPolicy?: NetworkPolicy | undefined
  /** Of a browser that somebody else has started: it is attached to, and has no display of ours. */
  readonly browserAddress?: string | undefined
  readonly onBrowserLost?: 'fail' | 'relaunch' | undefined
  /** Place in the queue of launches, higher first. @default 0 */
  readonly priority?: number | undefined
  /** The right to launch, where the caller had to know early whether there is one; else the start asks for it. */
  readonly permit?: LaunchPermit | undefined
  /** Nobody's so far (`organizationId` is empty): its display is tied to no session's row. */
  readonly isSpare?: boolean | undefined
}

type RestoringRequest = BrowserStartRequest & Pick<LaunchSpec, 'fillsState'> & { readonly state: BrowserState | null }

/** What a launch has got to so far; whoever gives up tears it down. */
export interface LaunchProgress {
  readonly browserSessionId: string
  browser: BrowserHandle | null
  network: GuardedNetwork | null
  display: Display | null
  /** Set as soon as a display was asked for: it may come up late. */
  hasDisplay: boolean
  directory: SessionDirectory | null
  /** A launch that nobody waits for any more, and that may still bring a browser up. */
  late: Promise<BrowserHandle | null> | null
  /** Set when the browser or its display dies before the session is live. */
  lostReason: string | null
  readonly untie: (() => void)[]
}

export function newProgress(browserSessionId: string): LaunchProgress {
  const nothing = { browser: null, network: null, display: null, hasDisplay: false, directory: null, late: null, lostReason: null }
  return { browserSessionId, ...nothing, untie: [] }
}

export interface StartedBrowser {
  readonly browser: BrowserHandle
  /** Null: not guarded. */
  readonly network: GuardedNetwork | null
  readonly directory: SessionDirectory
  readonly keeps: SessionKeeps
  readonly display: Display | null
  /** Why there is no display although one was wanted. */
  readonly displayUnavailableReason: string | null
  readonly urlFailure: string | null
  readonly launchMs: number
}

/** Time that a driver has, after its own limit or an abort, to clean up and say so. */
const LAUNCH_GRACE_MS = 1_000
const DISPLAY_TIMEOUT_MS = 15_000

/**
 * Brings a session's folder, guarded network, display and browser up, in this order; every step is bounded. Display and browser wait for
 * their turn in the queue of launches.
 */
export class BrowserStart {
  readonly #settings: SessionPoolSettings
  readonly #networks: SessionNetworks
  readonly #queue: LaunchQueue
  readonly #sources: LaunchSources

  constructor(settings: SessionPoolSettings, networks: SessionNetworks, queue: LaunchQueue, sources: LaunchSources) {
    this.#sources = sources
    this.#settings = settings
    this.#networks = networks
    this.#queue = queue
  }

  async start(request: BrowserStartRequest, progress: LaunchProgress, signal: AbortSignal): Promise<StartedBrowser> {
    const { clock } = this.#settings
    const beganAtMs = clock.monotonicMs()
    signal.throwIfAborted()
    const isFresh = progress.directory === null // else it was in use, and its browser lost
    const directory =
      progress.directory ??
      (await createSessionDirectory({
        ...this.#settings,
        browserSessionId: request.browserSessionId,
        isDetached: request.detached === true,
      }))
    progress.directory = directory
    if (isFresh && request.detached === true) await writeSessionMemo(directory.path, request)
    signal.throwIfAborted()
    const state = isFresh ? await this.#sources.load(request, directory) : await this.#sources.loadState(request, directory)
    signal.throwIfAborted()
    if (request.guarded) progress.network = await this.#networks.open(request)
    signal.throwIfAborted()
    const launch = async () => ({
      displayUnavailableReason: await this.#startDisplay(request, progress, signal),
      browser: await this.#launch({ ...request, state, fillsState: !isFresh }, directory, progress, signal),
    })
    // one that somebody else has started costs nothing to attach to, and says nothing about launches
    const { browser, displayUnavailableReason } =
      request.browserAddress === undefined ? await this.#queued(request, signal, launch) : await launch()
    const urlFailure = await this.open(request, browser, signal)
    if (progress.lostReason !== null) {
      throw new BrowserLaunchError(`The browser of session ${request.browserSessionId} died while it started: ${progress.lostReason}`, {
        category: 'crashed',
        retryable: true,
        details: { browserSessionId: request.browserSessionId },
      })
    }
    const { display, network } = progress
    const keeps = keepsOf(request)
    return { browser, network, directory, keeps, display, displayUnavailableReason, urlFailure, launchMs: clock.monotonicMs() - beganAtMs }
  }

  /** A browser that somebody else has started costs nothing to attach to, and says nothing about launches: it is not queued. */
  #queued<T>(request: BrowserStartRequest, signal: AbortSignal, launch: () => Promise<T>): Promise<T> {
    return this.#queue.run({ permit: request.permit ?? this.#queue.admit(), priority: request.priority ?? 0, signal, launch })
  }

  /** A missing or failing display is no reason to fail: the browser goes on headless. Resolves to why, or null. */
  async #startDisplay(request: BrowserStartRequest, progress: LaunchProgress, signal: AbortSignal): Promise<string | null> {
    const { streaming, clock, logger } = this.#settings
    const { organizationId, browserSessionId, viewport, headless } = request
    if (headless || streaming === undefined || request.browserAddress !== undefined) return null
    progress.hasDisplay = true
    const outliving = request.detached === true ? { detached: true } : {}
    try {
      const display = await withDeadline({
        run: (bounded) =>
          request.isSpare === true
            ? streaming.startDisplay({ browserSessionId, viewport, signal: bounded, isSpare: true })
            : streaming.startDisplay({ organizationId, browserSessionId, viewport, signal: bounded, ...outliving }),
        timeoutMs: DISPLAY_TIMEOUT_MS,
        onTimeout: () => new TimeoutError(`The display of session ${browserSessionId}`, DISPLAY_TIMEOUT_MS),
        signal,
        clock,
      })
      progress.display = display
      progress.untie.push(
        display.onExit((reason) => {
          progress.lostReason ??= `its display is gone: ${reason}`
        }),
      )
      return null
    } catch (error) {
      signal.throwIfAborted()
      logger.warn('a session goes on without a display', { browserSessionId, error })
      return messageOf(error)
    }
  }

  async #launch(
    request: RestoringRequest,
    directory: SessionDirectory,
    progress: LaunchProgress,
    signal: AbortSignal,
  ): Promise<BrowserHandle> {
    const { clock, launchTimeoutMs: timeoutMs } = this.#settings
    const { browserSessionId } = request
    const { network } = progress
    let launching: Promise<BrowserHandle> | undefined
    let hasFailed = false
    const onTimeout = () =>
      new BrowserLaunchError(`The browser of session ${browserSessionId} was not up after ${timeoutMs} ms`, {
        category: 'timeout',
        retryable: true,
        details: { browserSessionId, timeoutMs },
      })
    const run = (bounded: AbortSignal) => {
      launching = this.#begin(request, directory, progress, { signal: bounded, timeoutMs })
      launching.catch(() => {
        hasFailed = true
      })
      return launching
    }
    try {
      const browser = await withDeadline({ run, timeoutMs: timeoutMs + LAUNCH_GRACE_MS, onTimeout, signal, clock })
      progress.browser = browser
      if (browser.process !== null) network?.admit(browser.process)
      progress.untie.push(
        browser.onLost((reason) => {
          progress.lostReason ??= reason
        }),
      )
      return browser
    } catch (error) {
      // also one that came up in the very moment of the abort; where nothing came up, nothing is left
      if (launching !== undefined && !hasFailed) progress.late = launching.catch(() => null)
      signal.throwIfAborted()
      throw RunwrightError.is(error) ? error : unknownFailure(browserSessionId, error)
    }
  }

  async #begin(
    request: RestoringRequest,
    directory: SessionDirectory,
    { display, network }: LaunchProgress,
    options: PageOperationOptions,
  ): Promise<BrowserHandle> {
    const { driver, streaming } = this.#settings
    const { browserSessionId, browserType, viewport, browserAddress, headless } = request
    const downloadsDirectory = directory.downloads
    if (browserAddress !== undefined) {
      if (driver.connect === undefined) throw cannotAttach(driver.name)
      return driver.connect({ browserSessionId, browserAddress, downloadsDirectory }, options)
    }
    const spec = {
      browserSessionId,
      browserType,
      viewport,
      headless: headless || (streaming !== undefined && display === null),
      launchArgs: [...(display?.launchArgs ?? []), ...(network?.launchArgs ?? [])],
      env: { ...display?.env, TMPDIR: directory.temporary },
      directory: directory.path,
      downloadsDirectory,
      state: request.state,
      fillsState: request.fillsState === true,
      ownsDirectory: true, // made for this session, whose row only this host keeps alive
      proxy: network === null ? request.proxy : null, // else the guard goes through it
      extensions: request.extensions,
      extraHttpHeaders: request.extraHttpHeaders,
      locale: request.locale,
      timezoneId: request.timezoneId,
      record: recordingKinds(request.record),
      attachable: request.attachable === true || request.detached === true,
      detached: request.detached === true,
    }
    if (spec.detached && driver.adopt === undefined) throw cannotDetach(driver.name)
    return driver.launch(spec, options)
  }

  /** A page that does not load is no reason to fail either: whoever watches sees the browser's error page. Resolves to why, or null. */
  async open(
    request: Pick<BrowserStartRequest, 'browserSessionId' | 'url'>,
    browser: BrowserHandle,
    signal: AbortSignal,
  ): Promise<string | null> {
    const { clock, logger, openTimeoutMs: timeoutMs } = this.#settings
    const { url, browserSessionId } = request
    if (url === undefined) return null
    try {
      await withDeadline({
        run: async (bounded) => {
          const page = await browser.activePage({ signal: bounded, timeoutMs })
          await page.navigate(url, { signal: bounded, timeoutMs })
        },
        timeoutMs,
        onTimeout: () => new TimeoutError(`Opening ${url}`, timeoutMs),
        signal,
        clock,
      })
      return null
    } catch (error) {
      signal.throwIfAborted()
      logger.warn('the first page of a session did not load', { browserSessionId, url, error })
      return messageOf(error)
    }
  }
}

/** Private sessions, and browsers that are somebody else's, leave nothing unless that was asked for. */
export function keepsOf({ keepState, private: isPrivate, browserAddress, isSpare, record }: BrowserStartRequest): SessionKeeps {
  const wanted = keepState ?? (isPrivate || browserAddress !== undefined || isSpare === true ? 'none' : 'snapshot')
  return { state: wanted === 'none' ? null : wanted, isStateAsked: keepState !== undefined, recordings: recordingKinds(record) }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

const cannotAttach = (driver: string) =>
  new BrowserLaunchError(`The driver "${driver}" cannot attach to a browser that runs already`, {
    category: 'unsupported',
    details: { driver },
  })

const cannotDetach = (driver: string) =>
  new BrowserLaunchError(`The driver "${driver}" has no browsers that outlive their host`, { category: 'unsupported', details: { driver } })

const unknownFailure = (browserSessionId: string, cause: unknown) =>
  new BrowserLaunchError(`The browser of session ${browserSessionId} could not be launched: ${messageOf(cause)}`, {
    category: 'unknown',
    cause,
    details: { browserSessionId },
  })
