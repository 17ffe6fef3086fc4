import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  coerceParameters,
  PARAMETER_TYPES,
  type Parameter,
  type ParameterType,
  readPath,
  resolveContextParameter,
} from '../../../src/definition/index.js'
import { InvalidParameterError, type Json, MissingParameterError, UnknownParameterError } from '../../../src/errors/index.js'

const parameter = (type: ParameterType, extra: { key?: string; default?: null | string | number } = {}): Parameter => ({
  kind: 'workflow',
  key: 'p',
  type,
  ...extra,
})
const coerce = (type: ParameterType, value: unknown) => {
  try {
    return coerceParameters([parameter(type)], { p: value }).values.p
  } catch (error) {
    if (MissingParameterError.is(error)) return 'MISSING'
    if (InvalidParameterError.is(error)) return 'INVALID'
    throw error
  }
}

describe('coerceParameters', () => {
  it.each<[ParameterType, unknown, unknown]>([
    ['string', '  a ', '  a '],
    ['string', '', ''],
    ['string', 5, '5'],
    ['string', true, 'true'],
    ['string', {}, 'INVALID'],
    ['string', [], 'INVALID'],
    ['string', null, 'MISSING'],
    ['integer', ' +5 ', 5],
    ['integer', '-0', 0],
    ['integer', 7, 7],
    ['integer', '007', 7],
    ['integer', '5.0', 'INVALID'],
    ['integer', 5.5, 'INVALID'],
    ['integer', '1e3', 'INVALID'],
    ['integer', '9007199254740993', 'INVALID'],
    ['integer', true, 'INVALID'],
    ['integer', ' ', 'MISSING'],
    ['float', ' 1.5e3 ', 1500],
    ['float', 2, 2],
    ['float', '.5', 'INVALID'],
    ['float', 'NaN', 'INVALID'],
    ['float', '1e999', 'INVALID'],
    ['float', false, 'INVALID'],
    ['float', '', 'MISSING'],
    ['boolean', ' TRUE ', true],
    ['boolean', '0', false],
    ['boolean', 1, true],
    ['boolean', 0, false],
    ['boolean', 2, 'INVALID'],
    ['boolean', 'yes', 'INVALID'],
    ['boolean', '', 'MISSING'],
    ['json', '{"a":[1]}', { a: [1] }],
    ['json', [1], [1]],
    ['json', false, false],
    ['json', '{', 'INVALID'],
    ['json', ' ', 'MISSING'],
    ['credential_id', ' id ', 'id'],
    ['credential_id', 5, 'INVALID'],
    ['credential_id', '', 'MISSING'],
    ['file_url', ' https://x/y ', 'https://x/y'],
    ['file_url', { s3uri: 's3://b/k' }, { s3uri: 's3://b/k' }],
    ['file_url', { s3uri: ' ' }, 'MISSING'],
    ['file_url', {}, 'MISSING'],
    ['file_url', ' ', 'MISSING'],
    ['file_url', 5, 'INVALID'],
    ['file_url', [], 'INVALID'],
  ])('reads as %s: %j → %j', (type, value, expected) => {
    expect(coerce(type, value)).toEqual(expected)
  })

  it('takes the default for an absent key and for null', () => {
    const declared = [parameter('integer', { default: '4' })]
    expect(coerceParameters(declared, {}).values).toEqual({ p: 4 })
    expect(coerceParameters(declared, { p: null }).values).toEqual({ p: 4 })
    expect(() => coerceParameters([parameter('integer', { default: null })], {})).toThrow(MissingParameterError)
  })

  const declared: Parameter[] = [
    parameter('integer', { key: 'zebra' }),
    parameter('integer', { key: 'count' }),
    parameter('boolean', { key: 'apple' }),
    { kind: 'secret', key: 'cred', provider: 'env', name: 'X' },
  ]
  it('tells unknown keys first, then all missing ones sorted, then all invalid ones', () => {
    const run = (given: Record<string, unknown>) => () => coerceParameters(declared, given)
    expect(run({ cuont: 1, whatever: 2, cred: 'x' })).toThrow(UnknownParameterError)
    expect(run({ count: 'x' })).toThrow(expect.objectContaining({ keys: ['apple', 'zebra'] }))
    expect(run({ count: 'secretish', zebra: {}, apple: 1 })).toThrow(expect.objectContaining({ code: 'INVALID_PARAMETERS' }))
    try {
      run({ count: 'secretish', zebra: {}, apple: 1 })()
    } catch (error) {
      expect(JSON.stringify(error)).not.toContain('secretish')
      expect((error as InvalidParameterError).issues.map(({ key, expected, received }) => [key, expected, received])).toEqual([
        ['zebra', 'integer', 'object'],
        ['count', 'integer', 'text'],
      ])
    }
  })

  it('suggests the nearest declared key within a third of its length', () => {
    const keys = (given: Record<string, unknown>) =>
      coerceParameters(declared, { apple: 1, zebra: 1, count: 1, ...given }, { allowUnknown: true }).unknownKeys
    expect(keys({ coun: 1 })).toEqual([{ key: 'coun', suggestion: 'count' }])
    expect(keys({ cxxnt: 1 })).toEqual([{ key: 'cxxnt', suggestion: undefined }])
  })

  it('takes keys that are names of object members', () => {
    const given = JSON.parse('{"__proto__": "5"}') as Record<string, unknown>
    const { values } = coerceParameters([parameter('integer', { key: '__proto__' })], given)
    expect(Object.entries(values)).toEqual([['__proto__', 5]])
    expect(() => coerceParameters([parameter('json', { key: 'constructor' })], {})).toThrow(MissingParameterError)
  })

  it('gives the same when what it gave is coerced again', () => {
    const types = fc.constantFrom(...PARAMETER_TYPES.filter((type) => type !== 'json'))
    const value = fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String), fc.jsonValue())
    fc.assert(
      fc.property(types, value, (type, given) => {
        const once = coerce(type, given)
        if (once !== 'MISSING' && once !== 'INVALID') expect(coerce(type, once)).toEqual(once)
      }),
    )
  })
})

describe('resolveContextParameter', () => {
  const lookUp = (name: string): unknown => (name === 'login_output' ? { rows: [{ id: 7 }] } : undefined)
  const context = (source: string): Parameter & { kind: 'context' } => ({ kind: 'context', key: 'c', source })
  it.each<[string, Json]>([
    ['login_output.rows.0.id', 7],
    ['login_output.rows[0].id', 7],
    ['login_output.rows.9.id', null],
    ['login_output.constructor', null],
    ['other.x', null],
  ])('%s', (source, expected) => {
    expect(resolveContextParameter(context(source), lookUp)).toEqual(expected)
  })

  it('reaches own properties only', () => {
    expect(readPath({ a: 'text' }, ['a', 'length'])).toBeUndefined()
    expect(readPath([1], ['length'])).toBeUndefined()
    expect(readPath({}, ['__proto__'])).toBeUndefined()
  })
})
