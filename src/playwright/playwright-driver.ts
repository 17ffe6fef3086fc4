import { mkdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { BrowserContext, CDPSession } from 'playwright-core'
import { BrowserLaunchError, parseArgument } from '../errors/index.js'
import { type Clock, sleep, systemClock, withDeadline } from '../runtime/index.js'
import type { BrowserDriver, BrowserHandle, LaunchSpec, PageOperationOptions, ProcessIdentity } from '../sessions/ports.js'
import { findChromium } from './chromium-finder.js'
import { type BrowserFolders, browserEnvironment, browserFolders, launchArguments } from './launch-arguments.js'
import { launchFailure, lockHolder } from './launch-failure.js'
import { loadPlaywright } from './load-playwright.js'
import { type PlaywrightDriverOptions, type PlaywrightDriverSettings, playwrightDriverOptionsSchema } from './options.js'
import { PlaywrightBrowser } from './playwright-browser.js'
import { identify, killBrowserProcesses } from './process-tree.js'
import { ProcessWatch } from './process-watch.js'
import { writePreferences } from './profile-preferences.js'

/** It puts a bar into every window: "Chromium is being controlled by automated test software". */
const UNWANTED_ARGUMENTS = ['--enable-automation']

/** Of 50 ms: a launch whose process was killed settles in the first or second. */
const CLEAN_UP_ROUNDS = 100
/** Of 50 ms each, without a process of the browser after there were some. */
const QUIET_ROUNDS = 8

/**
 * Launches Chromium, Chrome or Edge through playwright-core, each over a pipe: nothing listens, and it dies with the host.
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
   * Launches one browser with a fresh or existing profile below `spec.directory`.
   *
   * @throws {BrowserLaunchError} `BROWSER_NOT_FOUND` or `BROWSER_LAUNCH_FAILED`, with the category; no process is left then
   * @throws {DependencyMissingError} `DEPENDENCY_MISSING` when playwright-core is not installed
   */
  async launch(spec: LaunchSpec, options: PageOperationOptions): Promise<BrowserHandle> {
    const { browserType, browserSessionId } = spec
    const executablePath = findChromium({ browserType, executablePath: this.#settings.executablePath })
    const folders = browserFolders(spec)
    let launching: Promise<BrowserContext> | undefined
    const run = async (signal: AbortSignal) => {
      await prepareFolders(spec, folders)
      await refuseLockedProfile(spec, folders)
      signal.throwIfAborted()
      launching = this.#launchContext({ spec, folders, executablePath, options: { ...options, signal } })
      return this.#connect(await launching, spec)
    }
    try {
      const onTimeout = () => timeoutError(browserSessionId, options.timeoutMs)
      return await withDeadline({ run, timeoutMs: options.timeoutMs, onTimeout, signal: options.signal, clock: this.#clock })
    } catch (error) {
      await this.#cleanUp(spec, launching)
      throw launchFailure(error, { browserSessionId, executablePath, timeoutMs: options.timeoutMs, signal: options.signal })
    }
  }

  async #launchContext(params: {
    readonly spec: LaunchSpec
    readonly folders: BrowserFolders
    readonly executablePath: string
    readonly options: PageOperationOptions
  }): Promise<BrowserContext> {
    const { spec, folders, executablePath, options } = params
    const { args, env, locale, timezoneId, ignoreHttpsErrors } = this.#settings
    const chromium = await loadPlaywright()
    return chromium.launchPersistentContext(folders.profile, {
      executablePath,
      headless: spec.headless,
      args: launchArguments(spec, folders, args),
      ignoreDefaultArgs: UNWANTED_ARGUMENTS,
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
    })
  }

  async #connect(context: BrowserContext, spec: LaunchSpec): Promise<PlaywrightBrowser> {
    const browserSession = await context.browser()?.newBrowserCDPSession()
    if (browserSession === undefined) throw new Error('Playwright gave no browser for the context')
    const identity = await identityOf(browserSession)
    const browser = new PlaywrightBrowser({ context, browserSession, process: identity, spec, clock: this.#clock, watch: this.#watch })
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

async function prepareFolders(spec: LaunchSpec, folders: BrowserFolders): Promise<void> {
  const needed = [...Object.values(folders), spec.downloadsDirectory]
  await Promise.all(needed.map((folder) => mkdir(folder, { recursive: true, mode: 0o700 })))
  await writePreferences(folders.profile)
}

async function refuseLockedProfile(spec: LaunchSpec, folders: BrowserFolders): Promise<void> {
  const lock = await readlink(join(folders.profile, 'SingletonLock')).catch(() => null) // no lock: the usual case
  const holder = lock === null ? null : lockHolder(lock)
  if (holder === null) return
  throw new BrowserLaunchError(`The profile of session ${spec.browserSessionId} is in use by ${holder}`, {
    category: 'profile_locked',
    details: { browserSessionId: spec.browserSessionId, holder, profile: folders.profile },
  })
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
