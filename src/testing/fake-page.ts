import { matchesUrl, type Selectors, type Target } from '../definition/index.js'
import { ActionError, type Json } from '../errors/index.js'
import { type Clock, sleep, type Timer, withDeadline } from '../runtime/index.js'
import type {
  DialogAnswer,
  ElementDescriptor,
  NavigationResult,
  PageDialog,
  PageDownload,
  PageDriver,
  PageInteraction,
  PageObservation,
  PageOperationOptions,
  ScreenshotParams,
  TargetState,
  WaitCondition,
} from '../sessions/ports.js'
import { FakeDialogs } from './fake-dialogs.js'
import { extractFromElements } from './fake-extraction.js'
import {
  describeElement,
  describeFakeTarget,
  type FakeElement,
  type FakePageControls,
  type FakePageScript,
  type FakeSite,
  findScript,
  matchElements,
} from './fake-site.js'

/** What a fake page is made of. */
export interface FakePageParams {
  readonly pageId: string
  readonly url: string
  readonly clock: Clock
  readonly site?: FakeSite | undefined
  readonly onFront?: () => void
  readonly onClose?: () => void
  /** Selectors whose elements are hidden and refused. */
  readonly blinders?: () => readonly string[]
  readonly openPopup?: (url: string) => FakePage
  readonly download?: (download: { suggestedFilename: string; url: string; path: string } | PageDownload) => void
}

/** An element with what was done to it since its page was opened. */
export interface FakeElementState extends FakeElement {
  value: string
  checked: boolean
}

/** One thing that was done to a page. */
export type FakePageEvent = PageInteraction | { readonly type: 'navigate'; readonly url: string }

/** A scripted page (see {@link FakePageScript}); what was done to it is in {@link FakePage.log}. */
export class FakePage implements PageDriver, FakePageControls {
  readonly pageId: string
  /** Every interaction and navigation that took effect, oldest first. */
  readonly log: FakePageEvent[] = []
  readonly #params: FakePageParams
  readonly #waiting = new Set<() => void>()
  readonly #history: string[] = []
  readonly #dialogs = new FakeDialogs()
  #timers: Timer[] = []
  #url = 'about:blank'
  #script: FakePageScript = {}
  #all: readonly FakeElementState[] = []
  #shownAtMs = 0
  #isClosed = false

  constructor(params: FakePageParams) {
    this.#params = params
    this.pageId = params.pageId
    this.goTo(params.url)
  }

  /** What is on the page now, with the values that it holds. */
  elements(): readonly FakeElementState[] {
    const shownForMs = this.#params.clock.monotonicMs() - this.#shownAtMs
    return this.#all.filter((element) => (element.appearsAfterMs ?? 0) <= shownForMs && !this.#isBlinded(element))
  }

  /** Puts other elements onto the page, as a script of it would. */
  show(elements: readonly FakeElement[]): void {
    this.#all = elements.map((element) => ({ ...element, value: element.value ?? '', checked: element.checked ?? false }))
    this.#notify()
  }

  /** Shows a dialog as the page's script would. */
  dialog(type: PageDialog['type'], message: string): string | boolean | null {
    return this.#dialogs.show(type, message)
  }

  /** The page goes elsewhere by itself, at once. */
  goTo(url: string): void {
    const script = findScript(this.#params.site, url) ?? {}
    if (script.redirectsTo !== undefined) {
      this.goTo(script.redirectsTo)
      return
    }
    for (const timer of this.#timers) timer.cancel()
    this.#url = url
    this.#script = script
    this.#history.push(url)
    this.#shownAtMs = this.#params.clock.monotonicMs()
    this.show(script.elements ?? [])
    const delays = this.#all.map((element) => element.appearsAfterMs ?? 0).filter((delayMs) => delayMs > 0)
    this.#timers = delays.map((delayMs) => this.#params.clock.setTimer(() => this.#notify(), delayMs))
    this.#notify()
  }

  /** Opens a tab as the site would. */
  openPopup(url: string): FakePage | undefined {
    return this.#params.openPopup?.(url)
  }

  /** Begins a download as the site would; `path` is the file that it ends as. */
  download(download: { suggestedFilename: string; url: string; path: string } | PageDownload): void {
    this.#params.download?.(download)
  }

  /** The tab is gone: what still waits on it rejects with `PAGE_CLOSED`. */
  end(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const timer of this.#timers) timer.cancel()
    this.#notify()
    this.#params.onClose?.()
  }

  url(): string {
    return this.#url
  }

  isClosed(): boolean {
    return this.#isClosed
  }

  async title(options: PageOperationOptions): Promise<string> {
    this.#check(options)
    return this.#script.title ?? ''
  }

  async navigate(url: string, options: PageOperationOptions): Promise<NavigationResult> {
    this.#check(options)
    const script = findScript(this.#params.site, url)
    if (script === null) throw navigationFailed(url, 'net::ERR_NAME_NOT_RESOLVED')
    const delayMs = script.delayMs ?? 0
    const onTimeout = () => new ActionError(`Navigation to ${url} timed out`, { code: 'ACTION_TIMEOUT', details: { url }, retryable: true })
    const run = (signal: AbortSignal) => (script.hangs === true ? new Promise<void>(() => {}) : sleep(this.#params.clock, delayMs, signal))
    if (delayMs > 0 || script.hangs === true) await withDeadline({ ...options, run, onTimeout, clock: this.#params.clock })
    this.#check(options)
    if (script.download !== undefined) {
      this.log.push({ type: 'navigate', url })
      return { url: this.#url, title: this.#script.title ?? '', httpStatus: null, download: script.download }
    }
    this.goTo(url)
    this.log.push({ type: 'navigate', url: this.#url })
    return {
      url: this.#url,
      title: this.#script.title ?? '',
      httpStatus: this.#url.startsWith('http') ? (this.#script.httpStatus ?? 200) : null,
    }
  }

  async goBack(options: PageOperationOptions): Promise<NavigationResult> {
    const previous = this.#history.at(-2)
    if (previous === undefined) throw navigationFailed(this.#url, 'there is no earlier page')
    this.#history.splice(-2)
    return this.navigate(previous, options)
  }

  async reload(options: PageOperationOptions): Promise<NavigationResult> {
    this.#history.pop()
    return this.navigate(this.#url, options)
  }

  async perform(interaction: PageInteraction, options: PageOperationOptions): Promise<{ readonly element: ElementDescriptor | null }> {
    if (interaction.target === undefined) {
      this.#check(options)
      this.log.push(interaction)
      return { element: null }
    }
    const { target } = interaction
    const isReady = (element: FakeElementState) => element.disabled !== true && element.hidden !== true
    const element = await this.#find(target, isReady, options)
    if (element.fails !== undefined) throw element.fails
    this.log.push(interaction)
    this.#apply(interaction, element)
    return { element: describeElement(element, target) }
  }

  async locate(target: Target, options: PageOperationOptions): Promise<ElementDescriptor> {
    return describeElement(await this.#find(target, () => true, options), target)
  }

  async observe({ maxChars }: { readonly maxChars: number }, options: PageOperationOptions): Promise<PageObservation> {
    this.#check(options)
    const visible = this.elements().filter((element) => element.hidden !== true)
    const lines = visible.map(({ role, name, text, label, value }, index) =>
      [`- ${role ?? 'generic'}`, JSON.stringify(name ?? label ?? text ?? ''), value === '' ? '' : `= ${value}`, `[ref=e${index + 1}]`]
        .filter((part) => part !== '')
        .join(' '),
    )
    const snapshot = lines.join('\n')
    const title = this.#script.title ?? ''
    return { url: this.#url, title, snapshot: snapshot.slice(0, maxChars), truncated: snapshot.length > maxChars }
  }

  async fingerprint(options: PageOperationOptions): Promise<string> {
    this.#check(options)
    return JSON.stringify([
      this.#url,
      this.elements().map(({ css, name, text, value, checked, hidden }) => [css, name, text, value, checked, hidden]),
    ])
  }

  answerDialogs(answer: DialogAnswer | null): void {
    this.#dialogs.answerWith(answer)
  }

  takeDialogs(): readonly PageDialog[] {
    return this.#dialogs.take()
  }

  frameUrls(): readonly string[] {
    return [this.#url, ...(this.#script.frames ?? [])]
  }

  async waitFor(condition: WaitCondition, options: PageOperationOptions): Promise<void> {
    const isMet = () => {
      if ('loadState' in condition) return true
      if ('url' in condition) return matchesUrl(condition.url, this.#url)
      if ('text' in condition) return this.elements().some((element) => element.text?.includes(condition.text))
      const found = matchElements(this.elements(), condition.target)
      const visible = found.some((element) => element.hidden !== true)
      return { visible, hidden: !visible, attached: found.length > 0, detached: found.length === 0 }[condition.state]
    }
    const onTimeout = () =>
      new ActionError(`Waiting for ${JSON.stringify(condition)} timed out`, { code: 'ACTION_TIMEOUT', retryable: true })
    await this.#until(() => (isMet() ? true : undefined), options, onTimeout)
  }

  async settle(options: PageOperationOptions): Promise<void> {
    options.signal.throwIfAborted()
  }

  async inspect(target: Target, options: PageOperationOptions): Promise<TargetState> {
    this.#check(options)
    const found = matchElements(this.elements(), target)
    const first = found[0]
    if (first === undefined) return { count: 0, visible: false, enabled: null, checked: null, value: null, text: null }
    return {
      count: found.length,
      visible: first.hidden !== true,
      enabled: first.disabled !== true,
      checked: first.checked,
      value: first.value,
      text: first.text?.trim() ?? '',
    }
  }

  async isVisible(target: Target, options: PageOperationOptions): Promise<boolean> {
    this.#check(options)
    return matchElements(this.elements(), target).some((element) => element.hidden !== true)
  }

  async textOf(target: Target, options: PageOperationOptions): Promise<string> {
    const find = () => matchElements(this.elements(), target)[0]
    const element = await this.#until(find, options, () => this.#missing(target))
    return (element.text ?? element.value).trim()
  }

  async extract(selectors: Selectors, options: PageOperationOptions): Promise<Json> {
    this.#check(options)
    const { extract } = this.#script
    if (typeof extract === 'function') return extract(selectors)
    return extract ?? extractFromElements(selectors, this.elements())
  }

  async evaluate(source: string, argument: Json | undefined, options: PageOperationOptions): Promise<Json> {
    this.#check(options)
    const { evaluate } = this.#script
    return typeof evaluate === 'function' ? evaluate(source, argument) : (evaluate ?? null)
  }

  async content(options: PageOperationOptions): Promise<string> {
    this.#check(options)
    return this.#script.content ?? '<html></html>'
  }

  async screenshot(_params: ScreenshotParams, options: PageOperationOptions): Promise<Buffer> {
    this.#check(options)
    return Buffer.from(`picture of ${this.#url}`)
  }

  async bringToFront(options: PageOperationOptions): Promise<void> {
    this.#check(options)
    this.#params.onFront?.()
  }

  async close(_options: PageOperationOptions): Promise<void> {
    this.end()
  }

  native(): unknown {
    return this
  }

  #apply(interaction: PageInteraction, element: FakeElementState): void {
    if (interaction.type === 'input_text') element.value = interaction.clear ? interaction.value : element.value + interaction.value
    if (interaction.type === 'select_option') element.value = interaction.value ?? interaction.values?.join(',') ?? ''
    if (interaction.type === 'upload_file') element.value = interaction.file
    if (interaction.type === 'check' || interaction.type === 'uncheck') element.checked = interaction.type === 'check'
    if (interaction.type === 'click') {
      if (typeof element.onClick === 'string') this.goTo(element.onClick)
      else element.onClick?.(this)
    }
    this.#notify()
  }

  #find(target: Target, isReady: (element: FakeElementState) => boolean, options: PageOperationOptions): Promise<FakeElementState> {
    const look = () => {
      const blinded = matchElements(this.#all, target).some((element) => this.#isBlinded(element))
      if (blinded)
        throw new ActionError(`${describeFakeTarget(target)} is behind a blinder`, { code: 'ACTION_BLOCKED', details: { rule: 'blinder' } })
      const found = this.#one(target)
      return found !== undefined && isReady(found) ? found : undefined
    }
    return this.#until(look, options, () => this.#missing(target))
  }

  #isBlinded({ css }: FakeElement): boolean {
    return css !== undefined && (this.#params.blinders?.() ?? []).includes(css)
  }

  #one(target: Target): FakeElementState | undefined {
    const found = matchElements(this.elements(), target)
    if (found.length > 1) {
      const details = { target: { ...target }, count: found.length, url: this.#url }
      throw new ActionError(`${describeFakeTarget(target)} matches ${found.length} elements; add nth`, {
        code: 'TARGET_AMBIGUOUS',
        details,
      })
    }
    return found[0]
  }

  #missing(target: Target): ActionError {
    const isThere = matchElements(this.elements(), target).length > 0
    return new ActionError(`${describeFakeTarget(target)} ${isThere ? 'is not ready to be acted on' : 'matches nothing'}`, {
      code: isThere ? 'TARGET_NOT_ACTIONABLE' : 'TARGET_NOT_FOUND',
      details: { target: { ...target }, url: this.#url },
      retryable: true,
    })
  }

  #check(options: PageOperationOptions): void {
    options.signal.throwIfAborted()
    if (this.#isClosed) throw new ActionError(`Page ${this.pageId} is closed`, { code: 'PAGE_CLOSED', details: { pageId: this.pageId } })
  }

  /** Looks now and after every change, until the deadline. */
  async #until<T>(look: () => T | undefined, options: PageOperationOptions, onTimeout: () => Error): Promise<T> {
    this.#check(options)
    const now = look()
    if (now !== undefined) return now
    let again: (() => void) | undefined
    const run = () =>
      new Promise<T>((resolve, reject) => {
        again = () => {
          try {
            this.#check(options)
            const found = look()
            if (found !== undefined) resolve(found)
          } catch (error) {
            reject(error)
          }
        }
        this.#waiting.add(again)
      })
    try {
      return await withDeadline({ ...options, run, onTimeout, clock: this.#params.clock })
    } finally {
      if (again !== undefined) this.#waiting.delete(again)
    }
  }

  #notify(): void {
    for (const look of [...this.#waiting]) look()
  }
}

function navigationFailed(url: string, reason: string): ActionError {
  return new ActionError(`Navigation to ${url} failed: ${reason}`, { code: 'NAVIGATION_FAILED', details: { url, reason }, retryable: true })
}
