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
    ['with escaped units', [...secret].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')],
  ])('finds a secret %s inside of a text', (_, form) => {
    expect(redactor.redact(`before ${form} after`)).toBe('before {{ shop.password }} after')
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
