import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { guardStorage, type Storage } from 'runwright'
import { PostgresStorage } from 'runwright/postgres'
import { startPostgres } from '../../test/support/postgres-server.js'
import type { BenchContext } from './area.js'

/**
 * Settings of the benchmarks' own server: those that Postgres has by default, with writes that reach the disk. The tests' server writes
 * to memory only.
 */
const DURABLE = { fsync: 'on', shared_buffers: '128MB' }

/**
 * A server for all runs of an area. `RUNWRIGHT_BENCH_POSTGRES_URL` names another one; `RUNWRIGHT_BENCH_POSTGRES_SETTINGS` changes
 * settings of ours (`fsync=off,shared_buffers=1GB`).
 */
export function sharedServer(context: BenchContext): Promise<string> {
  return context.share('postgres', async () => {
    context.progress('starting Postgres')
    const given = process.env.RUNWRIGHT_BENCH_POSTGRES_URL
    const settings = { ...DURABLE, ...settingsOf(process.env.RUNWRIGHT_BENCH_POSTGRES_SETTINGS ?? '') }
    const server = given === undefined ? await startPostgres({ settings }) : undefined
    const url = given ?? server?.connectionString ?? ''
    context.note(await describeServer(url))
    return { value: url, close: async () => server?.stop() }
  })
}

function settingsOf(list: string): Record<string, string> {
  const pairs = list.split(',').filter((pair) => pair.includes('='))
  return Object.fromEntries(pairs.map((pair) => pair.split('=', 2).map((part) => part.trim()) as [string, string]))
}

async function describeServer(url: string): Promise<string> {
  const settings = ['server_version', 'fsync', 'synchronous_commit', 'shared_buffers']
  return withPool(url, async (pool) => {
    const { rows } = await pool.query(`SELECT name, setting, unit FROM pg_settings WHERE name = ANY($1)`, [settings])
    const of = (name: string) => rows.find((row) => row.name === name)?.setting as string
    const buffersMb = (Number(of('shared_buffers')) * 8) / 1_024
    return `Postgres ${of('server_version')}, fsync ${of('fsync')}, synchronous_commit ${of('synchronous_commit')}, ${buffersMb} MB of buffers`
  })
}

export async function withPool<T>(url: string, work: (pool: pg.Pool) => Promise<T>): Promise<T> {
  const pool = newPool(url, 1)
  try {
    return await work(pool)
  } finally {
    await pool.end()
  }
}

export function newPool(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max })
  pool.on('error', () => {}) // an idle connection ended with the server
  return pool
}

/** A storage as a facade of the library would use it, and the pool under it. */
export interface OpenStorage {
  readonly storage: Storage
  readonly pool: pg.Pool
  readonly schema: string
  close(): Promise<void>
}

export interface OpenStorageParams {
  readonly url: string
  /** How many calls at a time; one more connection listens. */
  readonly clients: number
  /** Given: this schema, which stays when the storage is closed. @default one of its own, which is dropped */
  readonly schema?: string
}

/** Opens a PostgresStorage behind the guard on a pool of its own. */
export async function openStorage(params: OpenStorageParams): Promise<OpenStorage> {
  const schema = params.schema ?? `bench_${randomBytes(6).toString('hex')}`
  const pool = newPool(params.url, params.clients + 1)
  const storage = guardStorage(new PostgresStorage({ pool, schema }))
  await storage.open()
  return {
    storage,
    pool,
    schema,
    async close() {
      await storage.close()
      if (params.schema === undefined) await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
      await pool.end()
    },
  }
}
