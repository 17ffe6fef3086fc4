import { describe, expect, it } from 'vitest'
import { chainOrder } from '../../../src/postgres/chain.js'
import { compileBatch } from '../../../src/postgres/compile-batch.js'
import { compileChain } from '../../../src/postgres/compile-chain.js'
import { Names } from '../../../src/postgres/names.js'
import { compileCount, compileFind, compileGet, compileReadEvents } from '../../../src/postgres/queries.js'
import { increment, storageNow, type Write } from '../../../src/storage/index.js'
import { anEvent, append, insertRun } from '../../../src/testing/storage-contract/samples.js'

const dialect = { names: new Names('rw'), lowerCollation: 'pg_catalog."und-x-icu"' }
const commitId = '00000000-0000-0000-0000-000000000001'
const row = /json_build_array\(t\."workflow_run_id", .*?\)::text/g
const plain = (text: string | undefined) => text?.replaceAll(row, '<row>')

const chain = (batch: Write[]) => compileChain(dialect, batch, chainOrder(batch) ?? [], commitId)

const update: Write = {
  op: 'update',
  table: 'runs',
  id: 'wr_1',
  where: { leaseFence: { eq: 2 } },
  set: { status: 'running', attempt: increment(), leaseExpiresAt: storageNow({ plusMs: 5_000 }) },
}

describe('the usual commit', () => {
  it('is one statement: the row under its condition, its stream only where the row was written', () => {
    const statement = chain([update, append('run:wr_1', 'e1')])
    expect(plain(statement?.text)).toBe(
      [
        'WITH w0 AS (UPDATE "rw"."runs" AS t SET "status" = $3::text, "attempt" = ((((t."attempt" + $4::text::bigint) * 1024 - 1) >> 10) + 1),',
        `"lease_expires_at" = (clock_timestamp() + $5::text::double precision * interval '1 millisecond')::timestamptz(3), commit_id = $6::text::uuid`,
        'WHERE t."workflow_run_id" = $1::text AND CASE WHEN t."lease_fence" = $2::text::bigint THEN true ELSE false END RETURNING <row> AS row),',
        's AS (INSERT INTO "rw"."streams" AS s (stream, last_seq) SELECT $7::text, 1 WHERE EXISTS (SELECT 1 FROM w0)',
        'ON CONFLICT (stream) DO UPDATE SET last_seq = s.last_seq + excluded.last_seq RETURNING s.stream, s.last_seq, clock_timestamp()::timestamptz(3) AS at),',
        'e AS (INSERT INTO "rw"."events" (stream, seq, id, type, organization_id, at, payload, commit_id)',
        'SELECT s.stream, s.last_seq, $8::text, $9::text, $10::text, s.at, $11::text::json, $6::text::uuid FROM s)',
        "SELECT '-1', json_build_array(s.stream, s.last_seq, s.at)::text FROM s UNION ALL SELECT '0', w.row FROM w0 AS w",
      ].join(' '),
    )
    expect(statement?.values.slice(0, 7)).toEqual(['wr_1', '2', 'running', '1', '5000', commitId, 'run:wr_1'])
    expect(statement?.recurs).toBe(true)
  })

  it('has the same text whatever the values are, and however many events follow the fourth', () => {
    const text = (batch: Write[]) => chain(batch)?.text
    expect(text([{ ...update, id: 'other' } as Write, append('s', 'e')])).toBe(text([update, append('run:wr_1', 'e1')]))
    const five = [1, 2, 3, 4, 5].map((n) => `e${n}`)
    expect(text([insertRun('a'), append('s', ...five)])).toBe(text([insertRun('b'), append('s', ...five, 'e6')]))
  })

  it('locks by table and id whatever the order of the batch, fails where a later write refuses, and sends no row that nobody wants', () => {
    const other: Write = { op: 'update', table: 'run_blocks', id: 'rb', set: { status: 'completed' }, returning: false }
    const text = plain(chain([other, { ...update, returning: false } as Write])?.text) ?? ''
    expect([...text.matchAll(/(?:WITH |\), )(\w+) AS \(/g)].map(([, name]) => name)).toEqual(['w1', 'w0'])
    expect(text).toContain('WHERE t."run_block_id" = $7::text AND EXISTS (SELECT 1 FROM w1) RETURNING 1)')
    expect(text).toMatch(/SELECT '-3', \(1 \/ \(SELECT count\(\*\) FROM w0\)\)::text FROM w1$/)
    expect(text).not.toContain('<row>')
  })

  it('leaves other shapes to the batch compiler', () => {
    const remove: Write = { op: 'delete', table: 'runs', id: 'x' }
    const claim: Write = { op: 'claim', table: 'runs', where: {}, orderBy: [], set: {} }
    for (const batch of [[claim], [update, { op: 'deleteStream', stream: 's' } as Write], [remove, insertRun('a')]]) {
      expect(chainOrder(batch)).toBeUndefined()
    }
    expect(chainOrder([update, insertRun('a')])).toEqual([0])
  })
})

describe('a larger batch', () => {
  const batch: Write[] = [
    { op: 'update', table: 'runs', id: 'b', where: { leaseFence: { eq: 1 } }, set: { status: 'running' } },
    insertRun('c'),
    insertRun('d'),
    { op: 'delete', table: 'runs', id: 'a' },
    { op: 'delete', table: 'run_blocks', id: 'rb' },
    append('s', 'e'),
  ]

  it('is one statement: locks in order of table and id, one verdict, then the writes in order under it', () => {
    const text = compileBatch({ dialect, batch, commitId })?.text ?? ''
    const parts = [...text.matchAll(/(?:WITH |\), )(\w+) AS (MATERIALIZED )?\(/g)].map(([, name]) => name)
    expect(parts).toEqual(['l_runs', 'l_run_blocks', 'verdict', 'w0', 'w1', 'w3', 'w4', 's', 'e'])
    expect(text).toContain('IN ($1::text, $2::text) ORDER BY t."workflow_run_id" FOR UPDATE OF t')
    expect(text).toContain('= $3::text AND (SELECT count(*) FROM l_runs) >= 0 ORDER BY t."run_block_id" FOR UPDATE OF t')
    expect(text).toContain('NOT EXISTS (SELECT 1 FROM verdict) AND (SELECT count(*) FROM w0) >= 0')
    expect(text.match(/unnest\(/g)).toHaveLength(1) // both inserts
  })

  it('leaves rows that the batch names to their own writes, also when only its beginning is compiled', () => {
    const claims: Write[] = [
      { op: 'claim', table: 'runs', where: { status: { eq: 'queued' } }, orderBy: [], set: { status: 'running' } },
      insertRun('x'),
    ]
    const statement = compileBatch({ dialect, batch: claims, commitId, length: 1 })
    expect(statement?.values).toContain('{"x"}')
    expect(statement?.text).toContain('FOR UPDATE OF t SKIP LOCKED')
    expect(statement?.text).toContain(`t."status" = 'queued'`) // written out for the partial index
    expect(statement?.text).not.toContain('INSERT')
  })

  it('puts rows whose conditions look alike into one comparison', () => {
    const rows = Array.from({ length: 200 }, (_, n) => ({ id: `wr_${n}`, where: { leaseHolder: { eq: 'h' }, leaseFence: { eq: n } } }))
    const renewal: Write = { op: 'updateAll', table: 'runs', rows, set: { leaseExpiresAt: storageNow({ plusMs: 30_000 }) } }
    const statement = compileBatch({ dialect, batch: [renewal], commitId })
    expect(statement?.text.match(/JOIN unnest/g)).toHaveLength(1)
    expect(statement?.values.length).toBeLessThan(10)
    expect(statement?.text).toContain('clock_timestamp()')
  })

  it('is nothing where there is nothing to do', () => {
    expect(compileBatch({ dialect, batch: [{ op: 'append', stream: 's', events: [] }], commitId })).toBeUndefined()
    expect(compileBatch({ dialect, batch: [{ op: 'updateAll', table: 'runs', rows: [], set: {} }], commitId })).toBeUndefined()
  })

  it('escapes what goes into arrays', () => {
    const events = [anEvent('a"b'), anEvent('c\\d'), anEvent('{,}'), anEvent('e'), anEvent('f')]
    const statement = compileBatch({ dialect, batch: [{ op: 'append', stream: 's', events }], commitId })
    expect(statement?.values).toContain('{"a\\"b","c\\\\d","{,}","e","f"}')
  })
})

describe('queries', () => {
  const where = (condition: object) => {
    const { text, values } = compileCount(dialect, 'runs', condition)
    return [text.slice(text.indexOf('WHERE ') + 6), ...values]
  }

  it('cast every parameter and qualify every name', () => {
    expect(plain(compileGet(dialect, 'runs', 'wr_1').text)).toBe('SELECT <row> FROM "rw"."runs" AS t WHERE t."workflow_run_id" = $1::text')
    expect(where({ priority: { gte: 2, lt: 3 } })).toEqual([
      '(t."priority" >= $1::text::bigint AND t."priority" < $2::text::bigint)',
      '2',
      '3',
    ])
    expect(where({ createdAt: { eq: new Date(0) } })).toEqual(['t."created_at" = $1::text::timestamptz', '1970-01-01T00:00:00.000Z'])
    expect(where({ status: { in: ['a', 'b'] } })).toEqual(['t."status" = ANY ($1::text::text[])', '{"a","b"}'])
    expect(where({ idempotencyKey: { notIn: [] } })).toEqual([
      '(t."idempotency_key" IS NOT NULL AND t."idempotency_key" <> ALL ($1::text::text[]))',
      '{}',
    ])
    expect(where({ parameters: { isNull: true } })).toEqual([`t."parameters"::text = 'null'`])
    expect(where({ any: [] })).toEqual(['false'])
    expect(where({ leaseExpiresAt: { lt: storageNow() } })).toEqual(['t."lease_expires_at" < statement_timestamp()::timestamptz(3)'])
    const lower = (text: string) => `lower(${text} COLLATE pg_catalog."und-x-icu")`
    expect(where({ workflowTitle: { contains: '%' } })).toEqual([`strpos(${lower('t."workflow_title"')}, ${lower('$1::text')}) > 0`, '%'])
  })

  it('page by key from where an index can begin, nulls last', () => {
    const orderBy = [{ column: 'createdAt', direction: 'desc' }, { column: 'queuedAt' }] as const
    const { text } = compileFind(dialect, { table: 'runs', orderBy, limit: 20, after: 'wr_1' })
    const anchor = (column: string) => `(SELECT a."${column}" FROM a)`
    expect(text).toContain('WITH a AS MATERIALIZED (SELECT * FROM "rw"."runs" WHERE "workflow_run_id" = $1::text) SELECT')
    expect(text).toContain(`(t."created_at" <= ${anchor('created_at')} AND (t."created_at" < ${anchor('created_at')} OR `)
    expect(text).toContain(`(t."queued_at" IS NULL AND ${anchor('queued_at')} IS NOT NULL)`)
    expect(text).toContain('ORDER BY t."created_at" DESC, t."queued_at", t."workflow_run_id" LIMIT 20')
    const nullable = compileFind(dialect, { table: 'runs', orderBy: [{ column: 'queuedAt', direction: 'desc' }] })
    expect(nullable.text).toContain('ORDER BY t."queued_at" DESC NULLS LAST, t."workflow_run_id" LIMIT 100')
  })

  it('read a stream from a sequence number on', () => {
    expect(compileReadEvents(dialect, 's', 4, 10)).toMatchObject({
      values: ['s', '4'],
      text: expect.stringContaining('ORDER BY e.seq LIMIT 10'),
    })
  })
})
