import type { Page } from 'playwright-core'
import type { Selectors, Target } from '../definition/index.js'
import { ActionError, type Json } from '../errors/index.js'
import { type Clock, withDeadline } from '../runtime/index.js'
import type {
  DialogAnswer,
  ElementDescriptor,
  NavigationResult,
  PageDialog,
  PageDriver,
  PageInteraction,
  PageObservation,
  PageOperationOptions,
  ScreenshotParams,
  TargetState,
  WaitCondition,
} from '../sessions/ports.js'
import { extractFromPage } from './extraction.js'
import { performInteraction } from './interactions.js'
import { allMatches, locatorOf, resolveLocator } from './locators.js'
import { PageActivity } from './page-activity.js'
import { PageDebugger } from './page-debugger.js'
import { navigate } from './page-navigation.js'
import { atBoundary } from './playwright-errors.js'
import { settle } from './settle.js'
import { sourceFunction } from './source-function.js'
import { READ_STATE } from './target-state.js'
import { waitForCondition } from './wait-for.js'

export interface PlaywrightPageParams {
  readonly page: Page
  readonly pageId: string
  readonly clock: Clock
  /** Called when it was brought to front. */
  readonly onFront: () => void
  /** Whether some page has opened a tab that is not there yet. */
  readonly isOpeningTab: () => boolean
}

/** A tab, driven by Playwright. */
export class PlaywrightPage implements PageDriver {
  readonly pageId: string
  readonly #params: PlaywrightPageParams
  readonly #page: Page
  readonly #clock: Clock
  readonly #activity: PageActivity
  readonly #tools: PageDebugger

  constructor(params: PlaywrightPageParams) {
    this.#params = params
    this.#page = params.page
    this.#clock = params.clock
    this.pageId = params.pageId
    this.#activity = new PageActivity(params.page)
    this.#tools = new PageDebugger(params.page, params.clock)
  }

  /** DevTools' id of it; null when it closed at once. */
  targetId(): Promise<string | null> {
    return this.#tools.targetId()
  }

  url(): string {
    return this.#page.url()
  }

  isClosed(): boolean {
    return this.#page.isClosed()
  }

  title(options: PageOperationOptions): Promise<string> {
    return this.#bounded('title', options, () => this.#page.title())
  }

  navigate(url: string, options: PageOperationOptions): Promise<NavigationResult> {
    return this.#navigate(`Navigation to ${url}`, options, (limits) => this.#page.goto(url, { waitUntil: 'domcontentloaded', ...limits }))
  }

  async goBack(options: PageOperationOptions): Promise<NavigationResult> {
    const hasEarlier = await this.#bounded('go_back', options, (signal) => this.#tools.hasEarlierPage(signal))
    if (!hasEarlier) throw new ActionError('There is no page to go back to', { code: 'NAVIGATION_FAILED', details: { url: this.url() } })
    return this.#navigate('Navigation back', options, (limits) => this.#page.goBack({ waitUntil: 'domcontentloaded', ...limits }))
  }

  reload(options: PageOperationOptions): Promise<NavigationResult> {
    return this.#navigate(`Reload of ${this.url()}`, options, (limits) => this.#page.reload({ waitUntil: 'domcontentloaded', ...limits }))
  }

  async perform(interaction: PageInteraction, options: PageOperationOptions): Promise<{ readonly element: ElementDescriptor | null }> {
    try {
      return { element: await performInteraction(this.#page, interaction, options, this.#clock) }
    } catch (error) {
      if (options.signal.aborted || isTimeout(error)) await this.#tools.stopScript()
      throw error
    }
  }

  waitFor(condition: WaitCondition, options: PageOperationOptions): Promise<void> {
    return waitForCondition(this.#page, condition, options)
  }

  settle(options: PageOperationOptions): Promise<void> {
    const { isOpeningTab } = this.#params
    return settle({ page: this.#page, activity: this.#activity, isOpeningTab, options, clock: this.#clock })
  }

  locate(_target: Target, _options: PageOperationOptions): Promise<ElementDescriptor> {
    throw new Error('to be written')
  }

  observe(_params: { readonly maxChars: number }, _options: PageOperationOptions): Promise<PageObservation> {
    throw new Error('to be written')
  }

  async fingerprint(_options: PageOperationOptions): Promise<string> {
    throw new Error('to be written')
  }

  answerDialogs(_answer: DialogAnswer | null): void {}

  takeDialogs(): readonly PageDialog[] {
    return []
  }

  frameUrls(): readonly string[] {
    return this.#page.frames().map((frame) => frame.url())
  }

  inspect(target: Target, options: PageOperationOptions): Promise<TargetState> {
    return this.#bounded('inspect', options, async () =>
      (await resolveLocator(this.#page, target)).evaluateAll<TargetState, undefined>(READ_STATE),
    )
  }

  isVisible(target: Target, options: PageOperationOptions): Promise<boolean> {
    return this.#bounded('isVisible', options, async () => {
      const matches = await resolveLocator(this.#page, target)
      return (await matches.filter({ visible: true }).count()) > 0
    })
  }

  async textOf(target: Target, options: PageOperationOptions): Promise<string> {
    const attempt = { what: 'textOf', target, url: this.url(), timeoutMs: options.timeoutMs }
    const matches = target.nth === undefined ? allMatches(this.#page, target).first() : await resolveLocator(this.#page, target)
    const limits = { timeout: options.timeoutMs, signal: options.signal }
    // biome-ignore lint/performance/useDomNodeTextContent: the text that a reader sees, without hidden parts
    return (await atBoundary(attempt, options, () => matches.innerText(limits))).trim()
  }

  /** What is missing may still be on its way: looks again as long as the page is busy, within the deadline. */
  async extract(selectors: Selectors, options: PageOperationOptions): Promise<Json> {
    const endsAtMs = this.#clock.monotonicMs() + options.timeoutMs
    for (let last = false; ; ) {
      const timeoutMs = Math.max(1, endsAtMs - this.#clock.monotonicMs())
      try {
        return await this.#bounded('extract', { ...options, timeoutMs }, () => extractFromPage(this.#page, selectors))
      } catch (error) {
        const isMissing = ActionError.is(error) && error.code === 'EXTRACTION_FAILED'
        if (!isMissing || last || this.#clock.monotonicMs() >= endsAtMs) throw error
        const wasQuiet = this.#activity.isQuiet
        await this.settle({ ...options, timeoutMs })
        last = wasQuiet && this.#activity.isQuiet
      }
    }
  }

  async evaluate(source: string, argument: Json | undefined, options: PageOperationOptions): Promise<Json> {
    try {
      const value = await this.#bounded('evaluate', options, () => this.#page.evaluate<unknown, unknown>(sourceFunction(source), argument))
      return JSON.parse(JSON.stringify(value) ?? 'null') as Json
    } catch (error) {
      if (options.signal.aborted || isTimeout(error)) await this.#tools.stopScript()
      if (error instanceof TypeError) throw new ActionError('The value of the script is not JSON', { code: 'ACTION_FAILED', cause: error })
      throw error
    }
  }

  content(options: PageOperationOptions): Promise<string> {
    return this.#bounded('content', options, () => this.#page.content())
  }

  screenshot(params: ScreenshotParams, options: PageOperationOptions): Promise<Buffer> {
    const { format = 'png', quality, fullPage = false, target } = params
    const shared = { type: format, timeout: options.timeoutMs, ...(format === 'jpeg' && quality !== undefined ? { quality } : {}) }
    return this.#bounded('screenshot', options, (signal) =>
      target === undefined
        ? this.#page.screenshot({ ...shared, fullPage, signal })
        : locatorOf(this.#page, target).screenshot({ ...shared, signal }),
    )
  }

  async bringToFront(options: PageOperationOptions): Promise<void> {
    await this.#bounded('bringToFront', options, () => this.#page.bringToFront())
    this.#params.onFront()
  }

  async close(options: PageOperationOptions): Promise<void> {
    if (this.#page.isClosed()) return
    await this.#bounded('close', options, () => this.#page.close())
  }

  /** Playwright's `Page`. */
  native(): Page {
    return this.#page
  }

  #navigate(what: string, options: PageOperationOptions, go: Parameters<typeof navigate>[1]): Promise<NavigationResult> {
    return navigate({ page: this.#page, tools: this.#tools, clock: this.#clock, options, what }, go)
  }

  /** For calls of Playwright that know neither deadline nor signal: the caller is freed at the deadline. */
  #bounded<T>(what: string, options: PageOperationOptions, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { timeoutMs } = options
    const url = this.url()
    const onTimeout = () =>
      new ActionError(`${what} took longer than ${timeoutMs} ms`, { code: 'ACTION_TIMEOUT', retryable: true, details: { url, timeoutMs } })
    return atBoundary({ what, url, timeoutMs }, options, () =>
      withDeadline({ run: call, timeoutMs, onTimeout, signal: options.signal, clock: this.#clock }),
    )
  }
}

const isTimeout = (error: unknown) => ActionError.is(error) && error.code === 'ACTION_TIMEOUT'
