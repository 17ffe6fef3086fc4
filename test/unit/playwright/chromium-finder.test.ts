import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findChromium } from '../../../src/playwright/chromium-finder.js'

describe('findChromium', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'runwright-finder-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const program = (...path: string[]) => {
    const file = join(folder, ...path)
    mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(file, '')
    chmodSync(file, 0o755)
    return file
  }
  const find = (env: Record<string, string>, more: Parameters<typeof findChromium>[0] = {}) =>
    findChromium({ env, platform: 'linux', ...more })
  const PATH = () => [join(folder, 'a'), join(folder, 'b')].join(delimiter)

  it('prefers the option, then the variable, then the first known name on PATH', () => {
    const chrome = program('a', 'google-chrome')
    expect(find({ PATH: PATH() })).toBe(chrome)
    const chromium = program('b', 'chromium')
    expect(find({ PATH: PATH() })).toBe(chromium)
    const own = program('own')
    expect(find({ PATH: PATH(), RUNWRIGHT_CHROMIUM: own })).toBe(own)
    expect(find({ PATH: PATH(), RUNWRIGHT_CHROMIUM: own }, { executablePath: chrome })).toBe(chrome)
    expect(find({ PATH: PATH(), RUNWRIGHT_CHROMIUM: '' })).toBe(chromium)
  })

  it('finds the brand that was asked for and no other', () => {
    program('a', 'chromium')
    const edge = program('a', 'microsoft-edge-stable')
    expect(find({ PATH: PATH() }, { browserType: 'msedge' })).toBe(edge)
    expect(() => find({ PATH: PATH() }, { browserType: 'chrome' })).toThrow(/google-chrome-stable/)
  })

  it('passes over what is no program', () => {
    mkdirSync(join(folder, 'a', 'chromium'), { recursive: true })
    writeFileSync(join(folder, 'a', 'google-chrome'), '', { mode: 0o644 })
    const edge = program('b', 'msedge')
    expect(find({ PATH: PATH() })).toBe(edge)
  })

  it('takes the newest build of Playwright last', () => {
    program('browsers', 'chromium-900', 'chrome-linux', 'chrome')
    const newest = program('browsers', 'chromium-1200', 'chrome-linux64', 'chrome')
    expect(find({ PATH: PATH(), PLAYWRIGHT_BROWSERS_PATH: join(folder, 'browsers') })).toBe(newest)
    expect(() => find({ PATH: PATH(), PLAYWRIGHT_BROWSERS_PATH: join(folder, 'nowhere') })).toThrow()
  })

  it('names the package and the command when there is none', () => {
    expect(() => find({ PATH: PATH() })).toThrow(
      expect.objectContaining({
        code: 'BROWSER_NOT_FOUND',
        category: 'executable_missing',
        message: expect.stringMatching(/package "chromium": apt-get install -y .*chromium/),
        details: expect.objectContaining({ package: 'chromium' }),
      }),
    )
    expect(() => find({ PATH: PATH() }, { executablePath: '/no/such' })).toThrow(/executablePath "\/no\/such" is not a program/)
    expect(() => find({ PATH: PATH(), RUNWRIGHT_CHROMIUM: '/no/such' })).toThrow(/RUNWRIGHT_CHROMIUM "\/no\/such" is not a program/)
  })
})
