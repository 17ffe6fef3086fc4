import type { Page, Request } from 'playwright-core'

/** Requests that a page's content waits for; streams, pictures and beacons never hold anything up. */
const AWAITED = new Set(['document', 'stylesheet', 'script', 'xhr', 'fetch'])

/** A point in a page's life. */
export interface ActivityMark {
  readonly requestCount: number
  readonly documentCount: number
}

/** Counts what a page has asked for and not got yet. */
export class PageActivity {
  /** With the number of each, in the order in which they began. */
  readonly #pending = new Map<Request, number>()
  readonly #listeners = new Set<() => void>()
  #requestCount = 0
  #documentCount = 0

  constructor(page: Page) {
    const end = (request: Request) => {
      if (this.#pending.delete(request)) this.#notify()
    }
    page.on('request', (request) => {
      if (!AWAITED.has(request.resourceType())) return
      this.#requestCount += 1
      this.#pending.set(request, this.#requestCount)
    })
    page.on('requestfinished', end)
    page.on('requestfailed', end)
    page.on('framenavigated', (frame) => {
      if (frame !== page.mainFrame()) return
      // A new document: what the one before had asked for is nobody's any more, and its end may not be reported. A change of the
      // address alone (pushState) has no request.
      if (![...this.#pending.keys()].some((request) => isNavigationOf(page, request))) return
      this.#documentCount += 1
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

  /** What has begun so far. */
  mark(): ActivityMark {
    return { requestCount: this.#requestCount, documentCount: this.#documentCount }
  }

  /** Whether everything that began after a mark is over. */
  isQuietSince({ requestCount }: ActivityMark): boolean {
    for (const number of this.#pending.values()) if (number > requestCount) return false
    return true
  }

  /** Whether the page is on its way to another document. */
  isLeaving(page: Page): boolean {
    return [...this.#pending.keys()].some((request) => isNavigationOf(page, request))
  }

  /** Whether the page shows another document than at a mark. */
  hasNavigatedSince({ documentCount }: ActivityMark): boolean {
    return this.#documentCount > documentCount
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
