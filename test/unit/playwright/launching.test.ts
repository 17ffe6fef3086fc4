import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { PlaywrightDriver } from '../../../src/playwright/index.js'
import { browserEnvironment, browserFolders, launchArguments } from '../../../src/playwright/launch-arguments.js'
import { launchFailure, lockHolder } from '../../../src/playwright/launch-failure.js'
import type { LaunchSpec } from '../../../src/sessions/ports.js'

const spec = (overrides: Partial<LaunchSpec> = {}): LaunchSpec => ({
  browserSessionId: 'bs_1',
  browserType: 'chromium',
  headless: false,
  viewport: null,
  launchArgs: ['--window-size=1,2'],
  env: {},
  directory: '/s',
  downloadsDirectory: '/s/downloads',
  ...overrides,
})

describe('launchArguments', () => {
  it("puts the session's own last, and X11 into windows only", () => {
    const args = launchArguments(spec(), browserFolders(spec()), ['--lang=de'], 'linux')
    expect(args.slice(-2)).toEqual(['--lang=de', '--window-size=1,2'])
    expect(args).toContain('--ozone-platform=x11')
    expect(args).toContain('--disable-quic')
    expect(args.some((arg) => arg.startsWith('--remote-debugging'))).toBe(false)
    expect(launchArguments(spec({ headless: true }), browserFolders(spec()), [], 'linux')).not.toContain('--ozone-platform=x11')
    expect(launchArguments(spec(), browserFolders(spec()), [], 'darwin')).not.toContain('--ozone-platform=x11')
  })
})

describe('browserEnvironment', () => {
  const host = {
    PATH: '/bin',
    HOME: '/root',
    DATABASE_URL: 'secret',
    DISPLAY: ':0',
    XAUTHORITY: '/x',
    WAYLAND_DISPLAY: 'w',
    LC_ALL: 'C',
    TMPDIR: '/tmp',
  }
  const of = (overrides: Partial<LaunchSpec>, driverEnv = {}) =>
    browserEnvironment(spec(overrides), browserFolders(spec(overrides)), driverEnv, host, 'linux')

  it('passes nothing of the host but what a program needs', () => {
    expect(of({ headless: true })).toEqual({
      PATH: '/bin',
      HOME: '/root',
      LC_ALL: 'C',
      TMPDIR: '/s/tmp',
      BREAKPAD_DUMP_LOCATION: '/s/crashes',
      RUNWRIGHT_BROWSER: '/s',
    })
  })

  it("uses the session's display, else, for a window, the host's own", () => {
    expect(of({ env: { DISPLAY: ':9', XAUTHORITY: '/s/auth', TMPDIR: '/t' } }, { WAYLAND_DISPLAY: 'w' })).toMatchObject({
      DISPLAY: ':9',
      XAUTHORITY: '/s/auth',
      TMPDIR: '/t',
    })
    expect(of({ env: { DISPLAY: ':9' } })).not.toHaveProperty('XAUTHORITY')
    expect(of({})).toMatchObject({ DISPLAY: ':0', XAUTHORITY: '/x' })
    expect(of({})).not.toHaveProperty('WAYLAND_DISPLAY')
    expect(of({ headless: true })).not.toHaveProperty('DISPLAY')
  })
})

describe('launchFailure', () => {
  const params = { browserSessionId: 'bs_1', executablePath: '/x', timeoutMs: 100, signal: new AbortController().signal }
  const timeout = Object.assign(new Error('Timeout 100ms exceeded.'), { name: 'TimeoutError' })
  it.each<[Error | string, string, boolean]>([
    [new Error('Browser logs:\n[pid=1][err] Missing X server or $DISPLAY'), 'display', false],
    [
      new Error('launch: Target page, context or browser has been closed\n[pid=1][err] Failed to create /p/SingletonLock: File exists'),
      'profile_locked',
      false,
    ],
    [new Error('Target page, context or browser has been closed'), 'crashed', true],
    [new Error('spawn /x ENOENT'), 'executable_missing', false],
    [new Error('[err] No usable sandbox!'), 'crashed', true],
    [new Error('[err] Cannot start http server for devtools.'), 'port', false],
    [timeout, 'timeout', true],
    ['what?', 'unknown', true],
  ])('reads %s as %s', (cause, category, retryable) => {
    expect(launchFailure(cause, params)).toMatchObject({ category, retryable })
  })

  it('keeps what the browser said, and says aborted when it was', () => {
    const error = launchFailure(new Error('closed\n[pid=3][err] one\n[pid=3][err] two\u001b[22m'), params)
    expect(error.details.output).toBe('one\ntwo')
    expect(launchFailure(timeout, { ...params, signal: AbortSignal.abort() })).toMatchObject({ category: 'aborted' })
  })
})

describe('lockHolder', () => {
  it('knows other hosts and living processes', () => {
    expect(lockHolder('elsewhere-7')).toBe('host elsewhere')
    expect(lockHolder(`${hostname()}-${process.pid}`)).toBe(`process ${process.pid}`)
    expect(lockHolder(`${hostname()}-4194305`)).toBeNull()
  })
})

describe('PlaywrightDriver', () => {
  it('refuses unknown and unfit options', () => {
    expect(() => new PlaywrightDriver({ headles: true } as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', details: expect.objectContaining({ path: 'headles' }) }),
    )
    expect(() => new PlaywrightDriver({ args: ['window'] })).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ path: 'args.0' }) }),
    )
  })
})
