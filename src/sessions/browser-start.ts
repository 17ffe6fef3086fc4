import { BrowserLaunchError, RunwrightError, TimeoutError } from '../errors/index.js'
import { withDeadline } from '../runtime/index.js'
import type { Display } from '../streaming/display.js'
import type { SessionPoolSettings } from './options.js'
import type { BrowserHandle } from './ports.js'
import { createSessionDirectory, type SessionDirectory } from './session-directory.js'

export interface BrowserStartRequest {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly browserType: 'chromium' | 'chrome' | 'msedge'
  readonly headless: boolean
  readonly viewport: { readonly width: number; readonly height: number } | null
  readonly url?: string | undefined
}

/** What a launch has got to so far; whoever gives up tears it down. */
export interface LaunchProgress {
  readonly browserSessionId: string
  browser: BrowserHandle | null
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

export interface StartedBrowser {
  readonly browser: BrowserHandle
  readonly directory: SessionDirectory
  readonly display: Display | null
  /** Why there is no display although one was wanted. */
  readonly displayUnavailableReason: string | null
  readonly urlFailure: string | null
  readonly launchMs: number
}

/** Time that a driver has, after its own limit or an abort, to clean up and say so. */
const LAUNCH_GRACE_MS = 1_000
const DISPLAY_TIMEOUT_MS = 15_000

/** Brings a session's folder, display and browser up, in this order; every step is bounded. */
export class BrowserStart {
  readonly #settings: SessionPoolSettings

  constructor(settings: SessionPoolSettings) {
    this.#settings = settings
  }

  async start(request: BrowserStartRequest, progress: LaunchProgress, signal: AbortSignal): Promise<StartedBrowser> {
    const { clock } = this.#settings
    const beganAtMs = clock.monotonicMs()
    signal.throwIfAborted()
    const directory = await createSessionDirectory({ ...this.#settings, browserSessionId: request.browserSessionId })
    progress.directory = directory
    signal.throwIfAborted()
    const displayUnavailableReason = await this.#startDisplay(request, progress, signal)
    const browser = await this.#launch(request, directory, progress, signal)
    const urlFailure = await this.#open(request, browser, signal)
    if (progress.lostReason !== null) {
      throw new BrowserLaunchError(`The browser of session ${request.browserSessionId} died while it started: ${progress.lostReason}`, {
        category: 'crashed',
        retryable: true,
        details: { browserSessionId: request.browserSessionId },
      })
    }
    const { display } = progress
    return { browser, directory, display, displayUnavailableReason, urlFailure, launchMs: clock.monotonicMs() - beganAtMs }
  }

  /** A missing or failing display is no reason to fail: the browser goes on headless. Resolves to why, or null. */
  async #startDisplay(request: BrowserStartRequest, progress: LaunchProgress, signal: AbortSignal): Promise<string | null> {
    const { streaming, clock, logger } = this.#settings
    const { organizationId, browserSessionId, viewport, headless } = request
    if (headless || streaming === undefined) return null
    progress.hasDisplay = true
    try {
      const display = await withDeadline({
        run: (bounded) => streaming.startDisplay({ organizationId, browserSessionId, viewport, signal: bounded }),
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
    request: BrowserStartRequest,
    directory: SessionDirectory,
    progress: LaunchProgress,
    signal: AbortSignal,
  ): Promise<BrowserHandle> {
    const { driver, clock, launchTimeoutMs: timeoutMs, streaming } = this.#settings
    const { browserSessionId, browserType, viewport } = request
    const { display } = progress
    const spec = {
      browserSessionId,
      browserType,
      viewport,
      headless: request.headless || (streaming !== undefined && display === null),
      launchArgs: display?.launchArgs ?? [],
      env: { ...display?.env, TMPDIR: directory.temporary },
      directory: directory.path,
      downloadsDirectory: directory.downloads,
    }
    let launching: Promise<BrowserHandle> | undefined
    let isSettled = false
    const onTimeout = () =>
      new BrowserLaunchError(`The browser of session ${browserSessionId} was not up after ${timeoutMs} ms`, {
        category: 'timeout',
        retryable: true,
        details: { browserSessionId, timeoutMs },
      })
    const run = (bounded: AbortSignal) => {
      launching = driver.launch(spec, { signal: bounded, timeoutMs }).finally(() => {
        isSettled = true
      })
      return launching
    }
    try {
      const browser = await withDeadline({ run, timeoutMs: timeoutMs + LAUNCH_GRACE_MS, onTimeout, signal, clock })
      progress.browser = browser
      progress.untie.push(
        browser.onLost((reason) => {
          progress.lostReason ??= reason
        }),
      )
      return browser
    } catch (error) {
      if (launching !== undefined && !isSettled) progress.late = launching.catch(() => null) // nothing came up: nothing is left
      signal.throwIfAborted()
      throw RunwrightError.is(error) ? error : unknownFailure(browserSessionId, error)
    }
  }

  /** A page that does not load is no reason to fail either: whoever watches sees the browser's error page. Resolves to why, or null. */
  async #open(request: BrowserStartRequest, browser: BrowserHandle, signal: AbortSignal): Promise<string | null> {
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

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

const unknownFailure = (browserSessionId: string, cause: unknown) =>
  new BrowserLaunchError(`The browser of session ${browserSessionId} could not be launched: ${messageOf(cause)}`, {
    category: 'unknown',
    cause,
    details: { browserSessionId },
  })
