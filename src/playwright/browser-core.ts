import type { BrowserContext, CDPSession, Page } from 'playwright-core'
import { ActionError } from '../errors/index.js'
import { type Clock, systemRandom, withDeadline } from '../runtime/index.js'
import type { PageDownload, PageOperationOptions } from '../sessions/ports.js'
import { Blinders } from './blinders.js'
import { DownloadFile } from './download-file.js'
import { OpenPages } from './open-pages.js'
import { atBoundary } from './playwright-errors.js'
import type { PlaywrightPage } from './playwright-page.js'

export interface BrowserCoreParams {
  readonly context: BrowserContext
  readonly browserSession: CDPSession
  readonly downloadsDirectory: string
  readonly clock: Clock
  /** Gives a new page what the session's pages have. @default nothing */
  readonly prepare?: ((page: Page) => Promise<void>) | undefined
}

/** What every browser that Playwright drives has, whoever started it: tabs, blinders, downloads, the news of its loss, bounded calls. */
export class BrowserCore {
  readonly blinders: Blinders
  readonly #params: BrowserCoreParams
  readonly #pages: OpenPages
  readonly #lostListeners = new Set<(reason: string) => void>()
  readonly #downloadListeners = new Set<(download: PageDownload) => void>()
  #lostReason: string | null = null

  constructor(params: BrowserCoreParams) {
    const { context, browserSession, clock } = params
    this.#params = params
    this.blinders = new Blinders(context, clock, systemRandom)
    this.#pages = new OpenPages({ context, browserSession, clock, blinders: this.blinders, onPage: (page) => this.#listenTo(page) })
  }

  /** Begins to follow tabs. */
  start(): Promise<void> {
    return this.#pages.watchOpening()
  }

  pages(): readonly PlaywrightPage[] {
    return this.#pages.all()
  }

  async activePage(options: PageOperationOptions): Promise<PlaywrightPage> {
    options.signal.throwIfAborted()
    return (await this.#pages.active(options)) ?? this.newPage(options)
  }

  async newPage(options: PageOperationOptions): Promise<PlaywrightPage> {
    const { context, prepare } = this.#params
    let isWanted = true
    const run = () => {
      const opening = context.newPage()
      // One that comes after its deadline is closed: nobody knows of it.
      opening.then((late) => (isWanted ? undefined : late.close())).catch(() => {}) // the browser is gone, and the page with it
      return opening
    }
    try {
      const page = await this.bounded('Opening a page', options, run)
      await prepare?.(page)
      return this.#pages.of(page)
    } catch (error) {
      isWanted = false
      throw error
    }
  }

  async probe(options: PageOperationOptions): Promise<void> {
    if (this.#lostReason !== null) throw new ActionError(`The browser is gone: ${this.#lostReason}`, { code: 'PAGE_CLOSED' })
    await this.bounded('Probing the browser', options, () => this.#params.browserSession.send('Browser.getVersion'))
  }

  async setBlinders(selectors: readonly string[], options: PageOperationOptions): Promise<void> {
    const anyPage = async () => (await this.activePage(options)).native()
    await this.bounded('Setting blinders', options, (signal) => this.blinders.set(selectors, anyPage, signal))
  }

  onLost(listener: (reason: string) => void): () => void {
    this.#lostListeners.add(listener)
    return () => this.#lostListeners.delete(listener)
  }

  onDownload(listener: (download: PageDownload) => void): () => void {
    this.#downloadListeners.add(listener)
    return () => this.#downloadListeners.delete(listener)
  }

  /** The browser is gone; the first reason counts. Listeners hear of it unless it was ended on purpose. */
  lose(reason: string, how: { readonly isEnding: boolean }): void {
    if (this.#lostReason !== null) return
    this.#lostReason = reason
    if (!how.isEnding) for (const listener of [...this.#lostListeners]) listener(reason)
  }

  /** A call of Playwright that knows neither deadline nor signal: whoever waits is freed at the deadline. */
  bounded<T>(what: string, options: PageOperationOptions, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { timeoutMs, signal } = options
    const onTimeout = () =>
      new ActionError(`${what} took longer than ${timeoutMs} ms`, { code: 'ACTION_TIMEOUT', retryable: true, details: { timeoutMs } })
    return atBoundary({ what, url: '', timeoutMs }, options, () =>
      withDeadline({ run: call, timeoutMs, onTimeout, signal, clock: this.#params.clock }),
    )
  }

  #listenTo(page: Page): void {
    const { downloadsDirectory, clock } = this.#params
    page.on('download', (download) => {
      const file = new DownloadFile(download, downloadsDirectory, clock)
      for (const listener of [...this.#downloadListeners]) listener(file)
    })
  }
}
