import { mkdir } from 'node:fs/promises'
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { type Clock, withDeadline } from '../runtime/index.js'
import type { BrowserHandle, ConnectSpec, NetworkPolicy, PageDownload, PageOperationOptions } from '../sessions/ports.js'
import { BrowserCore } from './browser-core.js'
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
  readonly #core: BrowserCore
  readonly #guard: RequestGuard
  /** Pages that were there before. */
  readonly #others: ReadonlySet<Page>
  #isEnding = false
  #ending: Promise<void> | undefined

  constructor(params: AttachedBrowserParams) {
    const { browser, context, spec } = params
    this.#params = params
    this.browserAddress = spec.browserAddress
    this.#others = new Set(context.pages())
    this.#core = new BrowserCore({ ...params, downloadsDirectory: spec.downloadsDirectory })
    this.#guard = new RequestGuard(context)
    browser.on('disconnected', () => this.#core.lose('the connection to it ended', { isEnding: this.#isEnding }))
  }

  /** Begins to follow tabs; part of attaching. */
  async start(): Promise<void> {
    await mkdir(this.#params.spec.downloadsDirectory, { recursive: true, mode: 0o700 })
    await this.#core.start()
  }

  pages(): readonly PlaywrightPage[] {
    return this.#core.pages()
  }

  activePage(options: PageOperationOptions): Promise<PlaywrightPage> {
    return this.#core.activePage(options)
  }

  newPage(options: PageOperationOptions): Promise<PlaywrightPage> {
    return this.#core.newPage(options)
  }

  probe(options: PageOperationOptions): Promise<void> {
    return this.#core.probe(options)
  }

  onLost(listener: (reason: string) => void): () => void {
    return this.#core.onLost(listener)
  }

  onDownload(listener: (download: PageDownload) => void): () => void {
    return this.#core.onDownload(listener)
  }

  setBlinders(selectors: readonly string[], options: PageOperationOptions): Promise<void> {
    return this.#core.setBlinders(selectors, options)
  }

  /**
   * Has every request judged by a policy, by host and port; null ends it. What is refused fails with `net::ERR_BLOCKED_BY_CLIENT`. What
   * this does not cover: see `RequestGuard`.
   */
  async guardRequests(policy: NetworkPolicy | null, options: PageOperationOptions): Promise<void> {
    await this.#core.bounded('Guarding requests', options, () => this.#guard.set(policy))
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
      await this.#core.blinders.set([], () => context.newPage(), signal)
      const ours = context.pages().filter((page) => !this.#others.has(page))
      await Promise.all(ours.map((page) => page.close()))
      await browserSession.send('Browser.setDownloadBehavior', { behavior: 'default' })
    }
    const within = (run: () => Promise<void>) =>
      withDeadline({ run, timeoutMs, onTimeout: () => new Error('the browser does not answer'), clock }).catch(() => {}) // it is left as it is
    await within(tidy)
    await within(() => browser.close())
  }
}
