import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromiumNames } from './plan.mjs'

/** What is on this machine. Reads the file system, and starts a program only where a file name alone does not tell. */
export function detect(env = process.env, platform = process.platform) {
  const find = (...names) => findProgram(names, env, platform)
  const xvfb = find('Xvfb')
  const x11vnc = find('x11vnc')
  return {
    platform,
    chromium: env.RUNWRIGHT_CHROMIUM
      ? executable(env.RUNWRIGHT_CHROMIUM)
      : (find(...chromiumNames) ?? applicationPaths(env, platform).find(isExecutable)),
    tigervnc: find('Xtigervnc') ?? tigerXvnc(find('Xvnc')),
    xvfbPair: xvfb && x11vnc ? `${xvfb} + ${x11vnc}` : undefined,
    hasFonts: platform !== 'linux' || hasFonts(env),
  }
}

/** Asked only when something is missing: it may start `sudo`. */
export function detectInstaller(env = process.env, platform = process.platform) {
  const find = (...names) => findProgram(names, env, platform)
  const isRoot = process.getuid?.() === 0
  const packageManager = ['apt-get', 'dnf', 'pacman', 'zypper', 'apk', 'brew', 'winget'].find((name) => find(name))
  const sudo = isRoot ? undefined : find('sudo')
  return {
    isRoot,
    packageManager,
    hasSudo: sudo !== undefined && packageManager === 'apt-get' && sudoWorksWithoutPassword(sudo),
    distribution: platform === 'linux' ? distribution() : undefined,
    hasPackageLists: hasPackageLists(),
  }
}

function findProgram(names, env, platform) {
  const folders = (env.PATH ?? env.Path ?? '').split(delimiter).filter(Boolean)
  const suffixes = platform === 'win32' ? ['.exe', '.cmd'] : ['']
  for (const name of names) {
    for (const folder of folders) {
      for (const suffix of suffixes) {
        const path = join(folder, name + suffix)
        if (isExecutable(path)) return path
      }
    }
  }
  return undefined
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

const executable = (path) => (isExecutable(path) ? path : undefined)

/** `Xvnc` is also the name of RealVNC's and TightVNC's server, which lack the options that the display needs. */
function tigerXvnc(path) {
  if (path === undefined) return undefined
  const { stdout, stderr } = spawnSync(path, ['-version'], { encoding: 'utf8', timeout: 5_000 })
  return /tigervnc/i.test(`${stdout}${stderr}`) ? path : undefined
}

function applicationPaths(env, platform) {
  if (platform === 'darwin') {
    const bundles = ['Google Chrome', 'Chromium', 'Microsoft Edge']
    return bundles.map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`)
  }
  if (platform === 'win32') {
    const roots = [env.PROGRAMFILES, env['PROGRAMFILES(X86)'], env.LOCALAPPDATA].filter(Boolean)
    const tails = [
      'Google\\Chrome\\Application\\chrome.exe',
      'Chromium\\Application\\chrome.exe',
      'Microsoft\\Edge\\Application\\msedge.exe',
    ]
    return roots.flatMap((root) => tails.map((tail) => join(root, tail)))
  }
  return []
}

/** Chromium draws no text at all on a machine without one font file. */
function hasFonts(env) {
  const home = env.HOME ?? '/nonexistent'
  const roots = ['/usr/share/fonts', '/usr/local/share/fonts', join(home, '.local/share/fonts'), join(home, '.fonts')]
  return roots.some((root) => containsFont(root, 4))
}

function containsFont(folder, depth) {
  let entries
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch {
    return false
  }
  if (entries.some((entry) => /\.(ttf|ttc|otf)$/i.test(entry.name))) return true
  return depth > 0 && entries.some((entry) => entry.isDirectory() && containsFont(join(folder, entry.name), depth - 1))
}

function sudoWorksWithoutPassword(sudo) {
  return spawnSync(sudo, ['-n', 'true'], { stdio: 'ignore', timeout: 5_000 }).status === 0
}

function distribution() {
  try {
    return /^ID="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  } catch {
    return undefined
  }
}

/** Images ship without package lists; apt then knows no package until `apt-get update`. */
function hasPackageLists() {
  try {
    return readdirSync('/var/lib/apt/lists').some((name) => name.includes('_Packages'))
  } catch {
    return false
  }
}
