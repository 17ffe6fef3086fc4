import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import type pg from 'pg'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { PostgresStorage } from '../../src/postgres/index.js'
import { storageContract } from '../../src/testing/index.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { inspectSchema, quietPool, schemaFixture } from '../support/postgres-storages.js'

const shared = { durable: true, shared: true, notify: true }

describe('PostgresStorage keeps the contract on a server of its own', () => {
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
  storageContract({
    test: it,
    capabilities: shared,
    factory: () =>
      schemaFixture(
        (schema) => new PostgresStorage({ connectionString: server.connectionString, schema }),
        (text) => pool.query(text),
      ),
    inspect: ({ schema }, what) => inspectSchema(schema, what, (text, values) => pool.query(text, values)),
  })
})

const named = process.env.RUNWRIGHT_TEST_POSTGRES_URL
if (named !== undefined && named !== '') {
  describe('PostgresStorage keeps the contract on the server of RUNWRIGHT_TEST_POSTGRES_URL', () => {
    let pool: pg.Pool
    beforeAll(() => {
      pool = quietPool(named)
    })
    afterAll(() => pool?.end())
    storageContract({
      test: it,
      capabilities: shared,
      factory: () =>
        schemaFixture(
          (schema) => new PostgresStorage({ pool, schema }),
          (text) => pool.query(text),
        ),
      inspect: ({ schema }, what) => inspectSchema(schema, what, (text, values) => pool.query(text, values)),
    })
  })
}

describe.each([
  ['in memory', false],
  ['on a directory', true],
] as const)('PostgresStorage keeps the contract on PGlite %s', (_, isOnDisk) => {
  let folder: string
  let database: PGlite
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'runwright-pglite-'))
    database = await PGlite.create(isOnDisk ? join(folder, 'data') : 'memory://')
  })
  afterAll(async () => {
    await database?.close()
    await rm(folder, { recursive: true, force: true })
  })
  storageContract({
    test: it,
    capabilities: { durable: isOnDisk, shared: false, notify: true },
    factory: () =>
      schemaFixture(
        (schema) => new PostgresStorage({ pglite: database, schema }),
        (text) => database.exec(text),
      ),
    inspect: ({ schema }, what) => inspectSchema(schema, what, (text, values) => database.query(text, values)),
  })
})
