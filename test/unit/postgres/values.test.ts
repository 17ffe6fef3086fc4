import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../../../src/errors/index.js'
import { migrationSql, PostgresStorage } from '../../../src/postgres/index.js'
import { Names, quoteLiteral, snakeCase } from '../../../src/postgres/names.js'
import { decodeInstant, encodeArray, encodeValue } from '../../../src/postgres/values.js'
import { decodeWakes, encodeWakes } from '../../../src/postgres/wake-codec.js'
import { allTables } from '../../../src/storage/table-meta.js'
import { FakePool } from './fake-pool.js'

const column = (kind: 'text' | 'int' | 'float' | 'bool' | 'json' | 'instant', nullable = false) => ({ name: 'c', kind, nullable })

describe('values on their way', () => {
  it('become text, whatever they are', () => {
    expect(encodeValue(column('float'), -0)).toBe('-0')
    expect(encodeValue(column('float'), 1e300)).toBe('1e+300')
    expect(encodeValue(column('int'), 2 ** 53 - 1)).toBe('9007199254740991')
    expect(encodeValue(column('bool'), false)).toBe('false')
    expect(encodeValue(column('json'), null)).toBe('null')
    expect(encodeValue(column('json', true), null)).toBeNull()
    expect(encodeValue(column('instant'), new Date('+012345-06-07T08:09:10.011Z'))).toBe('12345-06-07T08:09:10.011Z')
    expect(encodeValue(column('instant'), new Date('-000044-03-15T00:00:00.000Z'))).toBe('0045-03-15T00:00:00.000Z BC')
    expect(encodeArray(['a', null, 'NULL', '', 'b"\\'])).toBe('{"a",NULL,"NULL","","b\\"\\\\"}')
  })

  it.each([
    ['2026-03-01T10:00:00.123+00:00', '2026-03-01T10:00:00.123Z'],
    ['2026-03-01T15:30:00+05:30', '2026-03-01T10:00:00.000Z'],
    ['12345-06-07T08:09:10.011+00:00', '+012345-06-07T08:09:10.011Z'],
    ['0045-03-15T00:00:00+00:00 BC', '-000044-03-15T00:00:00.000Z'],
    ['1880-01-01T00:53:28+00:53:28', '1880-01-01T00:00:00.000Z'],
  ])('times are read in every form that a session may have: %s', (text, expected) => {
    expect(decodeInstant(text).toISOString()).toBe(expected)
  })
})

describe('names', () => {
  it.each(['my"schema', "my'schema", 'my schema', 'a.b', 'ä', '', '1a', 'pg_mine', 'information_schema', 'x'.repeat(64), 'a;b', 'a\0'])(
    'the schema name %j is refused',
    (schema) => {
      expect(() => new Names(schema)).toThrow(InvalidArgumentError)
      expect(() => migrationSql(schema)).toThrow(InvalidArgumentError)
      expect(() => new PostgresStorage({ pool: new FakePool(), schema })).toThrow(InvalidArgumentError)
    },
  )

  it('of columns and indexes are distinct and short enough, so that Postgres takes no two of them for one', () => {
    for (const meta of allTables()) {
      const names = meta.columns.map(({ name }) => snakeCase(name))
      expect(new Set(names).size).toBe(names.length)
      expect(names.every((name) => name.length < 60 && name !== 'commit_id')).toBe(true)
    }
    const indexes = [...migrationSql().matchAll(/INDEX "([^"]+)"/g)].map(([, name]) => name)
    expect(new Set(indexes).size).toBe(indexes.length)
  })

  it('literals survive quotes and backslashes', () => {
    expect(quoteLiteral("a'b")).toBe("'a''b'")
    expect(quoteLiteral("a\\'b")).toBe("E'a\\\\''b'")
  })

  it('schemas differ in channel and lock', () => {
    const [one, other] = [new Names('one'), new Names('other')]
    expect(one.channel).not.toBe(other.channel)
    expect(one.lockKey).not.toBe(other.lockKey)
  })
})

describe('options', () => {
  it('want exactly one database', () => {
    expect(() => new PostgresStorage({})).toThrow('exactly one of pool, connectionString and pglite')
    expect(() => new PostgresStorage({ connectionString: 'postgres://x', pglite: 'memory://' })).toThrow('exactly one')
    expect(() => new PostgresStorage({ connectionString: 'postgres://x', tables: 3 } as never)).toThrow(InvalidArgumentError)
  })

  it('capabilities say what the database can do', () => {
    const of = (options: ConstructorParameters<typeof PostgresStorage>[0]) => new PostgresStorage(options).capabilities
    expect(of({ connectionString: 'postgres://x' })).toEqual({ durable: true, shared: true, notify: true })
    expect(of({ connectionString: 'postgres://x', notify: false })).toEqual({ durable: true, shared: true, notify: false })
    expect(of({ pglite: 'memory://' })).toEqual({ durable: false, shared: false, notify: true })
    expect(of({ pglite: './data' })).toEqual({ durable: true, shared: false, notify: true })
    const alone = Object.assign(new FakePool(), { options: { max: 1 } })
    expect(of({ pool: alone })).toEqual({ durable: true, shared: true, notify: false })
  })

  it('nothing is connected before open()', async () => {
    const pool = new FakePool()
    const storage = new PostgresStorage({ pool })
    await expect(storage.now()).rejects.toMatchObject({ code: 'STORAGE_CLOSED' })
    expect(pool.sent).toEqual([])
    await storage.close()
  })
})

describe('wake-ups on their way', () => {
  it('come out at others as they went in, never at oneself, each notification short enough', () => {
    const wake = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).map((stream) => ({ stream })),
      fc.string({ unit: 'binary', maxLength: 300 }).map((id) => ({ table: 'runs' as const, id })),
      fc.constant({}),
    )
    fc.assert(
      fc.property(fc.array(wake, { maxLength: 200 }), (wakes) => {
        const payloads = encodeWakes('me', wakes)
        expect(payloads.every((payload) => Buffer.byteLength(payload) < 8_000)).toBe(true)
        expect(payloads.flatMap((payload) => decodeWakes('other', payload))).toEqual(wakes)
        expect(payloads.flatMap((payload) => decodeWakes('me', payload))).toEqual([])
      }),
    )
  })

  it('of strangers are ignored', () => {
    for (const payload of ['', 'x', '{}', '["a",1]', '["a",["runs"],["no_table","x"],[1]]', 'null']) {
      expect(decodeWakes('me', payload).every((wake) => wake.stream === 'runs')).toBe(true)
    }
  })
})
