import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileBatch } from '../../src/postgres/compile-batch.js'
import { migrationSql, PostgresStorage, type PostgresStorageOptions } from '../../src/postgres/index.js'
import { Names } from '../../src/postgres/names.js'
import type { Statement } from '../../src/postgres/port.js'
import { compileFind } from '../../src/postgres/queries.js'
import { guardStorage, increment, MemoryStorage, type Storage, storageNow, type Write } from '../../src/storage/index.js'
import { append, insertBlock, insertRun } from '../../src/testing/storage-contract/samples.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshSchema, quietPool } from '../support/postgres-storages.js'

let server: PostgresServer
let pool: pg.Pool
beforeAll(async () => {
  server = await startPostgres()
  pool = quietPool(server.connectionString)
})
afterAll(async () => {
  await pool?.end()
  await server?.stop()
})

async function withStorage<T>(options: PostgresStorageOptions, work: (storage: Storage) => Promise<T>): Promise<T> {
  const storage = guardStorage(new PostgresStorage(options))
  await storage.open()
  try {
    return await work(storage)
  } finally {
    await storage.close()
  }
}

const opens = (options: PostgresStorageOptions) => withStorage(options, async (storage) => storage.count('runs'))

describe('the stored schema', () => {
  it('that is not there is refused in verify mode, made by the exported script, and then accepted', async () => {
    const schema = freshSchema()
    await expect(opens({ pool, schema, migrate: 'verify' })).rejects.toMatchObject({
      code: 'STORAGE_MIGRATION_MISSING',
      details: { missing: [1] },
    })
    await expect(opens({ pool, schema, migrate: false })).rejects.toMatchObject({ code: 'STORAGE_MIGRATION_MISSING' })
    await pool.query(migrationSql(schema))
    expect(await opens({ pool, schema, migrate: 'verify' })).toBe(0)
    expect(await opens({ pool, schema, migrate: 'auto' })).toBe(0)
    expect((await pool.query(`SELECT number FROM "${schema}".migrations`)).rows).toEqual([{ number: 1 }])
  })

  it('that wants a newer client is refused with both versions; one that is only newer is used', async () => {
    const schema = freshSchema()
    await opens({ pool, schema })
    const add = (number: number, minimumClient: number) =>
      pool.query(`INSERT INTO "${schema}".migrations (number, name, checksum, minimum_client) VALUES ($1, 'future', 'x', $2)`, [
        number,
        minimumClient,
      ])
    await add(98, 1)
    expect(await opens({ pool, schema })).toBe(0)
    await add(99, 97)
    for (const migrate of ['auto', 'verify'] as const) {
      await expect(opens({ pool, schema, migrate })).rejects.toMatchObject({
        code: 'STORAGE_SCHEMA_NEWER',
        details: { schemaVersion: 99, minimumClient: 97, clientVersion: 1 },
        message: expect.stringMatching(/version 99 .* version 97 .* version 1\b/),
      })
    }
  })

  it('that an unreleased state of the library made is refused', async () => {
    const schema = freshSchema()
    await opens({ pool, schema })
    await pool.query(`UPDATE "${schema}".migrations SET checksum = 'other'`)
    await expect(opens({ pool, schema })).rejects.toMatchObject({ code: 'STORAGE_MIGRATION_MISSING', details: { received: 'other' } })
  })

  it('serves a role that may not create anything', async () => {
    const schema = freshSchema()
    const role = `role_${schema}`
    await opens({ pool, schema })
    await pool.query(`CREATE ROLE "${role}" LOGIN; GRANT USAGE ON SCHEMA "${schema}" TO "${role}"`)
    await pool.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schema}" TO "${role}"`)
    const connectionString = server.connectionString.replace('postgres@', `${role}@`)
    await withStorage({ connectionString, schema }, async (storage) => {
      expect((await storage.commit([insertRun('a'), append('run:a', 'e')])).ok).toBe(true)
    })
  })

  it('keeps upper-case names apart, and two schemas of one database to themselves', async () => {
    const schema = freshSchema()
    await withStorage({ pool, schema: `${schema}_A` }, (storage) => storage.commit([insertRun('a')]))
    expect(await opens({ pool, schema: `${schema}_a` })).toBe(0)
    expect(await opens({ pool, schema: `${schema}_A` })).toBe(1)
  })

  it('refuses a count that JavaScript could not hold, as memory does', async () => {
    const tooFar: Write = { op: 'update', table: 'runs', id: 'a', set: { priority: increment(Number.MAX_SAFE_INTEGER) } }
    const code = async (storage: Storage) => {
      await storage.commit([insertRun('a', { priority: 1 })])
      return storage.commit([tooFar, append('s', 'e')]).catch((error: { code: string }) => error.code)
    }
    const memory = guardStorage(new MemoryStorage())
    await memory.open()
    expect(await code(memory)).toBe('STORAGE_INVALID_ROW')
    expect(await withStorage({ pool, schema: freshSchema() }, code)).toBe('STORAGE_INVALID_ROW')
  })
})

describe('a session with settings of its own', () => {
  it('changes no value: time zone, date style, float digits, string escapes', async () => {
    const options =
      '-c timezone=Asia/Kolkata -c datestyle=German -c intervalstyle=sql_standard -c standard_conforming_strings=off -c bytea_output=escape'
    const odd = quietPool(server.connectionString, { options })
    odd.on('connect', (client) => client.setTypeParser(25, () => 'parsed by the host'))
    try {
      await withStorage({ pool: odd, schema: freshSchema() }, async (storage) => {
        const createdAt = new Date('2026-03-01T23:59:59.999Z')
        const durationMs = 0.1 + 0.2
        const title = "back\\slash ' quote"
        const result = await storage.commit([insertRun('a', { createdAt, durationMs, workflowTitle: title }), append('s', 'e')])
        expect(result).toMatchObject({ ok: true, rows: [[{ createdAt, durationMs, workflowTitle: title }], []] })
        expect(await storage.find({ table: 'runs', where: { createdAt, workflowTitle: { contains: 'SLASH' } } })).toHaveLength(1)
        const at = (await storage.readEvents({ stream: 's' }))[0]?.at.getTime() ?? 0
        expect(Math.abs(at - (await storage.now()).getTime())).toBeLessThan(60_000)
        expect(Math.abs(at - Date.now())).toBeLessThan(60_000)
      })
    } finally {
      await odd.end()
    }
  })
})

describe('a commit on the wire', () => {
  /** A pool that counts what its clients send. */
  async function counted(work: (storage: Storage, sent: string[]) => Promise<void>): Promise<void> {
    const sent: string[] = []
    class CountingClient extends pg.Client {
      // biome-ignore lint/suspicious/noExplicitAny: pg's overloads
      override query(...args: any[]): any {
        const [config] = args as [{ text?: string } | string]
        sent.push(typeof config === 'string' ? config : (config.text ?? ''))
        return (super.query as (...given: unknown[]) => unknown)(...args)
      }
    }
    const counting = new pg.Pool({ connectionString: server.connectionString, Client: CountingClient as never })
    try {
      await withStorage({ pool: counting, schema: freshSchema(), notify: false }, async (storage) => {
        await storage.commit([insertRun('a'), insertBlock('rb_1')])
        await work(storage, sent)
      })
    } finally {
      await counting.end()
    }
  }

  const held = { leaseHolder: null, leaseFence: 0 }
  const shapes: [name: string, batch: Write[]][] = [
    ['an update and its event', [{ op: 'update', table: 'runs', id: 'a', where: held, set: { status: 'running' } }, append('run:a', 'e')]],
    ['a row and its event', [insertRun('b'), append('run:b', 'e')]],
    ['events alone', [append('run:a', 'e1', 'e2')]],
    [
      'a block boundary',
      [
        { op: 'update', table: 'runs', id: 'a', where: held, set: { leaseExpiresAt: storageNow({ plusMs: 30_000 }) } },
        { op: 'update', table: 'run_blocks', id: 'rb_1', set: { status: 'completed' } },
        insertBlock('rb_2'),
        append('run:a', 'e3', 'e4'),
      ],
    ],
    ['a claim', [{ op: 'claim', table: 'runs', where: { status: 'queued' }, orderBy: [{ column: 'queuedAt' }], set: { priority: 1 } }]],
    ['a heartbeat', [{ op: 'updateAll', table: 'runs', rows: [{ id: 'a', where: held }], set: { leaseExpiresAt: storageNow() } }]],
  ]

  it.each(shapes)('is one query: %s', async (_, batch) => {
    await counted(async (storage, sent) => {
      sent.length = 0
      expect((await storage.commit(batch)).ok).toBe(true)
      expect(sent).toHaveLength(1)
      expect(sent[0]).toMatch(/^WITH /)
    })
  })

  it('takes a second query only where it is refused', async () => {
    await counted(async (storage, sent) => {
      sent.length = 0
      const result = await storage.commit([
        { op: 'update', table: 'runs', id: 'a', where: { leaseFence: 9 }, set: { priority: 1 } },
        append('s', 'e'),
      ])
      expect(result).toMatchObject({ ok: false, reason: 'precondition', current: { workflowRunId: 'a' } })
      expect(sent).toHaveLength(2)
    })
  })
})

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly PlanNode[]
}

/** How many rows of tables a statement reads, whether they count or not. */
async function rowsLookedAt(statement: Statement | undefined): Promise<number> {
  const { rows } = await pool.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${statement?.text}`, [...(statement?.values ?? [])])
  const read = (node: PlanNode): number => {
    const below = (node.Plans ?? []).reduce((sum, plan) => sum + read(plan), 0)
    const isScan = /^(Seq|Index|Index Only|Bitmap Heap|Tid) Scan$/.test(node['Node Type'])
    return below + (isScan ? (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'] : 0)
  }
  return read(rows[0]['QUERY PLAN'][0].Plan as PlanNode)
}

describe('with 50,000 runs stored', () => {
  it('pages, claims and sweeps walk an index and read no more than they need', async () => {
    const schema = freshSchema()
    await withStorage({ pool, schema, notify: false }, async (storage) => {
      await storage.commit([insertRun('template', { status: 'completed' })])
      const { rows } = await pool.query(
        `SELECT string_agg(quote_ident(column_name), ',') AS names FROM information_schema.columns WHERE table_schema = $1 AND table_name = 'runs' AND column_name NOT IN ('workflow_run_id', 'created_at')`,
        [schema],
      )
      const names = rows[0].names as string
      await pool.query(
        `INSERT INTO "${schema}".runs (workflow_run_id, created_at, ${names}) SELECT 'wr_' || lpad(n::text, 6, '0'), '2026-01-01'::timestamptz + n * interval '1 second', ${names} FROM "${schema}".runs, generate_series(1, 50000) AS n`,
      )
      await pool.query(`UPDATE "${schema}".runs SET status = 'queued', queued_at = created_at WHERE workflow_run_id LIKE 'wr_0499__'`)
      await pool.query(`VACUUM ANALYZE "${schema}".runs`)
      const orderBy = [{ column: 'createdAt', direction: 'desc' }] as const
      const page = { table: 'runs', where: { organizationId: 'org' }, orderBy, limit: 20, after: 'wr_025000' } as const
      expect((await storage.find(page)).map((run) => run.workflowRunId)).toEqual(Array.from({ length: 20 }, (_, n) => `wr_0${24_999 - n}`))
      const claim: Write = {
        op: 'claim',
        table: 'runs',
        where: { status: 'queued' },
        orderBy: [{ column: 'priority', direction: 'desc' }, { column: 'queuedAt' }],
        set: { status: 'running', leaseExpiresAt: storageNow() },
      }
      expect(await storage.commit([claim])).toMatchObject({ ok: true, rows: [[{ workflowRunId: 'wr_049900' }]] })
      const sweep = { table: 'runs', where: { status: 'running', leaseExpiresAt: { lt: storageNow() } } } as const
      expect(await storage.find(sweep)).toHaveLength(1)
      const dialect = { names: new Names(schema), lowerCollation: 'pg_catalog."C"' }
      const commitId = '00000000-0000-0000-0000-000000000001'
      expect(await rowsLookedAt(compileFind(dialect, page))).toBeLessThan(60)
      expect(await rowsLookedAt(compileFind(dialect, sweep))).toBeLessThan(10)
      expect(await rowsLookedAt(compileBatch({ dialect, batch: [claim], commitId }))).toBeLessThan(20)
    })
  })
})

describe('types', () => {
  it('a Pool of pg and an instance of PGlite are taken as they are', () => {
    const options: PostgresStorageOptions[] = [{ pool }, { pool: new pg.Pool() }]
    const withPglite = (database: PGlite): PostgresStorageOptions => ({ pglite: database })
    expect([options.length, typeof withPglite, typeof PGlite]).toEqual([2, 'function', 'function'])
  })
})
