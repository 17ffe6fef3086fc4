import { describe, expect, it } from 'vitest'
import { compileBatch } from '../../../src/postgres/compile-batch.js'
import { compileSingle } from '../../../src/postgres/compile-single.js'
import { Names } from '../../../src/postgres/names.js'
import { compileCount, compileFind, compileGet, compileReadEvents } from '../../../src/postgres/queries.js'
import { increment, storageNow, type Write } from '../../../src/storage/index.js'
import { anEvent, append, insertRun } from '../../../src/testing/storage-contract/samples.js'

const dialect = { names: new Names('rw'), lowerCollation: 'pg_catalog."und-x-icu"' }
const commitId = '00000000-0000-0000-0000-000000000001'
const row = /json_build_array\(t\."workflow_run_id", .*?\)::text/g
const plain = (text: string | undefined) => text?.replaceAll(row, '<row>')

const update: Write = {
  op: 'update',
  table: 'runs',
  id: 'wr_1',
  where: { leaseFence: { eq: 2 } },
  set: { status: 'running', attempt: increment(), leaseExpiresAt: storageNow({ plusMs: 5_000 }) },
}

describe('the usual commit', () => {
  it('is one statement: the row under its condition, its stream only where the row was written', () => {
    const statement = compileSingle(dialect, [update, append('run:wr_1', 'e1')], commitId)
    expect(plain(statement?.text)).toBe(
      [
        'WITH w AS (UPDATE "rw"."runs" AS t SET "status" = $2::text, "attempt" = t."attempt" + $3::text::bigint,',
        `"lease_expires_at" = (clock_timestamp() + $4::text::double precision * interval '1 millisecond')::timestamptz(3), commit_id = $5::text::uuid`,
        'WHERE t."workflow_run_id" = $1::text AND t."lease_fence" = $6::text::bigint RETURNING <row> AS row),',
        's AS (INSERT INTO "rw"."streams" AS s (stream, last_seq) SELECT $7::text, $8::text::bigint WHERE EXISTS (SELECT 1 FROM w)',
        'ON CONFLICT (stream) DO UPDATE SET last_seq = s.last_seq + excluded.last_seq RETURNING s.stream, s.last_seq, clock_timestamp()::timestamptz(3) AS at),',
        'e AS (INSERT INTO "rw"."events" (stream, seq, id, type, organization_id, at, payload, commit_id)',
        'SELECT s.stream, s.last_seq, $9::text, $10::text, $11::text, s.at, $12::text::json, $5::text::uuid FROM s)',
        "SELECT '-1', json_build_array(s.stream, s.last_seq, s.at)::text FROM s UNION ALL SELECT '0', w.row FROM w UNION ALL",
        `SELECT '-2', json_build_array(0, CASE WHEN EXISTS (SELECT 1 FROM "rw"."runs" AS t WHERE t."workflow_run_id" = $13::text) THEN 2 ELSE 1 END)::text WHERE NOT EXISTS (SELECT 1 FROM w)`,
      ].join(' '),
    )
    expect(statement?.values.slice(0, 8)).toEqual(['wr_1', 'running', '1', '5000', commitId, '2', 'run:wr_1', '1'])
    expect(statement?.recurs).toBe(true)
  })

  it('has the same text whatever the values are, and however many events follow the second', () => {
    const text = (batch: Write[]) => compileSingle(dialect, batch, commitId)?.text
    expect(text([{ ...update, id: 'other' } as Write, append('s', 'e')])).toBe(text([update, append('run:wr_1', 'e1')]))
    expect(text([insertRun('a'), append('s', 'e1', 'e2')])).toBe(text([insertRun('b'), append('s', 'e1', 'e2', 'e3')]))
  })

  it('leaves other shapes to the batch compiler', () => {
    for (const batch of [[update, insertRun('a')], [append('s', 'e')], [append('s', 'e'), update, append('t', 'e')]]) {
      expect(compileSingle(dialect, batch, commitId)).toBeUndefined()
    }
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
    expect(parts).toEqual(['l_run_blocks', 'l_runs', 'verdict', 'w0', 'w1', 'w3', 'w4', 's', 'e'])
    expect(text).toContain(
      'IN ($2::text, $3::text) AND (SELECT count(*) FROM l_run_blocks) >= 0 ORDER BY t."workflow_run_id" FOR UPDATE OF t',
    )
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
    const events = [anEvent('a"b'), anEvent('c\\d'), anEvent('{,}')]
    const statement = compileBatch({ dialect, batch: [{ op: 'append', stream: 's', events }], commitId })
    expect(statement?.values).toContain('{"a\\"b","c\\\\d","{,}"}')
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
