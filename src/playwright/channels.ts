import { posix, win32 } from 'node:path'
import type { LaunchSpec } from '../sessions/ports.js'

/** The kinds of browser that a session can ask for. `chromium` is any that will do. */
export type BrowserType = LaunchSpec['browserType']

const CHROME = ['google-chrome', 'google-chrome-stable', 'chrome'] as const
const EDGE = ['microsoft-edge', 'microsoft-edge-stable', 'msedge'] as const

/** Names of programs on PATH, best first. */
export const PROGRAM_NAMES: Readonly<Record<BrowserType, readonly string[]>> = {
  chromium: ['chromium', 'chromium-browser', ...CHROME, ...EDGE],
  chrome: CHROME,
  msedge: EDGE,
}

/** Where the packages of vendors and snaps put them, whatever PATH says. */
const LINUX_PROGRAMS: Readonly<Record<'chromium' | 'chrome' | 'msedge', readonly string[]>> = {
  chromium: ['/snap/bin/chromium'],
  chrome: ['/opt/google/chrome/chrome'],
  msedge: ['/opt/microsoft/msedge/msedge'],
}

const MAC_APPLICATIONS = { chromium: 'Chromium', chrome: 'Google Chrome', msedge: 'Microsoft Edge' } as const

const WINDOWS_PROGRAMS = {
  chromium: ['Chromium', 'Application', 'chrome.exe'],
  chrome: ['Google', 'Chrome', 'Application', 'chrome.exe'],
  msedge: ['Microsoft', 'Edge', 'Application', 'msedge.exe'],
} as const

/** Which brands stand in for a type, best first. */
const BRANDS: Readonly<Record<BrowserType, readonly ('chromium' | 'chrome' | 'msedge')[]>> = {
  chromium: ['chromium', 'chrome', 'msedge'],
  chrome: ['chrome'],
  msedge: ['msedge'],
}

type Environment = Readonly<Record<string, string | undefined>>

/** The variable that names the program of a type, before anything is searched. */
export const PROGRAM_VARIABLES: Readonly<Record<BrowserType, string>> = {
  chromium: 'RUNWRIGHT_CHROMIUM',
  chrome: 'RUNWRIGHT_CHROME',
  msedge: 'RUNWRIGHT_MSEDGE',
}

/** The places where the program of a type may be, best first: PATH, then the platform's usual ones. Pure. */
export function programCandidates(params: {
  readonly browserType: BrowserType
  readonly platform: NodeJS.Platform
  readonly env: Environment
}): readonly string[] {
  const { browserType, platform, env } = params
  const { join, delimiter } = platform === 'win32' ? win32 : posix
  const folders = (env.PATH ?? env.Path ?? '').split(delimiter).filter(Boolean)
  const suffix = platform === 'win32' ? '.exe' : ''
  const onPath = PROGRAM_NAMES[browserType].flatMap((name) => folders.map((folder) => join(folder, name + suffix)))
  return [...onPath, ...BRANDS[browserType].flatMap((brand) => usualPlaces(brand, platform, env))]
}

function usualPlaces(brand: 'chromium' | 'chrome' | 'msedge', platform: NodeJS.Platform, env: Environment): readonly string[] {
  if (platform === 'linux') return LINUX_PROGRAMS[brand]
  if (platform === 'darwin') {
    const name = MAC_APPLICATIONS[brand]
    const roots = ['/Applications', ...(env.HOME === undefined ? [] : [posix.join(env.HOME, 'Applications')])]
    return roots.map((root) => posix.join(root, `${name}.app`, 'Contents', 'MacOS', name))
  }
  if (platform !== 'win32') return []
  const roots = [env.PROGRAMFILES, env['PROGRAMFILES(X86)'], env.LOCALAPPDATA].filter((root) => root !== undefined)
  return roots.map((root) => win32.join(root, ...WINDOWS_PROGRAMS[brand]))
}
