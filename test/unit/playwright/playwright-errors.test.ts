import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeTarget } from '../../../src/definition/index.js'
import { ActionError } from '../../../src/errors/index.js'
import { safeFilename } from '../../../src/playwright/download-file.js'
import { mapError } from '../../../src/playwright/playwright-errors.js'
import { toInputFile } from '../../../src/playwright/upload-file.js'

const attempt = { what: 'click', target: { css: '#x' }, url: 'https://a.test/', timeoutMs: 300 }
const quiet = new AbortController().signal
const timeout = (log: string) =>
  Object.assign(new Error(`locator.click: Timeout 300ms exceeded.\nCall log:\n${log}`), { name: 'TimeoutError' })

describe('mapError', () => {
  it.each<[string, unknown, object, object]>([
    ['nothing found', timeout("  - waiting for locator('#x')"), {}, { code: 'TARGET_NOT_FOUND', retryable: true }],
    [
      'found, not ready',
      timeout('  - locator resolved to <b/>\n  - element is not enabled\n  - waiting 100ms'),
      {},
      { code: 'TARGET_NOT_ACTIONABLE', details: { obstacle: 'element is not enabled' } },
    ],
    [
      'covered',
      timeout('\u001b[2m  - element is not stable\n - <div id="c"></div> intercepts pointer events\u001b[22m'),
      { wasFound: () => true },
      { details: { obstacle: '<div id="c"></div> intercepts pointer events' } },
    ],
    ['no target', timeout(''), { target: undefined }, { code: 'ACTION_TIMEOUT' }],
    [
      'several',
      new Error("strict mode violation: locator('b') resolved to 4 elements:\n 1)"),
      {},
      { code: 'TARGET_AMBIGUOUS', details: { count: 4 } },
    ],
    [
      'network',
      new Error('page.goto: net::ERR_CONNECTION_REFUSED at http://x/'),
      { target: undefined },
      { code: 'NAVIGATION_FAILED', details: { reason: 'net::ERR_CONNECTION_REFUSED' }, retryable: true },
    ],
    ['closed', new Error('Target page, context or browser has been closed'), {}, { code: 'PAGE_CLOSED' }],
    [
      'other',
      new Error('locator.click: Error: Element is odd\nCall log:\n - x'),
      {},
      { code: 'ACTION_FAILED', message: 'click on css "#x" failed: Element is odd' },
    ],
    ['no error', 'text', {}, { code: 'ACTION_FAILED' }],
  ])('maps: %s', (_name, cause, more, expected) => {
    expect(mapError(cause, { ...attempt, ...more }, quiet)).toMatchObject(expected)
  })

  it('passes the reason of an abort and errors of ours as they are', () => {
    const reason = new Error('mine')
    expect(mapError(timeout(''), attempt, AbortSignal.abort(reason))).toBe(reason)
    const own = new ActionError('x', { code: 'NO_PAGE' })
    expect(mapError(own, attempt, quiet)).toBe(own)
  })
})

describe('describeTarget', () => {
  it('names kind, place and frame', () => {
    expect(describeTarget({ role: 'button', name: 'Save', nth: -1, frame: ['#a', '#b'] })).toBe('button "Save" nth -1 in frame "#a" > "#b"')
    expect(describeTarget({ testId: 'x' })).toBe('testId "x"')
  })
})

describe('safeFilename', () => {
  it.each([
    ['report.csv', 'report.csv'],
    ['../../etc/passwd', '__.._etc_passwd'],
    ['a\u0000b:c?.txt', 'a_b_c_.txt'],
    ['...', '_'],
    ['', 'download'],
    ['Ünïcode 你好.pdf', 'Ünïcode 你好.pdf'],
  ])('makes %j a file name', (suggested, expected) => {
    expect(safeFilename(suggested)).toBe(expected)
  })

  it('stays one name, within what file systems take', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (suggested) => {
        const name = safeFilename(suggested)
        expect(name).not.toMatch(/[/\\\p{Cc}]|^\.{1,2}$|^$/u)
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
      }),
    )
  })
})

describe('toInputFile', () => {
  it('takes paths and data addresses, and nothing else', () => {
    expect(toInputFile('/tmp/a.txt')).toBe('/tmp/a.txt')
    expect(toInputFile('C:\\a.txt')).toBe('C:\\a.txt')
    expect(toInputFile('data:text/csv;name=a%20b.csv;base64,YQ==')).toEqual({
      name: 'a b.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from('a'),
    })
    expect(toInputFile('data:,hi%20you')).toEqual({ name: 'file.txt', mimeType: 'text/plain', buffer: Buffer.from('hi you') })
    expect(() => toInputFile('https://a.test/x')).toThrow(expect.objectContaining({ code: 'ACTION_FAILED' }))
  })
})
