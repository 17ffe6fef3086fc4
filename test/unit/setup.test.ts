import { describe, expect, it } from 'vitest'
import { listsAreOld, progressOf } from '../../scripts/setup/apt.mjs'
import { aptCommand, type Found, type Installer, planSetup } from '../../scripts/setup/plan.mjs'

const complete: Found = { platform: 'linux', chromium: '/usr/bin/chromium', tigervnc: '/usr/bin/Xtigervnc', hasFonts: true }
const bare: Found = { platform: 'linux', hasFonts: false }
const debianRoot: Installer = { isRoot: true, hasSudo: false, packageManager: 'apt-get', distribution: 'debian', hasPackageLists: true }
const debianUser: Installer = { ...debianRoot, isRoot: false }

const plan = (found: Found, installer: Installer = debianRoot, env: Record<string, string> = {}) => planSetup({ found, installer, env })
const commandLines = (commands: readonly (readonly string[])[]) => commands.map((command) => command.join(' '))

describe('planSetup', () => {
  it('does nothing where everything is there', () => {
    expect(plan(complete)).toMatchObject({ action: 'none', packages: [], commands: [], notes: [] })
  })

  it('installs browser, display and fonts on a bare Debian as root', () => {
    expect(plan(bare)).toMatchObject({
      action: 'install',
      packages: ['chromium', 'chromium-sandbox', 'tigervnc-standalone-server', 'fonts-liberation'],
      reason: undefined,
    })
  })

  it('installs only what is missing', () => {
    expect(plan({ ...complete, tigervnc: undefined }).packages).toEqual(['tigervnc-standalone-server'])
    expect(plan({ ...complete, chromium: undefined }).packages).toEqual(['chromium', 'chromium-sandbox'])
    expect(plan({ ...complete, hasFonts: false }).packages).toEqual(['fonts-liberation'])
  })

  it('takes Xvfb with x11vnc for a display', () => {
    expect(plan({ ...complete, tigervnc: undefined, xvfbPair: '/usr/bin/Xvfb + /usr/bin/x11vnc' }).action).toBe('none')
  })

  it('installs with sudo where that needs no password', () => {
    const installer = { ...debianUser, hasSudo: true }
    expect(plan(bare, installer).action).toBe('install')
    expect(aptCommand(['update'], installer).slice(0, 5)).toEqual(['sudo', '-n', 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'])
  })

  it('prints the command, and what is off, to a user who may not install', () => {
    const { action, commands, reason, missing } = plan(bare, debianUser)
    expect(action).toBe('report')
    expect(reason).toContain('sudo without a password does not work')
    expect(commandLines(commands)).toEqual([
      'sudo apt-get update',
      'sudo apt-get install -y --no-install-recommends chromium chromium-sandbox tigervnc-standalone-server fonts-liberation',
    ])
    expect(missing.map((item) => item.withoutIt).join()).toMatch(/no workflow can run.*no live view/)
  })

  it.each(['report', 'never'])('does not install when RUNWRIGHT_SETUP=%s', (mode) => {
    const { action, reason } = plan(bare, debianRoot, { RUNWRIGHT_SETUP: mode })
    expect(action).toBe('report')
    expect(reason).toContain(mode)
  })

  it('never installs a browser in place of the one that RUNWRIGHT_CHROMIUM names', () => {
    const { packages, notes } = plan(bare, debianRoot, { RUNWRIGHT_CHROMIUM: '/opt/none/chrome' })
    expect(packages).not.toContain('chromium')
    expect(notes.join()).toContain('RUNWRIGHT_CHROMIUM is /opt/none/chrome')
  })

  it('leaves the browser to the user on Ubuntu, where it is a snap, and installs the rest', () => {
    const { action, packages, brings, notes } = plan({ ...bare, hasFonts: true }, { ...debianRoot, distribution: 'ubuntu' })
    expect(action).toBe('install')
    expect(packages).toEqual(['tigervnc-standalone-server'])
    expect(brings.map((item) => item.id)).toEqual(['display'])
    expect(notes.join()).toContain('snap')
  })

  it.each([
    ['dnf', 'sudo dnf install -y chromium tigervnc-server-minimal liberation-fonts'],
    ['pacman', 'sudo pacman -S --needed chromium tigervnc ttf-liberation'],
    ['apk', 'sudo apk add chromium tigervnc font-liberation'],
  ])('prints the command of %s, and leaves it to the user', (packageManager, command) => {
    const { action, commands } = plan(bare, { ...debianUser, packageManager, distribution: 'other' })
    expect(action).toBe('report')
    expect(commandLines(commands)).toEqual([command])
  })

  it('says what to do where there is no package manager it knows', () => {
    const { action, commands, notes } = plan(bare, { ...debianUser, packageManager: undefined })
    expect({ action, commands }).toEqual({ action: 'report', commands: [] })
    expect(notes).toHaveLength(3)
  })

  it.each([
    ['darwin', 'brew', 'brew install --cask google-chrome'],
    ['win32', 'winget', 'winget install --exact --id Google.Chrome'],
  ])('reports on %s: a command for the browser, and no live view', (platform, packageManager, command) => {
    const { action, commands, notes } = plan({ platform, hasFonts: true }, { ...debianUser, packageManager, distribution: undefined })
    expect(action).toBe('report')
    expect(commandLines(commands)).toEqual([command])
    expect(notes.join()).toContain(`there is none on ${platform}`)
  })
})

describe('what apt says', () => {
  it.each([
    ['dlstatus:26:23.4500:Retrieving file 26 of 31', { phase: 'download', percent: 23, text: 'Retrieving file 26 of 31' }],
    ['pmstatus:chromium:39.1:Installing chromium (amd64)', { phase: 'install', percent: 39, text: 'Installing chromium (amd64)' }],
    ['pmstatus:libc6:amd64:7.5:Unpacking libc6:amd64', { phase: 'install', percent: 7, text: 'Unpacking libc6:amd64' }],
    ['Waiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend.', { phase: 'waiting', text: 'another apt is at work' }],
    ['Reading package lists...', undefined],
  ])('reads progress from %s', (line, step) => {
    expect(progressOf(line)).toEqual(step)
  })

  it('knows the signs of old package lists', () => {
    expect(listsAreOld(['E: Unable to locate package chromium'])).toBe(true)
    expect(listsAreOld(['E: Failed to fetch file  404  Not Found'])).toBe(true)
    expect(listsAreOld(['E: You do not have enough free space'])).toBe(false)
  })
})
