import { spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, raceAbort } from '../runtime/index.js'
import type { LaunchSpec } from '../sessions/ports.js'
import { readDevToolsAddress } from './devtools-address.js'
import type { BrowserFolders } from './launch-arguments.js'

/** Where a browser without a host to talk to writes what it has to say, in the session's folder. */
export const BROWSER_LOG = 'browser.log'
const LOG_TAIL_CHARS = 4_000

/** What Playwright gives every browser that it starts itself, as far as it changes what pages see or how they can be driven. */
const DRIVEN = [
  '--disable-field-trial-config',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--disable-back-forward-cache',
  '--disable-breakpad',
  '--disable-component-extensions-with-background-pages',
  '--disable-default-apps',
  '--disable-dev-shm-usage',
  '--disable-hang-monitor',
  '--disable-ipc-flooding-protection',
  '--disable-popup-blocking',
  '--disable-prompt-on-repost',
  '--disable-search-engine-choice-screen',
  '--disable-infobars',
  '--allow-pre-commit-input',
  '--enable-unsafe-swiftshader',
  '--force-color-profile=srgb',
  '--password-store=basic',
  '--use-mock-keychain',
  '--enable-features=CDPScreenshotNewSurface',
  '--disable-features=AvoidUnnecessaryBeforeUnloadCheckSync,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,LensOverlay,MediaRouter,' +
    'PaintHolding,ThirdPartyStoragePartitioning,OptimizationHints,DestroyProfileOnBrowserClose',
]
const HEADLESS = [
  '--headless',
  '--hide-scrollbars',
  '--mute-audio',
  '--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4',
]

export interface DetachedArgumentsParams {
  readonly spec: LaunchSpec
  readonly folders: BrowserFolders
  /** The driver's and the session's own, as for any launch. */
  readonly args: readonly string[]
  readonly hasSandbox: boolean
  readonly hasExtensions: boolean
  readonly ignoresHttpsErrors: boolean
  readonly locale: string | undefined
}

/** The whole command line of a browser that outlives its host. Pure. */
export function detachedArguments(params: DetachedArgumentsParams): readonly string[] {
  const { spec, folders, args, locale } = params
  return [
    ...DRIVEN,
    ...(params.hasExtensions ? [] : ['--disable-extensions']),
    ...(spec.headless ? HEADLESS : []),
    ...(params.hasSandbox ? [] : ['--no-sandbox']),
    ...(params.ignoresHttpsErrors ? ['--ignore-certificate-errors'] : []),
    // of the process and not of a connection: they are the same for whoever drives it next
    ...(locale === undefined ? [] : [`--lang=${locale}`, `--accept-lang=${locale}`]),
    ...(spec.proxy == null ? [] : [`--proxy-server=${spec.proxy.server}`, '--proxy-bypass-list=<-loopback>']),
    ...args,
    `--user-data-dir=${folders.profile}`,
    '--remote-debugging-port=0',
    'about:blank',
  ]
}

/** What its process is told of language and time zone beside. Pure. */
export function detachedEnvironment(
  env: Readonly<Record<string, string>>,
  { locale, timezoneId }: { readonly locale: string | undefined; readonly timezoneId: string | undefined },
): Record<string, string> {
  return {
    ...env,
    ...(timezoneId === undefined ? {} : { TZ: timezoneId }),
    ...(locale === undefined ? {} : { LANGUAGE: locale.replace('-', '_') }),
  }
}

/**
 * Starts a browser that shares nothing with this process: a session of its own, no pipe, its output in a file.
 *
 * @returns its DevTools address
 * @throws when it ends at once, with what it wrote; the signal's reason. What was started is for the caller to end.
 */
export async function launchDetached(params: {
  readonly spec: LaunchSpec
  readonly folders: BrowserFolders
  readonly executablePath: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly signal: AbortSignal
}): Promise<string> {
  const { spec, folders, executablePath, args, env, clock, signal } = params
  const logPath = join(spec.directory, BROWSER_LOG)
  const log = await open(logPath, 'a', 0o600)
  try {
    signal.throwIfAborted()
    const child = spawn(executablePath, [...args], { detached: true, stdio: ['ignore', log.fd, log.fd], env: { ...env }, cwd: '/' })
    child.unref()
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('exit', (code, killer) => resolve(`process did exit: ${killer ?? `code ${code}`}`))
    })
    const over = new AbortController()
    const tooSoon = ended.then(async (how): Promise<never> => {
      over.abort(new Error(how))
      throw new Error(`${how}\n${await lastLines(logPath)}`)
    })
    tooSoon.catch(() => {}) // it ends one day, when nobody waits for it any more
    const address = readDevToolsAddress(folders.profile, clock, AbortSignal.any([signal, over.signal]))
    address.catch(() => {}) // the race says more
    return await raceAbort(Promise.race([address, tooSoon]), signal)
  } finally {
    await log.close()
  }
}

/** What a browser wrote, as `launchFailure` reads it. */
async function lastLines(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text
    .slice(-LOG_TAIL_CHARS)
    .split('\n')
    .map((line) => `[err] ${line}`)
    .join('\n')
}
