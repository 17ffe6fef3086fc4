import type { Page } from 'playwright-core'
import { type Clock, raceAbort } from '../runtime/index.js'
import type { PageOperationOptions } from '../sessions/ports.js'
import type { ActivityMark, PageActivity } from './page-activity.js'
import type { PageDebugger } from './page-debugger.js'
import { settle } from './settle.js'

export interface PageRestParams {
  readonly page: Page
  readonly activity: PageActivity
  readonly tools: PageDebugger
  readonly isOpeningTab: () => boolean
  readonly clock: Clock
}

/**
 * Knows whether a page has come to rest after an action. Waiting for what it draws costs two frames, so an action that set nothing off
 * is settled at once, or by one round trip, and whoever reads the page first waits for the frames.
 */
export class PageRest {
  readonly #params: PageRestParams
  #mark: ActivityMark
  #state: 'rest' | 'acted' | 'drawing' = 'rest'
  #isCaughtUp = false
  #hasArrived = true

  constructor(params: PageRestParams) {
    this.#params = params
    this.#mark = params.activity.mark()
  }

  /** Something is about to be done to the page. */
  acting(): void {
    if (this.#state === 'rest') this.#mark = this.#params.activity.mark() // else the action before may still be under way
    this.#state = 'acted'
    this.#isCaughtUp = false
    this.#hasArrived = false
  }

  /** It was done by a call that ends with an answer of the page's: what its handlers have begun is known already. */
  caughtUp(): void {
    this.#isCaughtUp = true
  }

  /** The page went somewhere, and its load event has been waited for. */
  arrived(): void {
    this.#mark = { ...this.#mark, documentCount: this.#params.activity.mark().documentCount }
    this.#hasArrived = true
  }

  /** At once when the last action set nothing off that is still under way, else when that is over. */
  async settle(options: PageOperationOptions): Promise<void> {
    if (this.#state === 'acted' && !this.#isBusy()) {
      const isThere = this.#isCaughtUp || (await raceAbort(this.#params.tools.catchUp(), options.signal)) !== null
      if (isThere && !this.#isBusy() && !this.#params.activity.hasNavigatedSince(this.#mark)) {
        this.#state = 'drawing'
        return
      }
    }
    await this.#whole(this.#mark, options)
  }

  /** Before the page is read: what the last action set off has been drawn. */
  async beforeReading(options: PageOperationOptions): Promise<void> {
    if (this.#state !== 'rest') await this.#whole(this.#mark, options)
  }

  /** Before the page is sent elsewhere: an action that was settled at once may lead somewhere yet, and would overtake. */
  async beforeLeaving(options: PageOperationOptions): Promise<void> {
    if (!this.#hasArrived) await this.beforeReading(options)
  }

  /** Two frames, and until nothing is under way, whenever it began. */
  async everything(options: PageOperationOptions): Promise<void> {
    await this.#whole({ ...this.#mark, requestCount: 0 }, options)
  }

  async #whole(mark: ActivityMark, options: PageOperationOptions): Promise<void> {
    await settle({ ...this.#params, mark, options })
    this.#state = 'rest'
  }

  #isBusy(): boolean {
    const { activity, isOpeningTab } = this.#params
    return !activity.isQuietSince(this.#mark) || isOpeningTab()
  }
}
