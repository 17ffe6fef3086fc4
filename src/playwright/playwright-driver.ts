import { mkdir } from 'node:fs/promises'
import type { BrowserContext, CDPSession } from 'playwright-core'
import { BrowserLaunchError, parseArgument } from '../errors/index.js'
import { type Clock, sleep, systemClock, withDeadline } from '../runtime/index.js'
import type {
  AdoptSpec,
  BrowserDriver,
  BrowserHandle,
  ConnectSpec,
  LaunchSpec,
  PageOperationOptions,
  ProcessIdentity,
  RunningBrowser,
} from '../sessions/ports.js'
import { attach } from './attach.js'
import { BrowserStateKeeper } from './browser-state.js'
import { findChromium } from './chromium-finder.js'
import { assertAdoptable, connectDetached } from './detached-browser.js'
import { detachedArguments, detachedEnvironment, launchDetached } from './detached-launch.js'
import { forgetDevToolsAddress, readDevToolsAddress } from './devtools-address.js'
import { EXTENSION_BLOCKERS, extensionFolders } from './extensions.js'
import { type BrowserFolders, browserEnvironment, browserFolders, launchArguments } from './launch-arguments.js'
import { launchFailure } from './launch-failure.js'
import { loadPlaywright } from './load-playwright.js'
import { type PlaywrightDriverOptions, type PlaywrightDriverSettings, playwrightDriverOptionsSchema } from './options.js'
import { calmPages } from './page-calming.js'
import { PlaywrightBrowser } from './playwright-browser.js'
import { collectMarkedProcesses, identify, killBrowserProcesses } from './process-tree.js'
import { ProcessWatch } from './process-watch.js'
import { releaseStaleLock, verifyProfile } from './profile-lock.js'
import { writePreferences } from './profile-preferences.js'
import { Recordings } from './recordings.js'

/** It puts a bar into every window: "Chromium is being controlled by automated test software". */
const UNWANTED_ARGUMENTS = ['--enable-automation']

/** Of 50 ms: a launch whose process was killed settles in the first or second. */
const CLEAN_UP_ROUNDS = 100
/** Of 50 ms each, without a process of the browser after there were some. */
const QUIET_ROUNDS = 8

/**
 * Launches Chromium, Chrome or Edge through playwright-core, each over a pipe: nothing listens, and it dies with the host. Those of
 * `attachable` sessions listen on loopback besides, and those of `detached` ones have no pipe and outlive the host.
 *
 * @example
 * ```ts
 * const sessions = new SessionPool({ storage, driver: new PlaywrightDriver() })
 * ```
 */
export class PlaywrightDriver implements BrowserDriver {
  readonly name = 'playwright'
  readonly #settings: PlaywrightDriverSettings
  readonly #clock: Clock
  readonly #watch: ProcessWatch

  /** @throws {InvalidArgumentError} `INVALID_ARGUMENT` for an unknown or unfit option */
  constructor(options: PlaywrightDriverOptions = {}, internals: { readonly clock?: Clock } = {}) {
    this.#settings = parseArgument(playwrightDriverOptionsSchema, options, 'PlaywrightDriver')
    this.#clock = internals.clock ?? systemClock
    this.#watch = new ProcessWatch(this.#clock)
  }

  /**
   * Loads playwright-core, which takes a second or two of a busy event loop: a pool does it when it starts.
   * @throws {DependencyMissingError} `DEPENDENCY_MISSING` when playwright-core is not installed
   */
  async prepare(): Promise<void> {
    await loadPlaywright()
  }

  /**
   * Launches one browser with a fresh or existing profile below `spec.directory`.
   *
   * @throws {BrowserLaunchError} `BROWSER_NOT_FOUND`, `PROFILE_LOCKED` or `BROWSER_LAUNCH_FAILED`, with the category; no process is left then
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for an extension that is not registered
   * @throws {DependencyMissingError} `DEPENDENCY_MISSING` when playwright-core is not installed
   */
  async launch(spec: LaunchSpec, options: PageOperationOptions): Promise<BrowserHandle> {
    const { browserType, browserSessionId } = spec
    const { executablePath: given } = this.#settings
    const executablePath = findChromium({ browserType, executablePath: typeof given === 'object' ? given[browserType] : given })
    const extensions = extensionFolders(spec, this.#settings.extensions)
    const folders = browserFolders(spec)
    let launching: Promise<BrowserContext> | undefined
    const run = async (signal: AbortSignal) => {
      await prepareFolders(spec, folders)
      await releaseStaleLock(spec, folders.profile)
      await forgetDevToolsAddress(folders.profile)
      signal.throwIfAborted()
      const params = { spec, folders, executablePath, extensions, options: { ...options, signal } }
      if (spec.detached === true) return this.#launchDetached(params)
      launching = this.#launchContext(params)
      const context = await launching
      const browserAddress = spec.attachable === true ? await readDevToolsAddress(folders.profile, this.#clock, signal) : null
      return this.#connect(context, spec, folders, browserAddress)
    }
    try {
      const onTimeout = () => timeoutError(browserSessionId, options.timeoutMs)
      return await withDeadline({ run, timeoutMs: options.timeoutMs, onTimeout, signal: options.signal, clock: this.#clock })
    } catch (error) {
      await this.#cleanUp(spec, launching)
      throw launchFailure(error, { browserSessionId, executablePath, timeoutMs: options.timeoutMs, signal: options.signal })
    }
  }

  /**
   * Attaches to a browser that runs already, by its DevTools address: its own windows and pages. To close it is to detach.
   *
   * @throws {BrowserLaunchError} `BROWSER_LAUNCH_FAILED`, with the category `unreachable`, `timeout` or `aborted`
   * @throws {DependencyMissingError} `DEPENDENCY_MISSING` when playwright-core is not installed
   */
  connect(spec: ConnectSpec, options: PageOperationOptions): Promise<BrowserHandle> {
    return attach(spec, options, this.#clock)
  }

  /**
   * Takes over a browser that another process launched as `detached`: the one that answers at the address, with this process id, start time
   * and profile. Its pages are made to answer first (see `calmPages`).
   *
   * @throws {BrowserLaunchError} `BROWSER_LAUNCH_FAILED`, with the category; the browser is left as it is
   * @throws {DependencyMissingError} `DEPENDENCY_MISSING` when playwright-core is not installed
   */
  async adopt(spec: AdoptSpec, options: PageOperationOptions): Promise<BrowserHandle> {
    const { browserSessionId, browserAddress, process: expected } = spec
    const { timeoutMs } = options
    const clock = this.#clock
    const run = async (signal: AbortSignal) => {
      assertAdoptable(spec)
      const folders = browserFolders(spec)
      await calmPages({ address: browserAddress, clock, signal })
      return connectDetached({ spec, folders, browserAddress, clock, watch: this.#watch, timeoutMs, expected, signal })
    }
    try {
      const onTimeout = () => timeoutError(browserSessionId, timeoutMs)
      return await withDeadline({ run, timeoutMs, onTimeout, signal: options.signal, clock })
    } catch (error) {
      throw launchFailure(error, { browserSessionId, executablePath: '', timeoutMs, signal: options.signal })
    }
  }

  /** The browsers of this machine that a `PlaywrightDriver` has launched, of this process or another, dead or alive; Linux only. */
  async running(): Promise<readonly RunningBrowser[]> {
    return [...collectMarkedProcesses()].map(([directory, entries]) => ({
      directory,
      processes: entries.map(({ pid, startTime }) => ({ pid, startTime })),
    }))
  }

  /** Kills all that is left of the browser of a folder, each process by id and start time; resolves to how many there were. */
  endLeft(params: { readonly directory: string; readonly process: ProcessIdentity | null }): Promise<number> {
    return killBrowserProcesses(params.process, params.directory, this.#clock)
  }

  /** A browser that is nobody's child for long: no pipe, a process session of its own, driven through its DevTools port. */
  async #launchDetached(params: LaunchContextParams): Promise<PlaywrightBrowser> {
    const { spec, folders, executablePath, extensions, options } = params
    const { args, env, ignoreHttpsErrors, chromiumSandbox } = this.#settings
    const { locale = this.#settings.locale, timezoneId = this.#settings.timezoneId } = spec
    if (spec.proxy?.username !== undefined) throw unsupported(spec, 'a proxy with credentials needs `guarded: true`')
    const browserAddress = await launchDetached({
      spec,
      folders,
      executablePath,
      args: detachedArguments({
        spec,
        folders,
        locale,
        args: launchArguments(spec, folders, args, process.platform, extensions),
        hasSandbox: chromiumSandbox ?? process.getuid?.() !== 0,
        hasExtensions: extensions.length > 0,
        ignoresHttpsErrors: ignoreHttpsErrors,
      }),
      env: detachedEnvironment(browserEnvironment(spec, folders, env), { locale, timezoneId }),
      clock: this.#clock,
      signal: options.signal,
    })
    return connectDetached({ ...params, ...options, browserAddress, clock: this.#clock, watch: this.#watch, expected: null })
  }

  async #launchContext(params: LaunchContextParams): Promise<BrowserContext> {
    const { spec, folders, executablePath, extensions, options } = params
    const { args, env, ignoreHttpsErrors } = this.#settings
    const { proxy, extraHttpHeaders, locale = this.#settings.locale, timezoneId = this.#settings.timezoneId } = spec
    const chromium = await loadPlaywright()
    return chromium.launchPersistentContext(folders.profile, {
      executablePath,
      headless: spec.headless,
      args: [
        ...launchArguments(spec, folders, args, process.platform, extensions),
        // beside the pipe, whose end still is the browser's
        ...(spec.attachable === true ? ['--remote-debugging-port=0'] : []),
      ],
      ignoreDefaultArgs: [...UNWANTED_ARGUMENTS, ...(extensions.length === 0 ? [] : EXTENSION_BLOCKERS)],
      env: browserEnvironment(spec, folders, env),
      chromiumSandbox: this.#settings.chromiumSandbox ?? process.getuid?.() !== 0,
      viewport: spec.viewport,
      acceptDownloads: true,
      artifactsDir: folders.artifacts,
      downloadsPath: folders.artifacts,
      ignoreHTTPSErrors: ignoreHttpsErrors,
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      timeout: options.timeoutMs,
      ...(locale === undefined ? {} : { locale }),
      ...(timezoneId === undefined ? {} : { timezoneId }),
      ...(proxy == null ? {} : { proxy }),
      ...(extraHttpHeaders === undefined ? {} : { extraHTTPHeaders: { ...extraHttpHeaders } }),
    })
  }

  async #connect(
    context: BrowserContext,
    spec: LaunchSpec,
    folders: BrowserFolders,
    browserAddress: string | null,
  ): Promise<PlaywrightBrowser> {
    const browserSession = await context.browser()?.newBrowserCDPSession()
    if (browserSession === undefined) throw new Error('Playwright gave no browser for the context')
    const identity = await identityOf(browserSession)
    await verifyProfile(spec, folders.profile, identity)
    const clock = this.#clock
    const state = new BrowserStateKeeper({ context, clock, spec })
    await state.restore()
    const recordings = new Recordings({ context, folder: folders.artifacts, kinds: spec.record ?? [], clock })
    await recordings.start()
    const browser = new PlaywrightBrowser({
      context,
      browserSession,
      process: identity,
      spec,
      clock,
      watch: this.#watch,
      state,
      recordings,
      browserAddress,
    })
    await browser.start()
    return browser
  }

  /**
   * Playwright may be about to start the program when it is called off: kills until its launch has settled, then what is left. A launch
   * whose browser is killed while it shakes hands never settles: when the processes were there and are gone, it is over as well.
   */
  async #cleanUp(spec: LaunchSpec, launching: Promise<BrowserContext> | undefined): Promise<void> {
    let isSettled = launching === undefined
    const settled = launching?.then(
      // it was killed meanwhile, and Playwright is told to forget it: its answer may never come
      (late) => void late.close().catch(() => {}),
      () => {}, // being killed is what it reports
    )
    const done = settled
      ?.catch(() => {})
      .finally(() => {
        isSettled = true
      })
    let quietRounds: number | null = null
    for (let round = 0; !isSettled && round < CLEAN_UP_ROUNDS && (quietRounds ?? 0) < QUIET_ROUNDS; round += 1) {
      const killed = await killBrowserProcesses(null, spec.directory, this.#clock)
      if (killed > 0) quietRounds = 0
      else if (quietRounds !== null) quietRounds += 1
      await Promise.race([done, sleep(this.#clock, 50)])
    }
    await killBrowserProcesses(null, spec.directory, this.#clock)
  }
}

interface LaunchContextParams {
  readonly spec: LaunchSpec
  readonly folders: BrowserFolders
  readonly executablePath: string
  readonly extensions: readonly string[]
  readonly options: PageOperationOptions
}

async function prepareFolders(spec: LaunchSpec, folders: BrowserFolders): Promise<void> {
  const needed = [...Object.values(folders), spec.downloadsDirectory]
  await Promise.all(needed.map((folder) => mkdir(folder, { recursive: true, mode: 0o700 })))
  await writePreferences(folders.profile)
}

async function identityOf(browserSession: CDPSession): Promise<ProcessIdentity | null> {
  const { processInfo } = await browserSession.send('SystemInfo.getProcessInfo')
  const pid = processInfo.find((info) => info.type === 'browser')?.id
  return pid === undefined ? null : identify(pid)
}

function timeoutError(browserSessionId: string, timeoutMs: number): BrowserLaunchError {
  return new BrowserLaunchError(`The browser of session ${browserSessionId} was not up after ${timeoutMs} ms`, {
    category: 'timeout',
    retryable: true,
    details: { browserSessionId, timeoutMs },
  })
}

function unsupported({ browserSessionId }: LaunchSpec, what: string): BrowserLaunchError {
  return new BrowserLaunchError(`The browser of session ${browserSessionId} cannot be detached: ${what}`, {
    category: 'unsupported',
    details: { browserSessionId },
  })
}
