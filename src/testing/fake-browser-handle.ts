import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ActionError } from '../errors/index.js'
import { type Clock, withDeadline } from '../runtime/index.js'
import type { BrowserState } from '../sessions/browser-state.js'
import type { BrowserHandle, LaunchSpec, PageDownload, PageOperationOptions, ProcessIdentity, SanitizeParams } from '../sessions/ports.js'
import type { RecordedFile, RecordingKind } from '../sessions/recording.js'
import { FakePage } from './fake-page.js'
import type { FakeSite } from './fake-site.js'

export interface FakeBrowserHandleParams {
  readonly spec: LaunchSpec
  readonly clock: Clock
  readonly site: FakeSite | undefined
  /** @default false */
  readonly keepsState?: boolean
  /** Null: it is attached to, and its process is somebody else's. */
  readonly pid: number | null
  /** Where it was attached to. */
  readonly browserAddress?: string
}

/** What a scripted browser does no longer answer to. */
export type FakeHang = 'probe' | 'close' | 'kill' | 'snapshot' | 'recording' | 'sanitize'

/** A scripted browser, made by `FakeBrowserDriver.launch`. */
export class FakeBrowserHandle implements BrowserHandle {
  /** What was launched; of an attached browser only the id and the folder for downloads are anybody's wish. */
  readonly spec: LaunchSpec
  readonly process: ProcessIdentity | null
  readonly browserAddress: string | null
  /** Only where it was launched as `detached`; `calls.detach` counts. */
  readonly detach?: () => Promise<void>
  /** What sites would have stored in it: at first what it was launched with. */
  state: BrowserState
  /** Left out unless the driver was made with `keepsState`. */
  readonly snapshot?: (options: PageOperationOptions) => Promise<BrowserState>
  /** The same; a recording is a file with the name of its kind as content. */
  readonly finishRecording?: (kind: RecordingKind, options: PageOperationOptions) => Promise<readonly RecordedFile[]>
  /** How often `close` and `kill` were called. */
  readonly calls = { close: 0, kill: 0, probe: 0, sanitize: 0, detach: 0 }
  /** What was taken away so far, oldest first. */
  readonly sanitized: SanitizeParams[] = []
  /** Resident memory of its processes, in bytes; null: it cannot be read. */
  memoryBytes: number | null = null
  readonly #params: FakeBrowserHandleParams
  readonly #lostListeners = new Set<(reason: string) => void>()
  readonly #downloadListeners = new Set<(download: PageDownload) => void>()
  readonly #hanging = new Set<FakeHang>()
  readonly #pages: FakePage[] = []
  #active: FakePage | undefined
  #blinders: readonly string[] = []
  #isAlive = true
  #isClosedCleanly = false
  #pageCount = 0

  constructor(params: FakeBrowserHandleParams) {
    this.#params = params
    this.spec = params.spec
    this.process = params.pid === null ? null : { pid: params.pid, startTime: String(params.pid) }
    this.browserAddress = params.browserAddress ?? null
    if ('detached' in params.spec && params.spec.detached === true) {
      this.detach = async () => {
        this.calls.detach += 1
        this.letGo()
      }
    }
    this.state = ('state' in params.spec ? params.spec.state : null) ?? { cookies: [], origins: [], sessionStorage: [], knownOrigins: [] }
    if (params.keepsState === true) {
      this.snapshot = (options) => this.#answer('snapshot', options, async () => structuredClone(this.state))
      this.finishRecording = (kind, options) => this.#answer('recording', options, () => this.#recording(kind))
    }
    this.openPage('about:blank')
  }

  /** Whether its process would still exist. */
  get isAlive(): boolean {
    return this.#isAlive
  }

  /** The listeners that are registered, to assert that none is left. */
  get listenerCount(): number {
    return this.#lostListeners.size + this.#downloadListeners.size
  }

  /** The process ends by itself, as after SIGKILL: listeners hear of it in this very call. */
  crash(reason = 'process exited'): void {
    if (!this.#isAlive) return
    this.#end()
    for (const listener of [...this.#lostListeners]) listener(reason)
  }

  /** Whoever was connected hears nothing of it any more. */
  letGo(): void {
    this.#lostListeners.clear()
    this.#downloadListeners.clear()
  }

  /** It hangs up, and its process lives on. */
  disconnect(reason = 'the browser disconnected'): void {
    for (const listener of [...this.#lostListeners]) listener(reason)
  }

  /** From now on these calls never settle by themselves (`probe`, `close` still obey their deadline). */
  hang(...what: readonly FakeHang[]): void {
    for (const call of what) this.#hanging.add(call)
  }

  /** From now on it answers again to these calls, or to all; those that hang already go on hanging. */
  resume(...what: readonly FakeHang[]): void {
    if (what.length === 0) this.#hanging.clear()
    for (const call of what) this.#hanging.delete(call)
  }

  /** Opens a tab as the site would (a pop-up); it becomes the active page. */
  openPage(url: string): FakePage {
    this.#pageCount += 1
    const page = new FakePage({
      pageId: `page-${this.#pageCount}`,
      url,
      clock: this.#params.clock,
      site: this.#params.site,
      onFront: () => {
        this.#active = page
      },
      onClose: () => {
        this.#pages.splice(this.#pages.indexOf(page), 1)
        if (this.#active === page) this.#active = this.#pages.at(-1)
      },
      blinders: () => this.#blinders,
      openPopup: (popupUrl) => this.openPage(popupUrl),
      download: (download) => this.emitDownload(download),
    })
    this.#pages.push(page)
    this.#active = page
    return page
  }

  /** A download begins; `path` is the file that it ends as. */
  emitDownload(download: { suggestedFilename: string; url: string; path: string } | PageDownload): void {
    const { path } = download
    const full: PageDownload = typeof path === 'string' ? { ...download, path: async () => path } : (download as PageDownload)
    for (const listener of [...this.#downloadListeners]) listener(full)
  }

  pages(): readonly FakePage[] {
    return [...this.#pages]
  }

  async activePage(options: PageOperationOptions): Promise<FakePage> {
    return this.#active ?? this.newPage(options)
  }

  async newPage(options: PageOperationOptions): Promise<FakePage> {
    options.signal.throwIfAborted()
    if (!this.#isAlive) throw new ActionError('The browser is gone', { code: 'NO_PAGE' })
    return this.openPage('about:blank')
  }

  async probe(options: PageOperationOptions): Promise<void> {
    this.calls.probe += 1
    await this.#maybeHang('probe', options)
    if (!this.#isAlive) throw new ActionError('The browser is gone', { code: 'NO_PAGE' })
  }

  async sanitize(params: SanitizeParams, options: PageOperationOptions): Promise<void> {
    this.calls.sanitize += 1
    await this.#maybeHang('sanitize', options)
    if (!this.#isAlive) throw new ActionError('The browser is gone', { code: 'NO_PAGE' })
    if (params.tabs) {
      const old = this.pages()
      this.openPage('about:blank')
      for (const page of old) await page.close(options)
    }
    this.sanitized.push(params)
  }

  async memory(): Promise<number | null> {
    return this.memoryBytes
  }

  onLost(listener: (reason: string) => void): () => void {
    this.#lostListeners.add(listener)
    return () => this.#lostListeners.delete(listener)
  }

  onDownload(listener: (download: PageDownload) => void): () => void {
    this.#downloadListeners.add(listener)
    return () => this.#downloadListeners.delete(listener)
  }

  async setBlinders(selectors: readonly string[]): Promise<void> {
    this.#blinders = [...selectors]
  }

  get isClosedCleanly(): boolean {
    return this.#isClosedCleanly
  }

  async close(options: PageOperationOptions): Promise<void> {
    this.calls.close += 1
    await this.#maybeHang('close', options)
    this.#isClosedCleanly = this.#isAlive
    this.#end()
  }

  async kill(): Promise<void> {
    this.calls.kill += 1
    if (this.#hanging.has('kill')) return new Promise(() => {})
    this.#end()
  }

  async #answer<T>(call: FakeHang, options: PageOperationOptions, answer: () => Promise<T>): Promise<T> {
    await this.#maybeHang(call, options)
    if (!this.#isAlive) throw new ActionError('The browser is gone', { code: 'PAGE_CLOSED' })
    return answer()
  }

  async #recording(kind: RecordingKind): Promise<readonly RecordedFile[]> {
    const path = join(this.spec.downloadsDirectory, '..', `${kind}.txt`)
    await writeFile(path, kind)
    return [{ path, filename: `${kind}.txt`, mimeType: 'text/plain' }]
  }

  #end(): void {
    this.#isAlive = false
    for (const page of this.pages()) page.end()
  }

  #maybeHang(call: FakeHang, options: PageOperationOptions): Promise<void> {
    if (!this.#hanging.has(call)) return Promise.resolve()
    const onTimeout = () => new ActionError(`${call} took longer than ${options.timeoutMs} ms`, { code: 'ACTION_TIMEOUT', retryable: true })
    return withDeadline<void>({ ...options, run: () => new Promise(() => {}), onTimeout, clock: this.#params.clock })
  }
}
