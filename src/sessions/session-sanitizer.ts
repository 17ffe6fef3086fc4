import { TimeoutError } from '../errors/index.js'
import { type Clock, withDeadline } from '../runtime/index.js'
import type { BrowserHandle } from './ports.js'

/** What the next holder is not to find: as `release` takes it. What is left out stays. */
export interface SanitizeOptions {
  readonly cookies?: boolean | undefined
  /** What sites have stored: localStorage, sessionStorage, IndexedDB, caches, service workers. */
  readonly storage?: boolean | undefined
  /** Open pages; one empty page is left. */
  readonly tabs?: boolean | undefined
}

/** Time for the handle to say that it could not, after its own deadline. */
const GRACE_MS = 500

/** Cleans browsers between two holders; bounded. */
export class SessionSanitizer {
  readonly #clock: Clock
  readonly #timeoutMs: number

  constructor(settings: { readonly clock: Clock; readonly sanitizeTimeoutMs: number }) {
    this.#clock = settings.clock
    this.#timeoutMs = settings.sanitizeTimeoutMs
  }

  /** Rejects when it could not be done, wholly and in time: what is in the browser is not known then. */
  async clean(browser: BrowserHandle, what: SanitizeOptions & { readonly caches?: boolean }): Promise<void> {
    const params = {
      cookies: what.cookies ?? false,
      storage: what.storage ?? false,
      tabs: what.tabs ?? false,
      caches: what.caches ?? false,
    }
    if (!Object.values(params).includes(true)) return
    const timeoutMs = this.#timeoutMs
    await withDeadline({
      run: async (signal) => {
        if (browser.sanitize === undefined) throw new TypeError('this browser cannot be sanitised')
        await browser.sanitize(params, { signal, timeoutMs })
      },
      timeoutMs: timeoutMs + GRACE_MS,
      onTimeout: () => new TimeoutError('To sanitise the browser', timeoutMs),
      clock: this.#clock,
    })
  }
}
