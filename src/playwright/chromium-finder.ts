import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { BrowserLaunchError } from '../errors/index.js'
import type { LaunchSpec } from '../sessions/ports.js'

type BrowserType = LaunchSpec['browserType']

/** Arguments of {@link findChromium}. */
export interface FindChromiumParams {
  /** @default 'chromium', which any Chromium-based browser will do for */
  readonly browserType?: BrowserType
  /** Used as it is, or refused; nothing else is looked at then. */
  readonly executablePath?: string | undefined
  /** @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** @default process.platform */
  readonly platform?: NodeJS.Platform
}

const CHROME = ['google-chrome', 'google-chrome-stable', 'chrome'] as const
const EDGE = ['microsoft-edge', 'microsoft-edge-stable', 'msedge'] as const

/** Program names for each browser type, best first. */
const NAMES: Readonly<Record<BrowserType, readonly string[]>> = {
  chromium: ['chromium', 'chromium-browser', ...CHROME, ...EDGE],
  chrome: CHROME,
  msedge: EDGE,
}

const MAC_APPLICATIONS: Readonly<Record<BrowserType, readonly string[]>> = {
  chromium: ['Chromium', 'Google Chrome', 'Microsoft Edge'],
  chrome: ['Google Chrome'],
  msedge: ['Microsoft Edge'],
}

const WINDOWS_PROGRAMS: Readonly<Record<BrowserType, readonly string[]>> = {
  chromium: ['Chromium/Application/chrome.exe', 'Google/Chrome/Application/chrome.exe', 'Microsoft/Edge/Application/msedge.exe'],
  chrome: ['Google/Chrome/Application/chrome.exe'],
  msedge: ['Microsoft/Edge/Application/msedge.exe'],
}

/** How to get each browser on Debian and its children. */
const INSTALL: Readonly<Record<BrowserType, { readonly package: string; readonly command: string }>> = {
  chromium: { package: 'chromium', command: 'apt-get install -y --no-install-recommends chromium chromium-sandbox' },
  chrome: {
    package: 'google-chrome-stable',
    command: 'apt-get install -y google-chrome-stable (from https://dl.google.com/linux/chrome/deb/)',
  },
  msedge: {
    package: 'microsoft-edge-stable',
    command: 'apt-get install -y microsoft-edge-stable (from https://packages.microsoft.com/repos/edge)',
  },
}

/**
 * Finds the browser's program: the given path, else `RUNWRIGHT_CHROMIUM`, else the known names on `PATH`, the usual places of macOS and
 * Windows, and last the builds below `PLAYWRIGHT_BROWSERS_PATH`.
 *
 * @returns an absolute path, or the path that was given
 * @throws {BrowserLaunchError} `BROWSER_NOT_FOUND`, naming the package and the command that installs it
 */
export function findChromium(params: FindChromiumParams = {}): string {
  const { browserType = 'chromium', env = process.env, platform = process.platform } = params
  const given = params.executablePath ?? (env.RUNWRIGHT_CHROMIUM || undefined)
  if (given !== undefined) {
    if (isExecutable(given)) return given
    throw notFound(
      browserType,
      `${params.executablePath === undefined ? 'RUNWRIGHT_CHROMIUM' : 'executablePath'} "${given}" is not a program`,
      given,
    )
  }
  const found = candidates(browserType, env, platform).find(isExecutable)
  if (found !== undefined) return found
  throw notFound(browserType, `No ${NAMES[browserType].join(', ')} on PATH`)
}

function* candidatePaths(browserType: BrowserType, env: FindChromiumParams['env'] & object, platform: NodeJS.Platform): Generator<string> {
  const folders = (env.PATH ?? env.Path ?? '').split(delimiter).filter(Boolean)
  const suffix = platform === 'win32' ? '.exe' : ''
  for (const name of NAMES[browserType]) for (const folder of folders) yield join(folder, name + suffix)
  if (platform === 'darwin') {
    for (const name of MAC_APPLICATIONS[browserType]) yield `/Applications/${name}.app/Contents/MacOS/${name}`
  }
  if (platform === 'win32') {
    const roots = [env.PROGRAMFILES, env['PROGRAMFILES(X86)'], env.LOCALAPPDATA].filter((root) => root !== undefined)
    for (const program of WINDOWS_PROGRAMS[browserType]) for (const root of roots) yield join(root, program)
  }
  if (browserType === 'chromium') yield* playwrightBuilds(env.PLAYWRIGHT_BROWSERS_PATH)
}

const candidates = (...params: Parameters<typeof candidatePaths>): readonly string[] => [...candidatePaths(...params)]

/** Builds that `playwright install` left below a folder, newest first. */
function playwrightBuilds(folder: string | undefined): readonly string[] {
  if (!folder) return []
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return [] // the variable names a folder that is not there
  }
  const build = (name: string) => Number(name.split('-')[1] ?? 0)
  return names
    .filter((name) => /^chromium-\d+$/.test(name))
    .sort((a, b) => build(b) - build(a))
    .flatMap((name) => [
      join(folder, name, 'chrome-linux', 'chrome'),
      join(folder, name, 'chrome-linux64', 'chrome'),
      join(folder, name, 'chrome-mac', 'Chromium.app', 'Contents', 'MacOS', 'Chromium'),
      join(folder, name, 'chrome-win', 'chrome.exe'),
    ])
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function notFound(browserType: BrowserType, why: string, path?: string): BrowserLaunchError {
  const install = INSTALL[browserType]
  return new BrowserLaunchError(
    `No browser of type ${browserType} found: ${why}. On Debian and Ubuntu install the package "${install.package}": ${install.command}; ` +
      'or set RUNWRIGHT_CHROMIUM, or the executablePath option, to the program',
    { category: 'executable_missing', details: { browserType, package: install.package, command: install.command, path } },
  )
}
