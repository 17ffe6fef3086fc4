import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDate } from '../../../src/playwright/parse-date.js'
import { parseNumber } from '../../../src/playwright/parse-number.js'

describe('parseNumber', () => {
  it.each<[string, string | undefined, number | null]>([
    ['42', undefined, 42],
    ['1,234.56', undefined, 1234.56],
    ['1.234,56 €', undefined, 1234.56],
    ['€ 1.234.567,8', undefined, 1234567.8],
    ['1 234,56', undefined, 1234.56],
    ['1\u00a0234,56', 'fr', 1234.56],
    ['1\u202f234', 'fr', 1234],
    ["CHF 1'234.50", 'de-CH', 1234.5],
    ['1’234.50', 'de-CH', 1234.5],
    ['12,34,567.8', 'en-IN', 1234567.8],
    ['$1,234', undefined, 1234],
    ['1,234', 'de', 1.234],
    ['1.234', undefined, 1.234],
    ['1.234', 'de', 1234],
    ['1.234', 'not a language', 1.234],
    ['12.345', 'de', 12345],
    ['0,125', undefined, 0.125],
    ['0.125', 'de', 0.125],
    ['1234,567', undefined, 1234.567],
    ['2,50', undefined, 2.5],
    ['.5', undefined, 0.5],
    ['-5', undefined, -5],
    ['−5', undefined, -5],
    ['- 5', undefined, -5],
    ['-$5.00', undefined, -5],
    ['(12.50)', undefined, -12.5],
    ['12.5%', undefined, 12.5],
    ['Total: 99 items', undefined, 99],
    ['99.', undefined, 99],
    ['no number', undefined, null],
    ['', undefined, null],
    ['3 of 10', undefined, null],
    ['1,23,4', undefined, null],
    ['12.34.56', undefined, null],
    ['1e5', undefined, null],
  ])('reads %j in language %s as %s', (text, language, expected) => {
    expect(parseNumber(text, language)).toBe(expected)
  })

  it('reads back what a language writes', () => {
    const languages = [
      'en-US',
      'en-GB',
      'de-DE',
      'de-CH',
      'fr-FR',
      'es-ES',
      'it-IT',
      'pt-BR',
      'nl-NL',
      'sv-SE',
      'pl-PL',
      'ru-RU',
      'ja-JP',
      'en-IN',
    ]
    fc.assert(
      fc.property(
        fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }),
        fc.integer({ min: 0, max: 3 }),
        fc.constantFrom(...languages),
        (n, digits, language) => {
          const value = n / 10 ** digits
          const text = new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
          expect([text, parseNumber(text, language)]).toEqual([text, value === 0 ? expect.closeTo(0) : value])
        },
      ),
      { numRuns: 500 },
    )
  })

  it('never gives anything but a finite number or null', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => parseNumber(text, 'en') === null || Number.isFinite(parseNumber(text, 'en'))),
    )
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."0123456789., '-€()") }),
        (text) => parseNumber(text) === null || Number.isFinite(parseNumber(text)),
      ),
    )
  })
})

describe('parseDate', () => {
  it.each<[string, string | undefined, string | null]>([
    ['2024-05-06', undefined, '2024-05-06'],
    ['2024-05-06T14:30:00Z', undefined, '2024-05-06T14:30:00.000Z'],
    ['2024-05-06T14:30:00+02:00', undefined, '2024-05-06T12:30:00.000Z'],
    ['2024-05-06 14:30', undefined, '2024-05-06T14:30:00'],
    ['2024/5/6', undefined, '2024-05-06'],
    ['2024年5月6日', 'ja', '2024-05-06'],
    ['06.05.2024', undefined, '2024-05-06'],
    ['6. 5. 2024', 'cs', '2024-05-06'],
    ['6.5.24', 'de', '2024-05-06'],
    ['06.05.2024, 14:30 Uhr', 'de', '2024-05-06T14:30:00'],
    ['05/06/2024', 'en-US', '2024-05-06'],
    ['05/06/2024', 'en-GB', '2024-06-05'],
    ['05/06/2024', 'fr', '2024-06-05'],
    ['05/06/2024', undefined, null],
    ['05/06/2024', '???', null],
    ['25/06/2024', undefined, '2024-06-25'],
    ['06/25/2024', undefined, '2024-06-25'],
    ['05/05/2024', undefined, '2024-05-05'],
    ['6 May 2024', undefined, '2024-05-06'],
    ['May 6, 2024', undefined, '2024-05-06'],
    ['May 6th, 2024 2:05 PM', undefined, '2024-05-06T14:05:00'],
    ['Mon, 6 May 2024', undefined, '2024-05-06'],
    ['Sept 1, 2024', 'en', '2024-09-01'],
    ['12:30', undefined, null],
    ['6. Mai 2024', 'de', '2024-05-06'],
    ['6 de mayo de 2024', 'es', '2024-05-06'],
    ['1er août 2024', 'fr', '2024-08-01'],
    ['06-May-2024', undefined, '2024-05-06'],
    ['30.02.2024', undefined, null],
    ['2024-13-01', undefined, null],
    ['2024-05-06T25:00:00Z', undefined, null],
    ['yesterday', undefined, null],
    ['', undefined, null],
  ])('reads %j in language %s as %s', (text, language, expected) => {
    expect(parseDate(text, language)).toBe(expected)
  })

  it('reads back the days that languages write with numbers or names', () => {
    const languages = ['en-US', 'en-GB', 'de-DE', 'fr-FR', 'es-ES', 'it-IT', 'pt-BR', 'nl-NL', 'sv-SE']
    const day = fc.date({ min: new Date('1970-01-01T00:00:00Z'), max: new Date('2068-12-31T00:00:00Z'), noInvalidDate: true })
    fc.assert(
      fc.property(day, fc.constantFrom(...languages), fc.constantFrom('short', 'medium', 'long'), (date, language, dateStyle) => {
        const text = new Intl.DateTimeFormat(language, { dateStyle: dateStyle as 'short', timeZone: 'UTC' }).format(date)
        expect([text, parseDate(text, language)]).toEqual([text, date.toISOString().slice(0, 10)])
      }),
      { numRuns: 500 },
    )
  })

  it('never gives anything but an ISO date or null', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789./-: TZMay,') }), (text) => {
        const date = parseDate(text, 'en-US')
        return date === null || !Number.isNaN(Date.parse(date))
      }),
      { numRuns: 2_000 },
    )
  })
})
