/** Programs taken as the browser, best first. */
export const chromiumNames = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'microsoft-edge',
  'microsoft-edge-stable',
  'msedge',
  'chrome',
]

const browser = { id: 'browser', what: 'Chromium', why: 'runs the workflows', withoutIt: 'no workflow can run' }
const display = {
  id: 'display',
  what: 'TigerVNC',
  why: 'draws each session for the live view',
  withoutIt: 'no live view: browsers run headless',
}
const fonts = { id: 'fonts', what: 'a font', why: 'pages show no text without one', withoutIt: 'pages and screenshots show no text' }

/** `chromium-sandbox` is only recommended by `chromium`, but without it Chromium refuses to start where user namespaces are off. */
const packages = {
  'apt-get': { browser: ['chromium', 'chromium-sandbox'], display: ['tigervnc-standalone-server'], fonts: ['fonts-liberation'] },
  dnf: { browser: ['chromium'], display: ['tigervnc-server-minimal'], fonts: ['liberation-fonts'] },
  pacman: { browser: ['chromium'], display: ['tigervnc'], fonts: ['ttf-liberation'] },
  zypper: { browser: ['chromium'], display: ['xorg-x11-Xvnc'], fonts: ['liberation-fonts'] },
  apk: { browser: ['chromium'], display: ['tigervnc'], fonts: ['font-liberation'] },
  brew: { browser: ['google-chrome'], display: [], fonts: [] },
  winget: { browser: ['Google.Chrome'], display: [], fonts: [] },
}

const installArguments = {
  'apt-get': ['apt-get', 'install', '-y', '--no-install-recommends'],
  dnf: ['dnf', 'install', '-y'],
  pacman: ['pacman', '-S', '--needed'],
  zypper: ['zypper', 'install', '-y'],
  apk: ['apk', 'add'],
  brew: ['brew', 'install', '--cask'],
  winget: ['winget', 'install', '--exact', '--id'],
}

/** What is missing from `found` (see `detect`), in the order in which it is announced. */
export function missingFrom(found) {
  const missing = []
  if (!found.chromium) missing.push(browser)
  if (!found.tigervnc && !found.xvfbPair) missing.push(display)
  if (!found.hasFonts) missing.push(fonts)
  return missing
}

/**
 * Decides what set-up does. Pure: `found` comes from `detect`, `installer` from `detectInstaller`.
 * @returns `action` is `none`, `install` (with `packages`, which bring the items `brings`) or `report` (with `reason`);
 * `commands` is what a person would type; `notes` tell what to do about an item that no package brings.
 */
export function planSetup({ found, installer, env = {} }) {
  const missing = missingFrom(found)
  if (missing.length === 0) return { action: 'none', missing, brings: [], packages: [], commands: [], notes: [], reason: undefined }

  const brought = missing.map((item) => ({ item, packages: packagesFor(item, found, installer, env) }))
  const names = brought.flatMap((entry) => entry.packages)
  const notes = brought.filter((entry) => entry.packages.length === 0).map(({ item }) => noteFor(item, found, installer, env))
  const reason = names.length === 0 ? undefined : reasonNotToInstall(found, installer, env)
  return {
    action: names.length > 0 && reason === undefined ? 'install' : 'report',
    missing,
    brings: brought.filter((entry) => entry.packages.length > 0).map((entry) => entry.item),
    packages: names,
    commands: names.length === 0 ? [] : commandsFor(names, installer),
    notes,
    reason,
  }
}

function packagesFor(item, found, installer, env) {
  if (item === browser && env.RUNWRIGHT_CHROMIUM) return []
  // Ubuntu's chromium packages are empty ones that call snap, which neither containers nor root services can run.
  if (item === browser && installer.distribution === 'ubuntu' && found.platform === 'linux') return []
  return packages[installer.packageManager]?.[item.id] ?? []
}

function noteFor(item, found, installer, env) {
  if (item === browser && env.RUNWRIGHT_CHROMIUM) {
    return `RUNWRIGHT_CHROMIUM is ${env.RUNWRIGHT_CHROMIUM}, which is not an executable file. Correct it or unset it.`
  }
  if (item === browser && installer.distribution === 'ubuntu') {
    return 'Ubuntu has Chromium only as a snap. Install Google Chrome, or set RUNWRIGHT_CHROMIUM to a browser of your own.'
  }
  if (item === display && found.platform !== 'linux') return `The live view needs Linux with TigerVNC; there is none on ${found.platform}.`
  if (item === browser) return 'Install Chromium or Google Chrome, or set RUNWRIGHT_CHROMIUM to its path.'
  return `Install ${item.what} (${item.why}) with your package manager.`
}

function reasonNotToInstall(found, installer, env) {
  const mode = env.RUNWRIGHT_SETUP
  if (mode === 'report') return 'RUNWRIGHT_SETUP=report'
  if (mode && mode !== 'install') return `RUNWRIGHT_SETUP is "${mode}"; expected "install" or "report"`
  if (found.platform !== 'linux') return `set-up does not install on ${found.platform}`
  if (installer.packageManager !== 'apt-get') return 'there is no apt-get'
  if (!installer.isRoot && !installer.hasSudo) return 'that takes root, and sudo without a password does not work here'
  return undefined
}

function commandsFor(names, installer) {
  const needsSudo = !installer.isRoot && !['brew', 'winget'].includes(installer.packageManager)
  const prefix = needsSudo ? ['sudo'] : []
  const commands = [[...prefix, ...installArguments[installer.packageManager], ...names]]
  if (installer.packageManager === 'apt-get') commands.unshift([...prefix, 'apt-get', 'update'])
  return commands
}

/** The arguments of a command that set-up itself starts. */
export function aptCommand(arguments_, installer) {
  const apt = ['apt-get', '-y', '-o', 'DPkg::Lock::Timeout=120', '-o', 'APT::Status-Fd=1', '-o', 'Dpkg::Use-Pty=0', ...arguments_]
  // sudo drops the environment, hence `env`.
  return installer.isRoot ? apt : ['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive', ...apt]
}
