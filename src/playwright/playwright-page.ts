import type { Page } from 'playwright-core'
import { describeTarget, type Selectors, type Target } from '../definition/index.js'
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
import type { BlinderSettings } from './blinder-guard.js'
import { type Blind, CONTENT } from './blinder-scripts.js'
import type { Blinders } from './blinders.js'
import { extractFromPage } from './extraction.js'
import { locateElement, performInteraction } from './interactions.js'
import { allMatches, locatorOf, resolveLocator } from './locators.js'
import { PageActivity } from './page-activity.js'
import { PageDebugger } from './page-debugger.js'
import { PageDialogs } from './page-dialogs.js'
import { FINGERPRINT } from './page-fingerprint.js'
import { navigate } from './page-navigation.js'
import { observePage } from './page-observation.js'
import { PageRest } from './page-rest.js'
import { atBoundary } from './playwright-errors.js'
import { sourceFunction } from './source-function.js'
import { COUNT_UNBLINDED, READ_STATE, READ_TEXT } from './target-state.js'
import { waitForCondition } from './wait-for.js'

export interface PlaywrightPageParams {
  readonly page: Page
  readonly pageId: string
  readonly clock: Clock
  /** Called when it was brought to front. */
  readonly onFront: () => void
  /** Whether some page has opened a tab that is not there yet. */
  readonly isOpeningTab: () => boolean
  readonly blinders: Blinders
}

/** A tab, driven by Playwright. */
export class PlaywrightPage implements PageDriver {
  readonly pageId: string
  readonly #params: PlaywrightPageParams
  readonly #page: Page
  readonly #clock: Clock
  readonly #activity: PageActivity
  readonly #tools: PageDebugger
  readonly #rest: PageRest
  /** Told of every dialog by whoever hears of them. */
  readonly dialogs = new PageDialogs()

  constructor(params: PlaywrightPageParams) {
    this.#params = params
    this.#page = params.page
    this.#clock = params.clock
    this.pageId = params.pageId
    this.#activity = new PageActivity(params.page)
    this.#tools = new PageDebugger(params.page, params.clock)
    const { page, clock, isOpeningTab } = params
    this.#rest = new PageRest({ page, clock, isOpeningTab, activity: this.#activity, tools: this.#tools })
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
    this.#rest.acting()
    const { page, clock, blinders } = this.#params
    const element = await this.#freeing(options, () => performInteraction({ page, interaction, blind: blinders.settings, options, clock }))
    if (interaction.type !== 'press_key' || interaction.target !== undefined) this.#rest.caughtUp() // Playwright ends them with an answer of the page's
    return { element }
  }

  waitFor(condition: WaitCondition, options: PageOperationOptions): Promise<void> {
    const { page, clock, blinders } = this.#params
    return waitForCondition({ page, condition, blind: blinders.settings, options, clock })
  }

  settle(options: PageOperationOptions): Promise<void> {
    return this.#rest.settle(options)
  }

  locate(target: Target, options: PageOperationOptions): Promise<ElementDescriptor> {
    const { page, clock, blinders } = this.#params
    return this.#freeing(options, () => locateElement({ page, target, blind: blinders.settings, options, clock }))
  }

  observe({ maxChars }: { readonly maxChars: number }, options: PageOperationOptions): Promise<PageObservation> {
    return this.#reading('observe', options, async (limits) => {
      await this.#params.blinders.apply(this.#page, limits.signal)
      return observePage(this.#page, maxChars, limits)
    })
  }

  fingerprint(options: PageOperationOptions): Promise<string> {
    return this.#reading('fingerprint', options, ({ signal }) => this.#tools.evaluate<string>(FINGERPRINT, signal))
  }

  answerDialogs(answer: DialogAnswer | null): void {
    this.dialogs.answerWith(answer)
  }

  takeDialogs(): readonly PageDialog[] {
    return this.dialogs.take()
  }

  frameUrls(): readonly string[] {
    return this.#page.frames().map((frame) => frame.url())
  }

  inspect(target: Target, options: PageOperationOptions): Promise<TargetState> {
    return this.#reading('inspect', options, async () =>
      (await resolveLocator(this.#page, target)).evaluateAll<TargetState, Blind>(READ_STATE, this.#params.blinders.settings),
    )
  }

  isVisible(target: Target, options: PageOperationOptions): Promise<boolean> {
    return this.#reading('isVisible', options, async () => {
      const visible = (await resolveLocator(this.#page, target)).filter({ visible: true })
      const blind = this.#params.blinders.settings
      return (blind === null ? await visible.count() : await visible.evaluateAll<number, Blind>(COUNT_UNBLINDED, blind)) > 0
    })
  }

  textOf(target: Target, options: PageOperationOptions): Promise<string> {
    return this.#reading('textOf', options, async (limits) => {
      const matches = target.nth === undefined ? allMatches(this.#page, target) : await resolveLocator(this.#page, target)
      const attempt = { what: 'textOf', target, url: this.url(), timeoutMs: options.timeoutMs }
      await atBoundary(attempt, limits, () =>
        matches.first().waitFor({ state: 'attached', timeout: limits.timeoutMs, signal: limits.signal }),
      )
      const text = await matches.evaluateAll<string | null, Blind>(READ_TEXT, this.#params.blinders.settings)
      if (text !== null) return text
      throw new ActionError(`${describeTarget(target)} matched nothing that may be read`, { code: 'TARGET_NOT_FOUND', retryable: true })
    })
  }

  /** What is missing may still be on its way: looks again as long as the page is busy, within the deadline. */
  async extract(selectors: Selectors, options: PageOperationOptions): Promise<Json> {
    const endsAtMs = this.#clock.monotonicMs() + options.timeoutMs
    await this.#rest.beforeReading(options)
    for (let last = false; ; ) {
      const timeoutMs = Math.max(1, endsAtMs - this.#clock.monotonicMs())
      try {
        return await this.#bounded('extract', { ...options, timeoutMs }, () =>
          extractFromPage(this.#page, selectors, this.#params.blinders.settings),
        )
      } catch (error) {
        const isMissing = ActionError.is(error) && error.code === 'EXTRACTION_FAILED'
        if (!isMissing || last || this.#clock.monotonicMs() >= endsAtMs) throw error
        const wasQuiet = this.#activity.isQuiet
        await this.#rest.everything({ ...options, timeoutMs })
        last = wasQuiet && this.#activity.isQuiet
      }
    }
  }

  async evaluate(source: string, argument: Json | undefined, options: PageOperationOptions): Promise<Json> {
    const value = await this.#freeing(options, () =>
      this.#bounded('evaluate', options, () => this.#page.evaluate<unknown, unknown>(sourceFunction(source), argument)),
    )
    try {
      return JSON.parse(JSON.stringify(value) ?? 'null') as Json
    } catch (cause) {
      throw new ActionError('The value of the script is not JSON', { code: 'ACTION_FAILED', cause })
    }
  }

  content(options: PageOperationOptions): Promise<string> {
    const blind = this.#params.blinders.settings
    return this.#reading('content', options, () =>
      blind === null ? this.#page.content() : this.#page.evaluate<string, BlinderSettings>(CONTENT, blind),
    )
  }

  screenshot(params: ScreenshotParams, options: PageOperationOptions): Promise<Buffer> {
    const { format = 'png', quality, fullPage = false, target } = params
    const shared = { type: format, timeout: options.timeoutMs, ...(format === 'jpeg' && quality !== undefined ? { quality } : {}) }
    return this.#reading('screenshot', options, async ({ signal }) => {
      await this.#params.blinders.apply(this.#page, signal)
      return target === undefined
        ? this.#page.screenshot({ ...shared, fullPage, signal })
        : locatorOf(this.#page, target).screenshot({ ...shared, signal })
    })
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

  async #navigate(what: string, options: PageOperationOptions, go: Parameters<typeof navigate>[1]): Promise<NavigationResult> {
    await this.#rest.beforeLeaving(options)
    if (this.#activity.isLeaving(this.#page)) await this.#tools.stopLoading() // or the two would end each other
    this.#rest.acting()
    // A document may hang in its first script, and then leads nowhere any more.
    const result = await this.#freeing(options, () =>
      navigate({ page: this.#page, tools: this.#tools, clock: this.#clock, options, what }, go),
    )
    this.#rest.arrived()
    this.#rest.caughtUp()
    return result
  }

  /** Ends the page's script when the call had to be given up: one that does not yield would hold up every later call. */
  async #freeing<T>(options: PageOperationOptions, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      if (options.signal.aborted || isLate(error)) await this.#tools.stopScript(() => this.dialogs.count)
      throw error
    }
  }

  /** For what looks at the page: after what the last action set off has been drawn. */
  #reading<T>(what: string, options: PageOperationOptions, call: (options: PageOperationOptions) => Promise<T>): Promise<T> {
    const endsAtMs = this.#clock.monotonicMs() + options.timeoutMs
    return this.#bounded(what, options, async (signal) => {
      await this.#rest.beforeReading({ ...options, signal })
      return call({ signal, timeoutMs: Math.max(1, endsAtMs - this.#clock.monotonicMs()) })
    })
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

/** Whether a call ended at its deadline: the page may not answer any more. */
const isLate = (error: unknown) => ActionError.is(error) && /^(ACTION_TIMEOUT|TARGET_NOT_(FOUND|ACTIONABLE))$/.test(error.code)
