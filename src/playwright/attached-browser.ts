import { mkdir } from 'node:fs/promises'
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { ActionError } from '../errors/index.js'
import { type Clock, systemRandom, withDeadline } from '../runtime/index.js'
import type { BrowserHandle, ConnectSpec, NetworkPolicy, PageDownload, PageOperationOptions } from '../sessions/ports.js'
import { Blinders } from './blinders.js'
import { DownloadFile } from './download-file.js'
import { OpenPages } from './open-pages.js'
import { atBoundary } from './playwright-errors.js'
import type { PlaywrightPage } from './playwright-page.js'
import { RequestGuard } from './request-guard.js'

/** For a detaching that the browser does not answer to: the connection is cut then. */
const DETACH_WITHIN_MS = 2_000

export interface AttachedBrowserParams {
  readonly browser: Browser
  /** The browser's own: its windows, its profile. */
  readonly context: BrowserContext
  readonly browserSession: CDPSession
  readonly spec: ConnectSpec
  readonly clock: Clock
}

/**
 * A browser that somebody else has started, made by `PlaywrightDriver.connect`. To end it is to detach: the browser lives on, with the
 * pages that were there before; those that were opened here are closed. Files that it downloads are on its own machine: only those of a
 * browser on this one can be had.
 */
export class AttachedBrowser implements BrowserHandle {
  readonly process = null
  readonly browserAddress: string
  readonly #params: AttachedBrowserParams
  readonly #pages: OpenPages
  readonly #blinders: Blinders
  readonly #guard: RequestGuard
  readonly #lostListeners = new Set<(reason: string) => void>()
  readonly #downloadListeners = new Set<(download: PageDownload) => void>()
  /** Pages that were there before. */
  readonly #others: ReadonlySet<Page>
  #isEnding = false
  #isLost = false
  #ending: Promise<void> | undefined

  constructor(params: AttachedBrowserParams) {
    const { browser, context, browserSession, spec, clock } = params
    this.#params = params
    this.browserAddress = spec.browserAddress
    this.#others = new Set(context.pages())
    this.#blinders = new Blinders(context, clock, systemRandom)
    this.#guard = new RequestGuard(context)
    this.#pages = new OpenPages({ context, browserSession, clock, blinders: this.#blinders, onPage: (page) => this.#listenTo(page) })
    browser.on('disconnected', () => this.#lose('the connection to the browser ended'))
  }

  /** Begins to follow tabs; part of attaching. */
  async start(): Promise<void> {
    await mkdir(this.#params.spec.downloadsDirectory, { recursive: true, mode: 0o700 })
    await this.#pages.watchOpening()
  }

  pages(): readonly PlaywrightPage[] {
    return this.#pages.all()
  }

  async activePage(options: PageOperationOptions): Promise<PlaywrightPage> {
    options.signal.throwIfAborted()
    return (await this.#pages.active(options)) ?? this.newPage(options)
  }

  async newPage(options: PageOperationOptions): Promise<PlaywrightPage> {
    const opening = () => this.#params.context.newPage()
    return this.#pages.of(await this.#bounded('Opening a page', options, opening))
  }

  async probe(options: PageOperationOptions): Promise<void> {
    if (this.#isLost) throw new ActionError('The connection to the browser ended', { code: 'PAGE_CLOSED' })
    await this.#bounded('Probing the browser', options, () => this.#params.browserSession.send('Browser.getVersion'))
  }

  onLost(listener: (reason: string) => void): () => void {
    this.#lostListeners.add(listener)
    return () => this.#lostListeners.delete(listener)
  }

  onDownload(listener: (download: PageDownload) => void): () => void {
    this.#downloadListeners.add(listener)
    return () => this.#downloadListeners.delete(listener)
  }

  async setBlinders(selectors: readonly string[], options: PageOperationOptions): Promise<void> {
    const anyPage = async () => (await this.activePage(options)).native()
    await this.#bounded('Setting blinders', options, (signal) => this.#blinders.set(selectors, anyPage, signal))
  }

  /**
   * Has every request judged by a policy, by host and port; null ends it. What is refused fails with `net::ERR_BLOCKED_BY_CLIENT`. What
   * this does not cover: see `RequestGuard`.
   */
  async guardRequests(policy: NetworkPolicy | null, options: PageOperationOptions): Promise<void> {
    await this.#bounded('Guarding requests', options, () => this.#guard.set(policy))
  }

  /** Detaches. */
  close({ timeoutMs }: PageOperationOptions): Promise<void> {
    return this.#detach(timeoutMs)
  }

  /** Detaches, without waiting for the browser for long. */
  kill(): Promise<void> {
    return this.#detach(DETACH_WITHIN_MS)
  }

  #detach(timeoutMs: number): Promise<void> {
    this.#isEnding = true
    this.#ending ??= this.#end(timeoutMs)
    return this.#ending
  }

  async #end(timeoutMs: number): Promise<void> {
    const { browser, context, browserSession, clock } = this.#params
    const signal = new AbortController().signal
    const tidy = async () => {
      await this.#guard.set(null)
      await this.#blinders.set([], () => context.newPage(), signal)
      const ours = context.pages().filter((page) => !this.#others.has(page))
      await Promise.all(ours.map((page) => page.close()))
      await browserSession.send('Browser.setDownloadBehavior', { behavior: 'default' })
    }
    const within = (run: () => Promise<void>) =>
      withDeadline({ run, timeoutMs, onTimeout: () => new Error('the browser does not answer'), clock }).catch(() => {}) // it is left as it is
    await within(tidy)
    await within(() => browser.close())
  }

  #listenTo(page: Page): void {
    const { spec, clock } = this.#params
    page.on('download', (download) => {
      const file = new DownloadFile(download, spec.downloadsDirectory, clock)
      for (const listener of [...this.#downloadListeners]) listener(file)
    })
  }

  #lose(reason: string): void {
    if (this.#isLost) return
    this.#isLost = true
    if (this.#isEnding) return
    for (const listener of [...this.#lostListeners]) listener(reason)
  }

  #bounded<T>(what: string, options: PageOperationOptions, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { timeoutMs, signal } = options
    const onTimeout = () =>
      new ActionError(`${what} took longer than ${timeoutMs} ms`, { code: 'ACTION_TIMEOUT', retryable: true, details: { timeoutMs } })
    return atBoundary({ what, url: '', timeoutMs }, options, () =>
      withDeadline({ run: call, timeoutMs, onTimeout, signal, clock: this.#params.clock }),
    )
  }
}
