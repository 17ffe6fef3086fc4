import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRedactor } from '../../../src/definition/index.js'
import type { Json } from '../../../src/errors/index.js'

const secret = 'p@ss "w/ö+rd'
const redactor = createRedactor([
  { key: 'shop.password', value: secret },
  { key: 'pin', value: '4711' },
  { key: 'number', value: '8675309' },
])

describe('createRedactor', () => {
  it.each<[string, string]>([
    ['as it is', secret],
    ['percent-encoded', encodeURIComponent(secret)],
    ['percent-encoded twice', encodeURIComponent(encodeURIComponent(secret))],
    ['form-encoded', new URLSearchParams({ x: secret }).toString().slice(2)],
    ['percent-encoded all over', [...Buffer.from(secret)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')],
    ['JSON-escaped', JSON.stringify(secret).slice(1, -1)],
    ['JSON-escaped twice', JSON.stringify(JSON.stringify(secret)).slice(3, -3)],
    ['HTML-escaped', secret.replaceAll('"', '&quot;')],
    ['HTML-escaped in an address', encodeURIComponent(secret).replaceAll('%20', '&#37;20')],
    ['in the name of a file', 'p@ss _w_ö+rd'],
    ['with escaped units', [...secret].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')],
  ])('finds a secret %s inside of a text', (_, form) => {
    expect(redactor.redact(`before ${form} after`)).toBe('before {{ shop.password }} after')
  })

  it('finds a secret HTML-escaped, as markup has it', () => {
    const own = createRedactor([{ key: 'k', value: `a&b<c>"d'e` }])
    for (const form of ['a&amp;b&lt;c&gt;&quot;d&#39;e', `a&amp;b&lt;c&gt;"d'e`, 'a&#38;b&#x3C;c>&#34;d&apos;e'])
      expect(own.redactText(`<p>&nbsp;${form}</p>`)).toBe('<p>&nbsp;{{ k }}</p>')
    expect(own.redact(JSON.stringify({ a: 'a&amp;b&lt;c&gt;"d\'e' }))).toBe('{"a":"{{ k }}"}')
    expect(createRedactor([{ key: 'pin', value: 'a&b' }]).redact(['a&amp;b', 'xa&amp;b'])).toEqual(['{{ pin }}', 'xa&amp;b'])
  })

  it.each(['pa%41s w"ö`d', 'x%4ay %e2%82<z>', '100%25 sure <é>', '%ff%FE|ab c', 'tab\there%41 now', 'lone\ud800 %41 half'])(
    'finds %j in an address, which leaves its percent signs or encodes them',
    (value) => {
      const own = createRedactor([{ key: 'k', value }])
      const wellFormed = Buffer.from(value).toString()
      const forms = [
        encodeURI(wellFormed),
        encodeURIComponent(wellFormed),
        new URL(`https://x.test/#${value}`).hash.slice(1),
        new URL(`https://x.test/?${value}`).search.slice(1),
        new URL(`https://x.test/${value}`).pathname.slice(1),
      ]
      for (const form of forms) {
        const lower = form.replace(/%[0-9A-F]{2}/gi, (hex) => hex.toLowerCase())
        for (const spelling of [form, lower, form.replace(/%[0-9a-f]{2}/gi, (hex) => hex.toUpperCase())]) {
          expect(own.redactText(`https://x.test/a?b=${spelling}&c`)).toBe('https://x.test/a?b={{ k }}&c')
          expect(own.redactText(`<a href="/?a=1&amp;b=${spelling}">`)).toBe('<a href="/?a=1&amp;b={{ k }}">')
        }
      }
    },
  )

  it('takes nothing else for a secret of percent signs, blots out no empty text', () => {
    const own = createRedactor([
      { key: 'dots', value: '..' },
      { key: 'short', value: '%41%42%43' },
      { key: 'signs', value: '/////a' },
    ])
    const texts = ['', 'x ABC y', '______a', 'https://a.test/../b']
    expect(own.redact(texts)).toEqual(texts)
  })

  it('finds a secret in a host name, which has lost its capitals', () => {
    const own = createRedactor([
      { key: 'shop.password', value: 'Tr0ub4Dor' },
      { key: 'word', value: 'Größe42' },
    ])
    expect(own.redactHost('tr0ub4dor.evil.test')).toBe('{{ shop.password }}.evil.test')
    expect(own.redactHost(new URL('https://Größe42.evil.test/').hostname)).toBe('{{ word }}.evil.test')
    expect(own.redactHost(`x-${Buffer.from('Tr0ub4Dor').toString('base64url').toLowerCase()}.test`)).toContain('{{ shop.password }}')
    expect(own.redactHost('İ tr0ub4dor.evil.test is not İ, https://tr0UB4dor.evil.test/?a=%74R0ub4dor')).toBe(
      'İ {{ shop.password }}.evil.test is not İ, https://{{ shop.password }}.evil.test/?a={{ shop.password }}',
    )
    expect(own.redactHost('Shop.Example.com')).toBe('Shop.Example.com')
    expect(own.redactText('tr0ub4dor')).toBe('tr0ub4dor')
    expect(createRedactor([]).redactHost('a.test')).toBe('a.test')
  })

  it.each([0, 1, 2])('finds a secret in base64 behind %i bytes', (offset) => {
    const encoded = Buffer.from(`${'x'.repeat(offset)}${secret}yy`).toString('base64')
    const clean = redactor.redactText(`data:${encoded}`)
    expect(clean).toContain('{{ shop.password }}')
    expect(Buffer.from(clean.slice(5), 'base64').toString()).not.toContain(secret)
    expect(redactor.redactText(Buffer.from(`${'?'.repeat(offset)}${secret}`).toString('base64url'))).toContain('{{ shop.password }}')
  })

  it('replaces a short secret only as a whole text, encoded too', () => {
    expect(redactor.redact(['4711', 'a 4711 b', 4711, 47110, Buffer.from('4711').toString('base64')])).toEqual([
      '{{ pin }}',
      'a 4711 b',
      '{{ pin }}',
      47110,
      '{{ pin }}',
    ])
  })

  it('finds secrets in numbers and object keys, at any depth', () => {
    expect(redactor.redact({ a: [{ '8675309': 18675309.5, [`x${secret}`]: true }] })).toEqual({
      a: [{ '{{ number }}': '1{{ number }}.5', 'x{{ shop.password }}': true }],
    })
  })

  it('keeps both values when two keys become the same', () => {
    const two = createRedactor([
      { key: 'k', value: 'first-one' },
      { key: 'k', value: 'other-one' },
    ])
    expect(two.redact({ 'first-one': 1, 'other-one': 2 })).toEqual({ '{{ k }}': 1, '{{ k }} 2': 2 })
  })

  it('replaces longer ones first, and those that overlap as one', () => {
    const both = createRedactor([
      { key: 'short', value: 'abcdef' },
      { key: 'long', value: 'abcdefgh' },
      { key: 'over', value: 'ghijkl' },
    ])
    expect(both.redactText('xabcdefghx')).toBe('x{{ long }}x')
    expect(both.redactText('xabcdefx')).toBe('x{{ short }}x')
    expect(both.redactText('xabcdefghijklx')).toBe('x{{ long }}x')
    expect(createRedactor([{ key: 'k', value: 'ababab' }]).redactText('abababab')).toBe('{{ k }}')
  })

  it('gives back the very value when it holds no secret', () => {
    const value = { a: [1, 'x', { b: null }] }
    expect(redactor.redact(value)).toBe(value)
    expect(createRedactor([{ key: 'k', value: '' }]).redact(value)).toBe(value)
  })

  it('survives values nested as deeply as a page likes', () => {
    let deep: Json = secret
    for (let level = 0; level < 50_000; level += 1) deep = [deep]
    let clean = redactor.redact(deep)
    while (Array.isArray(clean)) clean = clean[0] as Json
    expect(clean).toBe('{{ shop.password }}')
  })

  it('leaves no secret, in whatever form it came', () => {
    const forms = [
      (text: string) => text,
      (text: string) => JSON.stringify(text),
      (text: string) => encodeURIComponent(text),
      (text: string) => Buffer.from(text).toString('base64'),
    ]
    const secretText = fc.string({ minLength: 5, maxLength: 20, unit: 'grapheme' }).filter((text) => text.length >= 5)
    fc.assert(
      fc.property(fc.array(secretText, { minLength: 1, maxLength: 4 }), fc.array(fc.string()), fc.nat(), (values, around, pick) => {
        const own = createRedactor(values.map((value, index) => ({ key: `k${index}`, value })))
        const form = forms[pick % forms.length] ?? String
        const text = values.map((value, index) => (around[index] ?? '') + form(value)).join('')
        const clean = own.redact({ [text]: [text], n: 1 })
        const seen = JSON.stringify(clean)
        for (const value of values) {
          expect(own.redact(clean)).toEqual(clean)
          for (const [key, list] of Object.entries(clean as Record<string, Json>)) expect(key + String(list)).not.toContain(value)
          if (!/[{}k\d",[\]:n\\]/.test(value)) expect(seen).not.toContain(encodeURIComponent(value))
        }
      }),
      { numRuns: 500 },
    )
  })
})
