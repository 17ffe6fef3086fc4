import { join } from 'node:path'
import type { LaunchSpec } from '../sessions/ports.js'
import { extensionArguments } from './extensions.js'
import { BROWSER_MARK } from './process-tree.js'

/** Where a browser keeps what, below the session's folder. */
export interface BrowserFolders {
  readonly profile: string
  /** TMPDIR. */
  readonly temporary: string
  /** Playwright's own files, unfinished downloads among them. */
  readonly artifacts: string
  readonly crashes: string
}

export function browserFolders(spec: LaunchSpec): BrowserFolders {
  return {
    profile: join(spec.directory, 'profile'),
    temporary: spec.env.TMPDIR ?? join(spec.directory, 'tmp'),
    artifacts: join(spec.directory, 'artifacts'),
    crashes: join(spec.directory, 'crashes'),
  }
}

/** Arguments of every browser: no traffic of its own, nothing that pops up. */
const QUIET = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
  '--no-default-browser-check',
  '--no-service-autorun',
  '--metrics-recording-only',
]

/** The browser's arguments beside Playwright's; the driver's and the session's own come last, so that they win. */
export function launchArguments(
  spec: LaunchSpec,
  folders: BrowserFolders,
  driverArgs: readonly string[],
  platform = process.platform,
  extensionFolders: readonly string[] = [],
): string[] {
  return [
    ...QUIET,
    `--crash-dumps-dir=${folders.crashes}`,
    ...(spec.headless ? ['--disable-gpu'] : headed(platform)),
    ...extensionArguments(extensionFolders),
    ...driverArgs,
    ...spec.launchArgs,
  ]
}

/** `--test-type` keeps the bar away that warns of `--no-sandbox`; Wayland would ignore our DISPLAY. */
const headed = (platform: NodeJS.Platform) => [...(platform === 'linux' ? ['--ozone-platform=x11', '--disable-gpu'] : []), '--test-type']

/** What a desktop program needs of the host's environment; nothing else of it reaches the browser, secrets least of all. */
const INHERITED = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|FONTCONFIG_\w+|XDG_\w+|LD_LIBRARY_PATH|LIBGL_\w+)$/

/** The environment of the browser's process. DISPLAY and XAUTHORITY come from the session, or, where it has none, for a window on the host's own desktop. */
export function browserEnvironment(
  spec: LaunchSpec,
  folders: BrowserFolders,
  driverEnv: Readonly<Record<string, string>>,
  hostEnv: Readonly<Record<string, string | undefined>> = process.env,
  platform = process.platform,
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(hostEnv)) {
    if (value !== undefined && (platform !== 'linux' || INHERITED.test(name))) env[name] = value
  }
  if (!spec.headless && spec.env.DISPLAY === undefined && hostEnv.DISPLAY !== undefined) {
    env.DISPLAY = hostEnv.DISPLAY
    if (hostEnv.XAUTHORITY !== undefined) env.XAUTHORITY = hostEnv.XAUTHORITY
  }
  Object.assign(env, driverEnv, { BREAKPAD_DUMP_LOCATION: folders.crashes }, spec.env, {
    TMPDIR: folders.temporary,
    [BROWSER_MARK]: spec.directory,
  })
  delete env.WAYLAND_DISPLAY
  return env
}
