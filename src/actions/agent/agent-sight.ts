import { ActionError, type Json } from '../../errors/index.js'
import { type Clock, withDeadline } from '../../runtime/index.js'
import type { BrowserHandle, PageDriver, PageObservation, PageOperationOptions } from '../../sessions/ports.js'
import type { ActionContext } from '../action-context.js'
import { blocked } from '../scope/refuse-action.js'
import type { AgentTab } from './browser-agent.js'

/** Limit of one look at a page, in milliseconds. */
const LOOK_TIMEOUT_MS = 15_000

/** What an agent sees of a browser: the same as its actions may touch, and no secret. */
export class AgentSight {
  readonly #context: ActionContext
  readonly #clock: Clock
  readonly #maxChars: number

  constructor(params: { readonly context: ActionContext; readonly clock: Clock; readonly maxChars: number }) {
    this.#context = params.context
    this.#clock = params.clock
    this.#maxChars = params.maxChars
  }

  /** The active page as text; opens one where there is none. @throws {ActionError} `ACTION_BLOCKED` for one outside the scope */
  observe(): Promise<PageObservation> {
    return this.#bounded('observe', async (browser, options) => {
      const { scope } = this.#context
      await browser.setBlinders(scope?.blinders ?? [], options)
      const page = await browser.activePage(options)
      this.#refuse(page)
      const seen = await page.observe({ maxChars: this.#maxChars }, options)
      this.#refuse(page) // it may have gone elsewhere meanwhile
      return this.#shown(seen)
    })
  }

  tabs(): Promise<readonly AgentTab[]> {
    return this.#bounded('list the tabs', async (browser, options) => {
      const pages = browser.pages()
      const active = pages.length === 0 ? null : await browser.activePage(options)
      return Promise.all(pages.map((page, index) => this.#tab(page, index, page.pageId === active?.pageId, options)))
    })
  }

  url(): Promise<string | null> {
    return this.#bounded('read the address', async (browser, options) =>
      browser.pages().length === 0 ? null : this.#redact((await browser.activePage(options)).url()),
    )
  }

  async #tab(page: PageDriver, index: number, isActive: boolean, options: PageOperationOptions): Promise<AgentTab> {
    const isHidden = this.#context.scope?.checkUrl(page.url(), 'page') != null
    const title = isHidden ? '' : await page.title(options).catch(() => '') // closed, or busy: it has no title to show
    return { index, url: this.#redact(page.url()), title: this.#redact(title), isActive }
  }

  #refuse(page: PageDriver): void {
    const { scope } = this.#context
    if (scope === null) return
    for (const [index, url] of page.frameUrls().entries()) {
      const refusal = scope.checkUrl(url, index === 0 ? 'page' : 'frame')
      if (refusal !== null) throw blocked(refusal)
    }
  }

  /** Without secrets, and within the limit even where a placeholder is longer than its secret. */
  #shown({ url, title, snapshot, truncated }: PageObservation): PageObservation {
    const text = this.#redact(snapshot)
    return {
      url: this.#redact(url),
      title: this.#redact(title),
      snapshot: text.slice(0, this.#maxChars),
      truncated: truncated || text.length > this.#maxChars,
    }
  }

  #redact<T extends Json>(value: T): T {
    return this.#context.texts.redact(value)
  }

  async #bounded<T>(what: string, look: (browser: BrowserHandle, options: PageOperationOptions) => Promise<T>): Promise<T> {
    const { signal } = this.#context
    const browser = await this.#context.browser()
    return withDeadline({
      run: (bounded) => look(browser, { signal: bounded, timeoutMs: LOOK_TIMEOUT_MS }),
      timeoutMs: LOOK_TIMEOUT_MS,
      onTimeout: () => new ActionError(`To ${what} took longer than ${LOOK_TIMEOUT_MS} ms`, { code: 'ACTION_TIMEOUT', retryable: true }),
      signal,
      clock: this.#clock,
    })
  }
}
