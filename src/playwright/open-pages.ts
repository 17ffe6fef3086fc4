import type { BrowserContext, CDPSession, Page } from 'playwright-core'
import { type Clock, sleep, withDeadline } from '../runtime/index.js'
import type { PageOperationOptions } from '../sessions/ports.js'
import type { Blinders } from './blinders.js'
import { PlaywrightPage } from './playwright-page.js'

/** A tab that a page opens is known to DevTools at once, to Playwright only when its server has answered. */
const OPENING_BUDGET_MS = 5_000

export interface OpenPagesParams {
  readonly context: BrowserContext
  readonly browserSession: CDPSession
  readonly clock: Clock
  readonly blinders: Blinders
  /** Called for every page, before anything can happen in it. */
  readonly onPage: (page: Page) => void
}

/** The tabs of a browser, and which of them actions go to. */
export class OpenPages {
  readonly #params: OpenPagesParams
  /** Oldest first. */
  readonly #pages = new Map<Page, PlaywrightPage>()
  /** The one that was opened or brought to front last at the end. */
  readonly #recency: PlaywrightPage[] = []
  /** Tabs that pages have opened and that Playwright does not show yet, by DevTools' id; their deadlines. */
  readonly #opening = new Map<string, number>()
  readonly #shown = new Set<string>()
  #pageCount = 0

  constructor(params: OpenPagesParams) {
    this.#params = params
    params.context.on('page', (page) => this.#add(page))
    for (const page of params.context.pages()) this.#add(page)
    // On the context, which hears of tabs that are not known as pages yet: nothing may stay open, or its page answers nobody.
    params.context.on('dialog', (dialog) => {
      const page = dialog.page()
      const driver = page === null ? this.#recency.at(-1) : this.of(page)
      if (driver === undefined)
        dialog.dismiss().catch(() => {}) // its page is gone, and it with it
      else driver.dialogs.handle(dialog)
    })
  }

  /** Begins to hear of tabs that pages open. */
  async watchOpening(): Promise<void> {
    const { browserSession, clock } = this.#params
    browserSession.on('Target.targetCreated', ({ targetInfo }) => {
      const { targetId, type, openerId } = targetInfo
      if (type !== 'page' || openerId === undefined || this.#shown.has(targetId)) return
      this.#opening.set(targetId, clock.monotonicMs() + OPENING_BUDGET_MS)
    })
    browserSession.on('Target.targetDestroyed', ({ targetId }) => {
      this.#opening.delete(targetId)
      this.#shown.delete(targetId)
    })
    await browserSession.send('Target.setDiscoverTargets', { discover: true })
  }

  all(): readonly PlaywrightPage[] {
    return [...this.#pages.values()]
  }

  isOpening(): boolean {
    const nowMs = this.#params.clock.monotonicMs()
    for (const [targetId, endsAtMs] of this.#opening) if (endsAtMs <= nowMs) this.#opening.delete(targetId)
    return this.#opening.size > 0
  }

  /** The page in front, once the tabs that are on their way are there. */
  async active(options: PageOperationOptions): Promise<PlaywrightPage | undefined> {
    const { clock } = this.#params
    const run = async (signal: AbortSignal) => {
      while (this.isOpening()) await sleep(clock, 20, signal)
    }
    const timeoutMs = Math.min(OPENING_BUDGET_MS, options.timeoutMs)
    if (this.isOpening()) {
      await withDeadline({ run, timeoutMs, onTimeout: () => new Error('still opening'), signal: options.signal, clock }).catch(() =>
        options.signal.throwIfAborted(),
      )
    }
    return this.#recency.at(-1)
  }

  of(page: Page): PlaywrightPage {
    return this.#pages.get(page) ?? this.#add(page)
  }

  #add(page: Page): PlaywrightPage {
    const known = this.#pages.get(page)
    if (known !== undefined) return known
    this.#pageCount += 1
    this.#params.onPage(page)
    const driver: PlaywrightPage = new PlaywrightPage({
      page,
      pageId: `page-${this.#pageCount}`,
      clock: this.#params.clock,
      onFront: () => this.#moveToFront(driver),
      isOpeningTab: () => this.isOpening(),
      blinders: this.#params.blinders,
    })
    this.#pages.set(page, driver)
    this.#recency.push(driver)
    page.on('popup', (popup) => this.of(popup).dialogs.follow(driver.dialogs))
    page.on('close', () => {
      this.#pages.delete(page)
      this.#drop(driver)
    })
    page.on('crash', () => {
      // a tab without its renderer answers nothing any more: the next action gets another one
      this.#pages.delete(page)
      this.#drop(driver)
      page.close().catch(() => {}) // gone is gone
    })
    void driver.targetId().then((targetId) => {
      if (targetId === null) return
      this.#shown.add(targetId)
      this.#opening.delete(targetId)
    })
    return driver
  }

  #moveToFront(page: PlaywrightPage): void {
    if (this.#drop(page)) this.#recency.push(page)
  }

  #drop(page: PlaywrightPage): boolean {
    const place = this.#recency.indexOf(page)
    if (place === -1) return false
    this.#recency.splice(place, 1)
    return true
  }
}
