import type { Page, Request } from 'playwright-core'

/** Requests that a page's content waits for; streams, pictures and beacons never hold anything up. */
const AWAITED = new Set(['document', 'stylesheet', 'script', 'xhr', 'fetch'])

/** Counts what a page has asked for and not got yet. */
export class PageActivity {
  readonly #pending = new Set<Request>()
  readonly #listeners = new Set<() => void>()

  constructor(page: Page) {
    const end = (request: Request) => {
      if (this.#pending.delete(request)) this.#notify()
    }
    page.on('request', (request) => {
      if (AWAITED.has(request.resourceType())) this.#pending.add(request)
    })
    page.on('requestfinished', end)
    page.on('requestfailed', end)
    page.on('framenavigated', (frame) => {
      if (frame !== page.mainFrame()) return
      // A new document: what the one before had asked for is nobody's any more, and its end may not be reported. A change of the
      // address alone (pushState) has no request.
      if (![...this.#pending].some((request) => isNavigationOf(page, request))) return
      this.#pending.clear()
      this.#notify()
    })
    page.on('close', () => {
      this.#pending.clear()
      this.#notify()
    })
  }

  get isQuiet(): boolean {
    return this.#pending.size === 0
  }

  /** Calls back on every change until it is untied. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

function isNavigationOf(page: Page, request: Request): boolean {
  try {
    return request.isNavigationRequest() && request.frame() === page.mainFrame()
  } catch {
    return false // a service worker's request has no frame
  }
}
