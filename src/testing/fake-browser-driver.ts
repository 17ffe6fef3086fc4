import { BrowserLaunchError, type Json, type LaunchFailureCategory } from '../errors/index.js'
import { type Clock, isAbortError, sleep, systemClock } from '../runtime/index.js'
import type { AdoptSpec, BrowserDriver, ConnectSpec, LaunchSpec, PageOperationOptions, RunningBrowser } from '../sessions/ports.js'
import { FakeBrowserHandle } from './fake-browser-handle.js'
import type { FakeSite } from './fake-site.js'

/** How one launch goes. */
export interface FakeLaunch {
  /** Milliseconds on the driver's clock. @default 0 */
  readonly delayMs?: number
  /** Rejects with this category, or this error, after the delay. */
  readonly fails?: LaunchFailureCategory | Error
  /** Answers after the delay whatever the deadline and the signal say: a launch that resolves late. @default false */
  readonly ignoresDeadline?: boolean
}

/** Options of {@link FakeBrowserDriver}. */
export interface FakeBrowserDriverOptions {
  /** @default the system's clock */
  readonly clock?: Clock
  /** How launches go for which nothing was scripted with {@link FakeBrowserDriver.scriptLaunch}. @default at once */
  readonly launch?: FakeLaunch
  /**
   * Whether its browsers can give their state (`FakeBrowserHandle.state`), and record. Without it, nothing is left of sessions.
   * @default false
   */
  readonly keepsState?: boolean
  /** The pages that its browsers find, by address. Without it, every address is an empty page. */
  readonly site?: FakeSite
}

/**
 * Scripted browsers for tests: they start nothing, and every delay runs on the given clock.
 *
 * @example
 * ```ts
 * const driver = new FakeBrowserDriver({ clock, site: { 'https://shop.test/': { title: 'Shop', elements: [{ css: '#buy' }] } } })
 * driver.scriptLaunch({ fails: 'crashed' }, { delayMs: 500 })
 * driver.handles[0]?.crash()
 * ```
 */
export class FakeBrowserDriver implements BrowserDriver {
  readonly name = 'fake'
  readonly #clock: Clock
  readonly #launch: FakeLaunch
  readonly #site: FakeSite | undefined
  readonly #keepsState: boolean
  readonly #scripted: FakeLaunch[] = []
  readonly #specs: LaunchSpec[] = []
  readonly #connections: ConnectSpec[] = []
  readonly #adoptions: AdoptSpec[] = []
  readonly #handles: FakeBrowserHandle[] = []
  #launching = 0
  #maxLive = 0

  constructor(options: FakeBrowserDriverOptions = {}) {
    this.#clock = options.clock ?? systemClock
    this.#launch = options.launch ?? {}
    this.#site = options.site
    this.#keepsState = options.keepsState ?? false
  }

  /** What was asked for, oldest first; failed launches too. */
  get specs(): readonly LaunchSpec[] {
    return this.#specs
  }

  /** What was to be attached to, oldest first; failed attempts too. */
  get connections(): readonly ConnectSpec[] {
    return this.#connections
  }

  /** What was to be adopted, oldest first; failed attempts too. */
  get adoptions(): readonly AdoptSpec[] {
    return this.#adoptions
  }

  /** Every browser that came up, oldest first; the dead ones too. */
  get handles(): readonly FakeBrowserHandle[] {
    return this.#handles
  }

  /** Browsers whose process has not ended. */
  get liveHandles(): number {
    return this.#handles.filter((handle) => handle.isAlive).length
  }

  /** The most browsers that were alive at once. */
  get maxLiveHandles(): number {
    return this.#maxLive
  }

  /** Launches that have not settled. */
  get pendingLaunches(): number {
    return this.#launching
  }

  /** The newest browser of a session. */
  handleOf(browserSessionId: string): FakeBrowserHandle | undefined {
    return this.#handles.findLast((handle) => handle.spec.browserSessionId === browserSessionId)
  }

  /** Decides the next launches, one each, in this order. */
  scriptLaunch(...launches: readonly FakeLaunch[]): void {
    this.#scripted.push(...launches)
  }

  async launch(spec: LaunchSpec, options: PageOperationOptions): Promise<FakeBrowserHandle> {
    this.#specs.push(spec)
    const pid = 1_000_000 + this.#specs.length
    const isAttachable = spec.attachable === true || spec.detached === true
    return this.#begin(spec, options, { pid, ...(isAttachable ? { browserAddress: `ws://127.0.0.1:9222/devtools/browser/${pid}` } : {}) })
  }

  /** Takes over a detached browser that this driver has launched: the same handle, which its former host hears nothing of any more. */
  async adopt(spec: AdoptSpec, options: PageOperationOptions): Promise<FakeBrowserHandle> {
    this.#adoptions.push(spec)
    const script = this.#scripted.shift() ?? {}
    await this.#delay(script, options)
    if (script.fails !== undefined) throw failure(script.fails)
    const isIt = ({ process, isAlive, browserAddress }: FakeBrowserHandle) =>
      isAlive && process?.pid === spec.process.pid && process.startTime === spec.process.startTime && browserAddress === spec.browserAddress
    const handle = this.#handles.find(isIt)
    if (handle === undefined) throw launchError('unreachable', 'No such browser runs any more')
    handle.letGo()
    return handle
  }

  async running(): Promise<readonly RunningBrowser[]> {
    return this.#handles.flatMap(({ isAlive, process, spec }) =>
      isAlive && process !== null ? [{ directory: spec.directory, processes: [process] }] : [],
    )
  }

  async endLeft({ directory }: { readonly directory: string }): Promise<number> {
    const left = this.#handles.filter((handle) => handle.isAlive && handle.process !== null && handle.spec.directory === directory)
    await Promise.all(left.map((handle) => handle.kill()))
    return left.length
  }

  /** Attaches to a browser: like a launch, scripted by the same list, but with no process of its own. */
  async connect(spec: ConnectSpec, options: PageOperationOptions): Promise<FakeBrowserHandle> {
    this.#connections.push(spec)
    const { browserSessionId, downloadsDirectory, browserAddress } = spec
    const running = { browserType: 'chromium', headless: false, viewport: null, launchArgs: [], env: {} } as const
    const launched = { ...running, browserSessionId, directory: downloadsDirectory, downloadsDirectory }
    return this.#begin(launched, options, { pid: null, browserAddress })
  }

  async #begin(
    spec: LaunchSpec,
    options: PageOperationOptions,
    which: { readonly pid: number | null; readonly browserAddress?: string },
  ): Promise<FakeBrowserHandle> {
    const script = this.#scripted.shift() ?? this.#launch
    this.#launching += 1
    try {
      await this.#delay(script, options)
      if (script.fails !== undefined) throw failure(script.fails)
      const handle = new FakeBrowserHandle({ spec, clock: this.#clock, site: this.#site, keepsState: this.#keepsState, ...which })
      this.#handles.push(handle)
      this.#maxLive = Math.max(this.#maxLive, this.liveHandles)
      return handle
    } finally {
      this.#launching -= 1
    }
  }

  async #delay(script: FakeLaunch, options: PageOperationOptions): Promise<void> {
    const delayMs = script.delayMs ?? 0
    if (script.ignoresDeadline === true) return delayMs > 0 ? sleep(this.#clock, delayMs) : undefined
    try {
      options.signal.throwIfAborted()
      if (delayMs > 0) await sleep(this.#clock, Math.min(delayMs, options.timeoutMs), options.signal)
    } catch (cause) {
      throw launchError('aborted', 'The launch was aborted', cause)
    }
    if (delayMs > options.timeoutMs) throw launchError('timeout', `The launch took longer than ${options.timeoutMs} ms`)
  }
}

function failure(fails: LaunchFailureCategory | Error): Error {
  return typeof fails === 'string' ? launchError(fails, `Scripted launch failure: ${fails}`) : fails
}

function launchError(category: LaunchFailureCategory, message: string, cause?: unknown): BrowserLaunchError {
  const details: Record<string, Json> = isAbortError(cause) ? { abort: true } : {}
  return new BrowserLaunchError(message, { category, retryable: category === 'timeout' || category === 'crashed', cause, details })
}
