import { PGlite } from '@electric-sql/pglite'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PostgresStorage } from '../../src/postgres/index.js'
import { type CommitResult, guardStorage, MemoryStorage, type Storage, type Write } from '../../src/storage/index.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { quietPool } from '../support/postgres-storages.js'
import { batches, queries } from '../unit/storage/arbitraries.js'

/** Conditions compare with times half a minute beside those that writes store, so that it does not matter who is how fast. */
const HALF_MINUTE = 30_000
const spread = <T>(where: T): T =>
  JSON.parse(JSON.stringify(where, markDates), (_, value: unknown) => {
    const computed = value as { compute?: string; plusMs?: number; date?: string } | null
    if (typeof computed !== 'object' || computed === null) return value
    if (typeof computed.date === 'string') return new Date(computed.date)
    return computed.compute === 'storageNow' ? { ...computed, plusMs: (computed.plusMs ?? 0) + HALF_MINUTE } : value
  }) as T

function markDates(this: unknown, key: string, value: unknown): unknown {
  const given = (this as Record<string, unknown>)[key]
  return given instanceof Date ? { date: given.toISOString() } : value
}

const spreadWrite = (write: Write): Write => {
  if (write.op === 'updateAll' && write.rows !== undefined) {
    return {
      ...write,
      where: spread(write.where ?? {}),
      rows: write.rows.map((row) => ({ ...row, where: spread(row.where ?? {}) })),
    } as Write
  }
  return 'where' in write ? ({ ...write, where: spread(write.where) } as Write) : write
}

/** Times near the present as whole minutes from it. */
const inMinutes = (value: unknown): unknown => {
  const near = (at: Date) => Math.abs(at.getTime() - Date.now()) < 600_000
  if (value instanceof Date) return near(value) ? `now ${Math.round((value.getTime() - Date.now()) / 60_000) + 0} min` : value
  if (Array.isArray(value)) return value.map(inMinutes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inMinutes(item)]))
}

const byId = (rows: readonly unknown[]) =>
  rows.toSorted((one, other) =>
    (one as { workflowRunId: string }).workflowRunId < (other as { workflowRunId: string }).workflowRunId ? -1 : 1,
  )
/**
 * The rows that one `updateAll` changed come in any order. Who holds a key is read later: memory shows a holder that the refused batch
 * itself had made.
 */
const comparable = (result: CommitResult) => {
  if (result.ok) return inMinutes({ ...result, rows: result.rows.map(byId) })
  return inMinutes(result.reason === 'duplicate' ? { ...result, current: undefined } : result)
}

async function compare(storage: Storage, empty: () => Promise<unknown>, numRuns: number): Promise<void> {
  const steps = fc.array(fc.record({ batch: batches, query: queries }), { minLength: 1, maxLength: 10 })
  await storage.open()
  try {
    await fc.assert(
      fc.asyncProperty(steps, async (plan) => {
        await empty()
        const memory = guardStorage(new MemoryStorage())
        await memory.open()
        for (const { batch: given, query } of plan) {
          const batch = given.map(spreadWrite)
          expect(comparable(await storage.commit(batch))).toEqual(comparable(await memory.commit(batch)))
          const find = { ...query, where: spread(query.where ?? {}), table: 'runs' } as const
          expect(inMinutes(await storage.find(find))).toEqual(inMinutes(await memory.find(find)))
          expect(await storage.count('runs', find.where)).toBe(await memory.count('runs', find.where))
        }
        for (const stream of ['run:a', 'run:b']) {
          expect(inMinutes(await storage.readEvents({ stream }))).toEqual(inMinutes(await memory.readEvents({ stream })))
        }
      }),
      { numRuns, endOnFailure: process.env.CI === undefined },
    )
  } finally {
    await storage.close()
  }
}

describe('random batches and queries have the results that they have in memory', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  it('on a server', async () => {
    const pool = quietPool(server.connectionString)
    const storage = guardStorage(new PostgresStorage({ pool, schema: 'random' }))
    const empty = () => pool.query('DELETE FROM random.runs; DELETE FROM random.streams; DELETE FROM random.events')
    try {
      await compare(storage, empty, Number(process.env.RUNS ?? 150))
    } finally {
      await pool.end()
    }
  })

  it('on PGlite', async () => {
    const database = await PGlite.create()
    const storage = guardStorage(new PostgresStorage({ pglite: database, schema: 'random' }))
    const empty = () => database.exec('DELETE FROM random.runs; DELETE FROM random.streams; DELETE FROM random.events')
    try {
      await compare(storage, empty, 30)
    } finally {
      await database.close()
    }
  })
})
