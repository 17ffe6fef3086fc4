import { describe, expect, it } from 'vitest'
import { programCandidates } from '../../../src/playwright/channels.js'
import { findChromium } from '../../../src/playwright/chromium-finder.js'
import { extensionArguments, extensionFolders } from '../../../src/playwright/extensions.js'
import { PlaywrightDriver } from '../../../src/playwright/index.js'
import { browserFolders, launchArguments } from '../../../src/playwright/launch-arguments.js'

describe('programCandidates', () => {
  it('are on PATH first, name by name, then where the packages of Linux put them', () => {
    const env = { PATH: '/a:/b', HOME: '/home/ann' }
    expect(programCandidates({ browserType: 'chrome', platform: 'linux', env })).toEqual([
      ...['/a/google-chrome', '/b/google-chrome', '/a/google-chrome-stable', '/b/google-chrome-stable', '/a/chrome', '/b/chrome'],
      '/opt/google/chrome/chrome',
    ])
    expect(programCandidates({ browserType: 'msedge', platform: 'linux', env }).at(-1)).toBe('/opt/microsoft/msedge/msedge')
    const any = programCandidates({ browserType: 'chromium', platform: 'linux', env: {} })
    expect(any).toEqual(['/snap/bin/chromium', '/opt/google/chrome/chrome', '/opt/microsoft/msedge/msedge'])
  })

  it('are the applications of macOS, everybody’s and the user’s own', () => {
    const env = { HOME: '/Users/ann' }
    expect(programCandidates({ browserType: 'msedge', platform: 'darwin', env })).toEqual([
      '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
      '/Users/ann/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
    ])
    expect(programCandidates({ browserType: 'chromium', platform: 'darwin', env })[0]).toBe(
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
    )
  })

  it('are the program folders of Windows, in its own spelling', () => {
    const env = { Path: 'C:\\bin', PROGRAMFILES: 'C:\\Program Files', LOCALAPPDATA: 'C:\\Users\\ann\\AppData\\Local' }
    expect(programCandidates({ browserType: 'chrome', platform: 'win32', env })).toEqual([
      ...['C:\\bin\\google-chrome.exe', 'C:\\bin\\google-chrome-stable.exe', 'C:\\bin\\chrome.exe'],
      'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
      'C:\\Users\\ann\\AppData\\Local\\Google\\Chrome\\Application\\chrome.exe',
    ])
    expect(programCandidates({ browserType: 'msedge', platform: 'win32', env })).toContain(
      'C:\\Program Files\\Microsoft\\Edge\\Application\\msedge.exe',
    )
  })
})

describe('findChromium', () => {
  it('has a variable for each type, so that one brand never stands in for another', () => {
    const env = { RUNWRIGHT_CHROMIUM: process.execPath, RUNWRIGHT_MSEDGE: '/no/such' }
    expect(findChromium({ env })).toBe(process.execPath)
    expect(() => findChromium({ env, browserType: 'msedge' })).toThrow(/RUNWRIGHT_MSEDGE "\/no\/such" is not a program/)
    expect(() => findChromium({ env, browserType: 'chrome', platform: 'aix' })).toThrow(
      /set RUNWRIGHT_CHROME, or the executablePath option/,
    )
  })
})

describe('extensions', () => {
  const registered = { adblock: '/x/adblock', mark: '/x/mark' }

  it('are asked for by name, and loaded alone', () => {
    const folders = extensionFolders({ browserType: 'chromium', extensions: ['mark', 'adblock'] }, registered)
    expect(extensionArguments(folders)).toEqual(['--disable-extensions-except=/x/mark,/x/adblock', '--load-extension=/x/mark,/x/adblock'])
    const spec = { browserSessionId: 'bs', directory: '/s', downloadsDirectory: '/s/d', browserType: 'chromium', headless: true } as const
    const full = { ...spec, viewport: null, launchArgs: [], env: {} }
    expect(launchArguments(full, browserFolders(full), [], 'linux', folders)).toContain('--load-extension=/x/mark,/x/adblock')
    expect(extensionArguments([])).toEqual([])
  })

  it.each(['/x/adblock', 'toString', '__proto__', 'nobody'])('are not found under %s', (name) => {
    expect(() => extensionFolders({ browserType: 'chromium', extensions: [name] }, registered)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', details: expect.objectContaining({ received: name }) }),
    )
  })

  it('are refused for Chrome, which would leave them out silently', () => {
    expect(() => extensionFolders({ browserType: 'chrome', extensions: ['mark'] }, registered)).toThrow(/loads no unpacked extensions/)
    expect(extensionFolders({ browserType: 'chrome', extensions: [] }, registered)).toEqual([])
  })
})

describe('options of PlaywrightDriver', () => {
  it.each([
    [{ args: ['--user-data-dir=/home/ann'] }, 'args.0'],
    [{ args: ['--lang=de', '--remote-debugging-port=9222'] }, 'args.1'],
    [{ args: ['--proxy-server=http://x'] }, 'args.0'],
    [{ args: ['--proxy-bypass-list=*'] }, 'args.0'],
    [{ args: ['--load-extension=/x'] }, 'args.0'],
    [{ extensions: { mark: 'relative' } }, 'extensions.mark'],
    [{ executablePath: { opera: '/x' } }, 'executablePath.opera'],
  ])('refuse %j', (options, path) => {
    expect(() => new PlaywrightDriver(options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', details: expect.objectContaining({ path }) }),
    )
  })

  it('take a program for each type', () => {
    expect(() => new PlaywrightDriver({ executablePath: { chrome: '/x' }, args: ['--lang=de'], extensions: { a: '/a' } })).not.toThrow()
  })
})
