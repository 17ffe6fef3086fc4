import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BrowserLaunchError } from '../errors/index.js'
import { type BrowserType, PROGRAM_NAMES, PROGRAM_VARIABLES, programCandidates } from './channels.js'

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
 * Finds the browser's program: the given path, else `RUNWRIGHT_CHROMIUM` (`RUNWRIGHT_CHROME`, `RUNWRIGHT_MSEDGE`), else the known names
 * on `PATH`, the usual places of the platform, and last, for Chromium, the builds below `PLAYWRIGHT_BROWSERS_PATH`.
 *
 * @returns an absolute path, or the path that was given
 * @throws {BrowserLaunchError} `BROWSER_NOT_FOUND`, naming the package and the command that installs it
 */
export function findChromium(params: FindChromiumParams = {}): string {
  const { browserType = 'chromium', env = process.env, platform = process.platform } = params
  const variable = PROGRAM_VARIABLES[browserType]
  const given = params.executablePath ?? (env[variable] || undefined)
  if (given !== undefined) {
    if (isExecutable(given)) return given
    throw notFound(browserType, `${params.executablePath === undefined ? variable : 'executablePath'} "${given}" is not a program`, given)
  }
  const builds = browserType === 'chromium' ? playwrightBuilds(env.PLAYWRIGHT_BROWSERS_PATH) : []
  const found = [...programCandidates({ browserType, env, platform }), ...builds].find(isExecutable)
  if (found !== undefined) return found
  throw notFound(browserType, `No ${PROGRAM_NAMES[browserType].join(', ')} on PATH`)
}

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
      `or set ${PROGRAM_VARIABLES[browserType]}, or the executablePath option, to the program`,
    { category: 'executable_missing', details: { browserType, package: install.package, command: install.command, path } },
  )
}
