import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { installPackages } from '../../scripts/setup/apt.mjs'
import { describeUnless } from '../support/skips.js'

const script = fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url))
const lastLine = (text: string) => text.trimEnd().split('\n').at(-1)

/** The real script, with nothing on its PATH but stand-ins. */
describeUnless(process.platform === 'linux' ? undefined : 'the stand-ins are those of Linux', 'scripts/setup.mjs', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'runwright-setup-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const program = (name: string, body = '') => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  /** Notes its arguments in `apt.log`, then does `body`, which may ask for `$command` (`update` or `install`). */
  const aptGet = (body: string) => {
    program(
      'apt-get',
      `echo "$*" >> ${folder}/apt.log; case "$*" in *" update"*) command=update;; *) command=install;; esac
       bring() { printf '#!/bin/sh\\n' > "${folder}/$1"; /bin/chmod 755 "${folder}/$1"; }
       ${body}`,
    )
    program('sudo', `PATH=${folder}:/usr/bin:/bin; shift; exec "$@"`)
  }
  const aptLog = () => (existsSync(join(folder, 'apt.log')) ? readFileSync(join(folder, 'apt.log'), 'utf8') : '')
  const setUp = (env: Record<string, string> = {}) => {
    const result = spawnSync(process.execPath, [script], { encoding: 'utf8', env: { PATH: folder, HOME: folder, ...env } })
    expect(result.stderr).toBe('')
    expect(result.status).toBe(0)
    return result.stdout
  }

  it('is silent when nothing is missing', () => {
    program('google-chrome')
    program('Xtigervnc')
    aptGet('bring font')
    const fontFolder = join(folder, '.fonts')
    spawnSync('/bin/mkdir', [fontFolder])
    writeFileSync(join(fontFolder, 'any.ttf'), '')
    expect(setUp()).toBe('')
    expect(aptLog()).toBe('')
  })

  it('reports without installing when told so', () => {
    aptGet('')
    const output = setUp({ RUNWRIGHT_SETUP: 'report' })
    expect(output).toContain('Chromium: no workflow can run')
    expect(output).toContain('TigerVNC: no live view')
    expect(output).toContain('RUNWRIGHT_SETUP=report')
    expect(lastLine(output)).toMatch(/^ {2}(sudo )?apt-get update && (sudo )?apt-get install -y --no-install-recommends chromium /)
    expect(aptLog()).toBe('')
  })

  it('says what to do where there is no package manager', () => {
    expect(setUp()).toContain('Install Chromium or Google Chrome')
  })

  it('does not take another Xvnc for TigerVNC', () => {
    program('chromium')
    program('Xvnc', 'echo "Xvnc version TightVNC-1.3.10" >&2')
    expect(setUp()).toContain('TigerVNC')
    program('Xvnc', 'echo "Xvnc TigerVNC 1.12.0" >&2')
    expect(setUp()).not.toContain('TigerVNC')
  })

  it('takes the browser that RUNWRIGHT_CHROMIUM names, and says when it is none', () => {
    program('Xtigervnc')
    program('my-browser')
    expect(setUp({ RUNWRIGHT_CHROMIUM: join(folder, 'my-browser') })).not.toContain('Chromium')
    expect(setUp({ RUNWRIGHT_CHROMIUM: '/opt/none' })).toContain('RUNWRIGHT_CHROMIUM is /opt/none, which is not an executable file')
  })

  it('announces, installs and says that it is done', () => {
    aptGet('[ $command = install ] && { echo "pmstatus:chromium:40.0:Installing chromium"; bring chromium; bring Xtigervnc; }; exit 0')
    const output = setUp()
    expect(output).toContain('installing what is missing')
    expect(output).toContain('install  40 %  Installing chromium')
    expect(output).toMatch(/Set-up is complete|a font/)
    expect(aptLog()).toContain('DPkg::Lock::Timeout=120')
    expect(aptLog()).toContain('install --no-install-recommends chromium chromium-sandbox tigervnc-standalone-server')
  })

  it("shows apt's last lines and the command when apt fails, and does not fail itself", () => {
    aptGet('echo "E: You do not have enough free space in /var/cache/apt/archives/." >&2; exit 100')
    const output = setUp()
    expect(output).toMatch(/this failed: (sudo -n env DEBIAN_FRONTEND=noninteractive )?apt-get -y/)
    expect(output).toContain('  | E: You do not have enough free space')
    expect(output).toContain('Chromium: no workflow can run')
    expect(output).toContain('To try again by hand, run:')
  })

  describe('installPackages', () => {
    const said: string[] = []
    const progress = { say: (text: string) => said.push(text), step: () => undefined }
    const install = async (hasPackageLists: boolean) => {
      said.length = 0
      const path = process.env.PATH
      process.env.PATH = `${folder}:${path}`
      try {
        const installer = { isRoot: true, hasSudo: false, packageManager: 'apt-get', hasPackageLists }
        return await installPackages({ packages: ['chromium'], installer, progress, lockRetryMs: 1 })
      } finally {
        process.env.PATH = path
      }
    }
    const commands = () => Array.from(aptLog().matchAll(/ (update|install)\b/g), ([, command]) => command)

    it('fetches package lists first where there are none', async () => {
      aptGet('exit 0')
      expect(await install(false)).toMatchObject({ ok: true })
      expect(commands()).toEqual(['update', 'install'])
    })

    it('explains an unknown package by what the update said', async () => {
      aptGet(
        '[ $command = update ] && { echo "W: Failed to fetch InRelease"; exit 0; }; echo "E: Unable to locate package chromium" >&2; exit 100',
      )
      expect(await install(false)).toMatchObject({
        ok: false,
        lines: ['W: Failed to fetch InRelease', 'E: Unable to locate package chromium'],
      })
    })

    it('fetches them anew when they are old', async () => {
      aptGet(
        `[ $command = update ] && { : > ${folder}/fresh; exit 0; }; [ -e ${folder}/fresh ] && exit 0; echo "E: 404  Not Found" >&2; exit 100`,
      )
      expect(await install(true)).toMatchObject({ ok: true })
      expect(commands()).toEqual(['install', 'update', 'install'])
    })

    it('waits for a lock that another apt holds', async () => {
      aptGet(`[ -e ${folder}/free ] && exit 0; : > ${folder}/free; echo "E: Could not get lock /var/lib/apt/lists/lock" >&2; exit 100`)
      expect(await install(true)).toMatchObject({ ok: true })
      expect(commands()).toEqual(['install', 'install'])
      expect(said).toEqual(['Another apt is at work; waiting for it.'])
    })
  })
})
