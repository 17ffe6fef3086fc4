import { describe, expect, it } from 'vitest'
import { checkJsonSchema, matchesUrl, nearestName, validateJson } from '../../../src/definition/index.js'

describe('validateJson', () => {
  const schema = {
    type: 'object',
    properties: {
      rows: { type: 'array', items: { type: 'object', properties: { price: { type: 'number', minimum: 0 } }, required: ['price'] } },
    },
    required: ['rows'],
    additionalProperties: false,
  }
  it('accepts what fits', () => {
    expect(validateJson(schema, { rows: [{ price: 1 }] })).toEqual({ ok: true })
    expect(validateJson(true, 5)).toEqual({ ok: true })
  })
  it('tells every innermost place that does not fit', () => {
    const result = validateJson(schema, { rows: [{ price: -1 }, {}], more: 1 })
    expect(result.ok ? [] : result.errors.map(({ path }) => path).sort()).toEqual(['more', 'rows[0].price', 'rows[1]'])
  })
  it('does not change the schema, frozen ones included', () => {
    const frozen = Object.freeze({ type: 'string' })
    expect(validateJson(frozen, 5)).toMatchObject({ ok: false, errors: [{ path: '(root)' }] })
    expect(Reflect.ownKeys(frozen)).toEqual(['type'])
  })
})

describe('checkJsonSchema', () => {
  it.each<[unknown, number]>([
    [{ type: 'object', properties: { a: { type: ['string', 'null'] } } }, 0],
    [true, 0],
    [5, 1],
    [{ type: 'text' }, 1],
    [{ properties: [] }, 1],
    [{ required: 'a' }, 1],
    [{ items: { minItems: -1 }, anyOf: [{ pattern: '[' }] }, 2],
    [{ $ref: '#/$defs/nowhere' }, 1],
    [{ $ref: '#/$defs/here', $defs: { here: { type: 'string' } } }, 0],
  ])('%j has %i mistakes', (schema, count) => {
    expect(checkJsonSchema(schema)).toHaveLength(count)
  })
})

describe('nearestName', () => {
  it('stays within a third of the known name', () => {
    expect(nearestName('nextBlockLable', ['label', 'nextBlockLabel'])).toBe('nextBlockLabel')
    expect(nearestName('next_block_label', ['nextBlockLabel'])).toBe('nextBlockLabel')
    expect(nearestName('ab', ['cd'])).toBeUndefined()
  })
})

describe('matchesUrl', () => {
  it.each<[string, string, boolean]>([
    ['/account', 'https://x.test/account?a=1', true],
    ['/account', 'https://x.test/login', false],
    ['https://x.test/*', 'https://x.test/a/b', true],
    ['*/a/*/c', 'https://x.test/a/b/c', true],
    ['*/a/*/c', 'https://x.test/a/b/cd', false],
    ['https://*.test/a', 'https://x.test/a/b', false],
    ['ab*ba', 'aba', false],
  ])('%s on %s: %s', (pattern, url, expected) => {
    expect(matchesUrl(pattern, url)).toBe(expected)
  })
})
