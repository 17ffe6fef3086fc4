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
      // What the page before had asked for is nobody's any more; Playwright does not always report its end.
      for (const request of [...this.#pending]) if (isOver(request)) this.#pending.delete(request)
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

function isOver(request: Request): boolean {
  return request.failure() !== null || request.timing().responseEnd >= 0
}
