import { TimeoutError } from '../errors/index.js'
import { type Clock, type Logger, withDeadline } from '../runtime/index.js'
import type { SessionStreaming } from './options.js'
import type { BrowserHandle, GuardedNetwork } from './ports.js'
import type { SessionDirectory } from './session-directory.js'
import type { SessionExport } from './session-exports.js'

/** What a session has, or what its launch had got to. */
export interface SessionParts {
  readonly browserSessionId: string
  readonly browser: BrowserHandle | null
  readonly network: GuardedNetwork | null
  readonly hasDisplay: boolean
  readonly directory: SessionDirectory | null
  readonly untie: (() => void)[]
}

export interface TeardownSettings {
  readonly clock: Clock
  readonly logger: Logger
  readonly closeTimeoutMs: number
  readonly streaming?: SessionStreaming | undefined
}

/** Takes a session's browser, guarded network, display and folder away. */
export class SessionTeardown {
  readonly #settings: TeardownSettings

  constructor(settings: TeardownSettings) {
    this.#settings = settings
  }

  /**
   * Does all of it, whatever fails: failures are logged. Resolves to whether the browser's process is confirmed gone; if not, its
   * folder stays. Each step is bounded. May be repeated.
   */
  async run(parts: SessionParts, how: { readonly isClean: boolean; readonly exported?: SessionExport }): Promise<boolean> {
    const { streaming } = this.#settings
    const { browserSessionId, browser, network, directory } = parts
    for (const untie of parts.untie.splice(0)) await this.#attempt(browserSessionId, 'untie', () => untie())
    if (streaming !== undefined) await this.#attempt(browserSessionId, 'end the viewers', () => streaming.endViewers(browserSessionId))
    await how.exported?.collect(how.isClean) // bounded by itself, and it never rejects
    const isGone = browser === null || (await this.#endBrowser(browserSessionId, browser, how.isClean))
    // after the browser, so that its last requests are refused by the guard and not by a closed port
    if (network !== null) await this.#attempt(browserSessionId, 'close the network guard', () => network.close())
    if (parts.hasDisplay && streaming !== undefined) {
      await this.#attempt(browserSessionId, 'stop the display', () => streaming.stopDisplay({ browserSessionId }))
    }
    if (isGone) await how.exported?.store()
    if (isGone && directory !== null) await this.#attempt(browserSessionId, 'remove the folder', () => directory.remove())
    return isGone
  }

  async #endBrowser(browserSessionId: string, browser: BrowserHandle, isClean: boolean): Promise<boolean> {
    const { closeTimeoutMs: timeoutMs } = this.#settings
    if (isClean && (await this.#attempt(browserSessionId, 'close the browser', (signal) => browser.close({ signal, timeoutMs }))))
      return true
    return this.#attempt(browserSessionId, 'kill the browser', () => browser.kill())
  }

  async #attempt(browserSessionId: string, what: string, run: (signal: AbortSignal) => unknown): Promise<boolean> {
    const { clock, logger, closeTimeoutMs: timeoutMs } = this.#settings
    try {
      await withDeadline({
        run: async (signal) => run(signal),
        timeoutMs,
        onTimeout: () => new TimeoutError(`To ${what} of session ${browserSessionId}`, timeoutMs),
        clock,
      })
      return true
    } catch (error) {
      logger.warn(`could not ${what}`, { browserSessionId, error })
      return false
    }
  }
}
