import { describe, expect, it } from 'vitest'
import type { Selectors } from '../../../src/definition/index.js'
import { extractValues, type PageFacts, type RawFields, toType } from '../../../src/playwright/extract-values.js'
import { planFields } from '../../../src/playwright/extraction.js'

const facts: PageFacts = { baseUrl: 'https://shop.test/a/b', language: 'en' }

describe('extractValues', () => {
  const one = (text: string | null) => ({ count: 1, values: [text] })

  it('converts by type', () => {
    expect(toType('https://x.test', 'url', facts)).toBe('https://x.test/')
    expect(toType('../c?d=1', 'url', facts)).toBe('https://shop.test/c?d=1')
    expect(toType('http://[', 'url', facts)).toBeNull()
    expect(toType('', 'url', facts)).toBeNull()
    expect(toType('Yes', 'boolean', facts)).toBe(true)
    expect(toType('off', 'boolean', facts)).toBe(false)
    expect(toType('maybe', 'boolean', facts)).toBeNull()
    expect(toType('3.5', 'integer', facts)).toBeNull()
    expect(toType('3.0', 'integer', facts)).toBe(3)
    expect(toType('99999999999999999999', 'integer', facts)).toBeNull()
  })

  it('tells no match, no attribute, no fit and a bad selector apart', () => {
    const failing = (selectors: Selectors, raw: RawFields) => () => extractValues(selectors, raw, facts)
    expect(failing({ a: 'p' }, {})).toThrow('Field a (css "p") was not read: nothing matches')
    expect(failing({ a: { css: 'p', attr: 'x' } }, { a: one(null) })).toThrow(/no attribute "x"/)
    expect(failing({ a: { role: 'cell', name: 'T', type: 'number' } }, { a: one('abc') })).toThrow(
      'Field a (role cell "T") was not read: "abc" is no number',
    )
    expect(failing({ a: { label: 'L', pattern: '^(\\d)$' } }, { a: one('abc') })).toThrow(/does not fit the pattern/)
    expect(failing({ a: { css: '[', optional: true } }, { a: { count: 0, values: [], error: 'bad' } })).toThrow(/cannot be used: bad/)
    expect(failing({ a: { css: 'p', all: true, type: 'integer' } }, { a: { count: 2, values: ['1', 'x'] } })).toThrow(/Field a\[1\]/)
  })

  it('gives up a pattern that does not end on a text of the page, optional or not', () => {
    const selectors: Selectors = { a: { css: 'p', all: true, optional: true, pattern: '^(a+)+$' } }
    const hostile = `${'a'.repeat(60)}!`
    expect(() => extractValues(selectors, { a: { count: 2, values: ['aaa', hostile] } }, facts)).toThrow(
      expect.objectContaining({
        code: 'EXTRACTION_FAILED',
        message: expect.stringMatching(/Field a\[1\].*\^\(a\+\)\+\$ took longer than/),
      }),
    )
    expect(extractValues(selectors, { a: { count: 1, values: ['aaa'] } }, facts)).toEqual({ a: ['aaa'] })
    const long: Selectors = { a: { css: 'p', pattern: '(b+)$', optional: true } }
    expect(extractValues(long, { a: one(`${'a'.repeat(100_000)}b`) }, facts)).toEqual({ a: null })
  }, 10_000)

  it('gives null, or an empty list, for what is optional', () => {
    const selectors: Selectors = {
      a: { css: 'a', optional: true },
      b: { css: 'b', optional: true, all: true },
      c: { css: 'c', optional: true, each: { x: 'x' } },
      d: { css: 'd', optional: true, type: 'number' },
      e: { css: 'e', optional: true, attr: 'x' },
    }
    const none = { count: 0, values: [] }
    expect(extractValues(selectors, { a: none, b: none, c: none, d: one('x'), e: one(null) }, facts)).toEqual({
      a: null,
      b: [],
      c: [],
      d: null,
      e: null,
    })
  })

  it('keeps HTML as it is, takes the group of a pattern and a field called __proto__', () => {
    const selectors = JSON.parse('{"__proto__": "p", "h": {"css": "p", "html": true}, "g": {"css": "p", "pattern": "a(b)?"}}') as Selectors
    const raw = JSON.parse(
      '{"__proto__": {"count": 1, "values": [" v "]}, "h": {"count": 1, "values": [" v "]}, "g": {"count": 1, "values": ["xab"]}}',
    )
    const data = extractValues(selectors, raw as RawFields, facts)
    expect(Object.getOwnPropertyDescriptor(data, '__proto__')?.value).toBe('v')
    expect(data).toMatchObject({ h: ' v ', g: 'b' })
  })
})

describe('planFields', () => {
  it('leaves to Playwright only what the page cannot find, and each once', () => {
    const finders = new Map()
    const plan = planFields(
      {
        a: { role: 'cell', name: 'x' },
        b: { css: '.b', each: { c: { role: 'cell', name: 'x' }, d: { testId: 't"' } } },
        e: 'p:has-text("y")',
      },
      finders,
    )
    expect([...finders.values()]).toHaveLength(2)
    expect(plan).toMatchObject([
      { list: 0 },
      { css: '.b', read: 'each', each: [{ list: 0 }, { css: '[data-testid="t\\""]' }] },
      { list: 1 },
    ])
  })
})
