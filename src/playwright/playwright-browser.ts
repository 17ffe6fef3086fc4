import type { BrowserContext, CDPSession, Page } from 'playwright-core'
import { type Clock, sleep, withDeadline } from '../runtime/index.js'
import type { BrowserState } from '../sessions/browser-state.js'
import type { BrowserHandle, LaunchSpec, PageDownload, PageOperationOptions, ProcessIdentity, SanitizeParams } from '../sessions/ports.js'
import type { RecordedFile, RecordingKind } from '../sessions/recording.js'
import { BrowserCore } from './browser-core.js'
import type { BrowserStateKeeper } from './browser-state.js'
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
  readonly #core: BrowserCore
  readonly #unwatch: () => void
  #isEnding = false
  #isClosedCleanly = false
  #closing: Promise<void> | undefined
  #killing: Promise<void> | undefined

  constructor(params: PlaywrightBrowserParams) {
    const { context, watch, spec, detached } = params
    this.#params = params
    this.process = params.process
    this.browserAddress = params.browserAddress ?? null
    if (detached !== undefined) this.detach = () => this.#detach(detached)
    this.#core = new BrowserCore({ ...params, downloadsDirectory: spec.downloadsDirectory, prepare: detached?.prepare })
    // A pipe may end 355 ms after its process; a browser may also hang up and live on. The first sign counts.
    context.on('close', () => this.#lose('the browser disconnected'))
    this.#unwatch = params.process === null ? () => {} : watch.watch(params.process, () => this.#lose('the process of the browser ended'))
  }

  /** Begins to follow tabs; part of the launch. */
  start(): Promise<void> {
    return this.#core.start()
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

  async sanitize(params: SanitizeParams, options: PageOperationOptions): Promise<void> {
    const { context, state } = this.#params
    await this.#core.bounded('Sanitising the browser', options, (signal) => sanitize(context, params, signal))
    if (params.storage || params.cookies) state.forget()
  }

  async memory(): Promise<number | null> {
    return this.process === null ? null : readTreeMemory(this.process)
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

  snapshot(options: PageOperationOptions): Promise<BrowserState> {
    return this.#core.bounded('Reading the state of the browser', options, (signal) => this.#params.state.read(signal))
  }

  /** @throws {RecordingError} `RECORDING_FAILED` */
  finishRecording(kind: RecordingKind, options: PageOperationOptions): Promise<readonly RecordedFile[]> {
    return this.#core.bounded(`Recording (${kind})`, options, () => this.#params.recordings.finish(kind))
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

  #lose(reason: string): void {
    this.#unwatch()
    this.#core.lose(reason, { isEnding: this.#isEnding })
  }
}
