import type { BrowserContext, CDPSession, Page } from 'playwright-core'
import { ActionError } from '../errors/index.js'
import { type Clock, sleep, systemRandom, withDeadline } from '../runtime/index.js'
import type { BrowserState } from '../sessions/browser-state.js'
import type { BrowserHandle, LaunchSpec, PageDownload, PageOperationOptions, ProcessIdentity, SanitizeParams } from '../sessions/ports.js'
import type { RecordedFile, RecordingKind } from '../sessions/recording.js'
import { Blinders } from './blinders.js'
import type { BrowserStateKeeper } from './browser-state.js'
import { DownloadFile } from './download-file.js'
import { OpenPages } from './open-pages.js'
import { atBoundary } from './playwright-errors.js'
import type { PlaywrightPage } from './playwright-page.js'
import { readTreeMemory } from './process-memory.js'
import { isProcessAlive, killBrowserProcesses } from './process-tree.js'
import type { ProcessWatch } from './process-watch.js'
import type { Recordings } from './recordings.js'
import { sanitize } from './sanitize.js'

export interface PlaywrightBrowserParams {
  readonly context: BrowserContext
  readonly browserSession: CDPSession
  readonly process: ProcessIdentity | null
  readonly spec: LaunchSpec
  readonly clock: Clock
  readonly watch: ProcessWatch
  readonly state: BrowserStateKeeper
  readonly recordings: Recordings
  /** Where its DevTools listen. @default null: nowhere */
  readonly browserAddress?: string | null
  /** Of one that outlives this process; it is not ended by closing its context. */
  readonly detached?: DetachedControls
}

/** How a browser is handled that is not ours alone. */
export interface DetachedControls {
  /** Asks it to end. */
  end(): Promise<unknown>
  /** Hangs up. */
  leave(): Promise<void>
  /** Gives a new page what the session's pages have. */
  prepare(page: Page): Promise<void>
}

/** A running Chromium, made by `PlaywrightDriver.launch` or `adopt`. */
export class PlaywrightBrowser implements BrowserHandle {
  readonly process: ProcessIdentity | null
  readonly browserAddress: string | null
  /** Left out where it dies with us. */
  readonly detach?: () => Promise<void>
  readonly #params: PlaywrightBrowserParams
  readonly #pages: OpenPages
  readonly #blinders: Blinders
  readonly #lostListeners = new Set<(reason: string) => void>()
  readonly #downloadListeners = new Set<(download: PageDownload) => void>()
  readonly #unwatch: () => void
  #isEnding = false
  #isClosedCleanly = false
  #lostReason: string | null = null
  #closing: Promise<void> | undefined
  #killing: Promise<void> | undefined

  constructor(params: PlaywrightBrowserParams) {
    const { context, browserSession, clock, watch } = params
    this.#params = params
    this.process = params.process
    this.browserAddress = params.browserAddress ?? null
    const { detached } = params
    if (detached !== undefined) this.detach = () => this.#detach(detached)
    this.#blinders = new Blinders(context, clock, systemRandom)
    this.#pages = new OpenPages({ context, browserSession, clock, blinders: this.#blinders, onPage: (page) => this.#listenTo(page) })
    // A pipe may end 355 ms after its process; a browser may also hang up and live on. The first sign counts.
    context.on('close', () => this.#lose('the browser disconnected'))
    this.#unwatch = params.process === null ? () => {} : watch.watch(params.process, () => this.#lose('the process of the browser ended'))
  }

  /** Begins to follow tabs; part of the launch. */
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
    const { context } = this.#params
    let isWanted = true
    const run = () => {
      const opening = context.newPage()
      // One that comes after its deadline is closed: nobody knows of it.
      opening.then((late) => (isWanted ? undefined : late.close())).catch(() => {}) // the browser is gone, and the page with it
      return opening
    }
    try {
      const page = await this.#bounded('Opening a page', options, run)
      await this.#params.detached?.prepare(page)
      return this.#pages.of(page)
    } catch (error) {
      isWanted = false
      throw error
    }
  }

  async probe(options: PageOperationOptions): Promise<void> {
    if (this.#lostReason !== null) throw this.#gone()
    await this.#bounded('Probing the browser', options, () => this.#params.browserSession.send('Browser.getVersion'))
  }

  async sanitize(params: SanitizeParams, options: PageOperationOptions): Promise<void> {
    const { context, state } = this.#params
    await this.#bounded('Sanitising the browser', options, (signal) => sanitize(context, params, signal))
    if (params.storage || params.cookies) state.forget()
  }

  async memory(): Promise<number | null> {
    return this.process === null ? null : readTreeMemory(this.process)
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

  snapshot(options: PageOperationOptions): Promise<BrowserState> {
    return this.#bounded('Reading the state of the browser', options, (signal) => this.#params.state.read(signal))
  }

  /** @throws {RecordingError} `RECORDING_FAILED` */
  finishRecording(kind: RecordingKind, options: PageOperationOptions): Promise<readonly RecordedFile[]> {
    return this.#bounded(`Recording (${kind})`, options, () => this.#params.recordings.finish(kind))
  }

  get isClosedCleanly(): boolean {
    return this.#isClosedCleanly
  }

  /** At the deadline, and on an abort, it is killed instead. */
  close(options: PageOperationOptions): Promise<void> {
    this.#isEnding = true
    this.#closing ??= this.#close(options)
    return this.#closing
  }

  kill(): Promise<void> {
    this.#isEnding = true
    this.#killing ??= this.#kill()
    return this.#killing
  }

  async #close({ timeoutMs, signal }: PageOperationOptions): Promise<void> {
    const { context, clock, detached } = this.#params
    await withDeadline({
      run: async (bounded) => {
        await (detached === undefined ? context.close() : detached.end())
        await this.#exited(bounded) // it may still be writing down its cookies
        this.#isClosedCleanly = true
      },
      timeoutMs,
      onTimeout: () => new Error('close hangs'),
      signal,
      clock,
    }).catch(() => {}) // whatever the reason, the kill ends it
    await this.kill() // Chromium's crash handlers go a little after it
  }

  async #exited(signal: AbortSignal): Promise<void> {
    while (this.process !== null && isProcessAlive(this.process)) await sleep(this.#params.clock, 10, signal)
  }

  async #kill(): Promise<void> {
    const { spec, clock, context } = this.#params
    this.#unwatch()
    await killBrowserProcesses(this.process, spec.directory, clock)
    void context.close().catch(() => {}) // lets Playwright forget it
  }

  #detach(controls: DetachedControls): Promise<void> {
    this.#isEnding = true
    this.#unwatch()
    return controls.leave()
  }

  #listenTo(page: Page): void {
    const { spec, clock } = this.#params
    page.on('download', (download) => {
      const file = new DownloadFile(download, spec.downloadsDirectory, clock)
      for (const listener of [...this.#downloadListeners]) listener(file)
    })
  }

  #lose(reason: string): void {
    if (this.#lostReason !== null) return
    this.#lostReason = reason
    this.#unwatch()
    if (this.#isEnding) return
    for (const listener of [...this.#lostListeners]) listener(reason)
  }

  #gone(): ActionError {
    return new ActionError(`The browser is gone: ${this.#lostReason ?? 'closed'}`, { code: 'PAGE_CLOSED' })
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
