import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { StorageError } from '../../src/errors/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'
import { guardStorage, increment, type Storage, type Wake, type Write } from '../../src/storage/index.js'
import { anEvent, append, insertRun } from '../../src/testing/storage-contract/samples.js'
import { flakyProxy } from '../support/flaky-proxy.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshSchema, quietPool } from '../support/postgres-storages.js'

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'resolved',
    (error: unknown) => (StorageError.is(error) ? error.code : error),
  )

let server: PostgresServer
const closings: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close()
})

async function opened(options: ConstructorParameters<typeof PostgresStorage>[0]): Promise<Storage> {
  const storage = guardStorage(new PostgresStorage(options))
  await storage.open()
  closings.push(() => storage.close())
  return storage
}

function pool(options: pg.PoolConfig & { port?: number } = {}): pg.Pool {
  const { port = server.port, ...rest } = options
  const made = quietPool(`postgres://postgres@127.0.0.1:${port}/postgres`, rest)
  closings.push(() => made.end())
  return made
}

/** One more in a counter, and an event: what a commit that is repeated would do twice. */
const count = (id: string, event: string): Write[] => [
  { op: 'update', table: 'runs', id, set: { attempt: increment() } },
  { op: 'append', stream: `run:${id}`, events: [anEvent(event)] },
]

describe('a server that is killed in mid-commit and started again', () => {
  it('loses no event, applies nothing twice, and gives typed errors', async () => {
    const storage = await opened({ connectionString: server.connectionString, schema: freshSchema() })
    await storage.commit([insertRun('a')])
    const applied: string[] = []
    const rejected = new Map<string, unknown>()
    let isDone = false
    const writer = async (name: number) => {
      for (let n = 0; !isDone; n++) {
        const id = `e_${name}_${n}`
        await storage.commit(count('a', id)).then(
          (result) => result.ok && applied.push(id),
          (error: unknown) => rejected.set(id, error),
        )
      }
    }
    const writers = Array.from({ length: 6 }, (_, name) => writer(name))
    for (let round = 0; round < 3; round++) {
      await sleep(300)
      await server.kill()
      await sleep(round * 400)
      await server.restart()
    }
    await sleep(500)
    isDone = true
    await Promise.all(writers)
    const stored: string[] = []
    for (let after = 0; ; ) {
      const events = await storage.readEvents({ stream: 'run:a', after, limit: 10_000 })
      if (events.length === 0) break
      expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => after + index + 1))
      stored.push(...events.map((event) => event.id))
      after = events.at(-1)?.seq ?? 0
    }
    expect(new Set(stored).size).toBe(stored.length)
    expect(applied.filter((id) => !stored.includes(id))).toEqual([])
    expect((await storage.get('runs', 'a'))?.attempt).toBe(stored.length)
    for (const [id, error] of rejected) {
      expect(StorageError.is(error) && error.code).toMatch(/^STORAGE_(UNAVAILABLE|OUTCOME_UNKNOWN)$/)
      if (StorageError.is(error) && error.code === 'STORAGE_UNAVAILABLE') expect(stored).not.toContain(id)
    }
    expect(applied.length).toBeGreaterThan(50)
  })

  it('is waited for by reads for a moment, and then reported', async () => {
    const storage = await opened({ connectionString: server.connectionString, schema: freshSchema() })
    await server.kill()
    const failing = storage.now()
    expect(await codeOf(failing)).toBe('STORAGE_UNAVAILABLE')
    expect(await codeOf(storage.commit([insertRun('a')]))).toBe('STORAGE_UNAVAILABLE')
    const waiting = storage.count('runs')
    await sleep(100)
    await server.restart()
    expect(await waiting).toBe(0)
  })

  it('does not deafen subscribers: they are woken after the restart, and hear what is committed then', async () => {
    const schema = freshSchema()
    const listener = await opened({ connectionString: server.connectionString, schema, pollMs: 60_000 })
    const wakes: Wake[] = []
    await listener.subscribe?.((wake) => wakes.push(wake))
    await server.kill()
    await server.restart()
    await expect.poll(() => wakes.some((wake) => Object.keys(wake).length === 0), { timeout: 10_000 }).toBe(true)
    const teller = await opened({ connectionString: server.connectionString, schema })
    await teller.commit([append('run:a', 'e1')])
    await expect.poll(() => wakes.some((wake) => wake.stream === 'run:a'), { timeout: 5_000 }).toBe(true)
  })
})

describe('a connection that breaks between a commit and its answer', () => {
  it.each(['lose the answer', 'lose the request'] as const)('applies it exactly once (%s)', async (fault) => {
    const proxy = await flakyProxy(server.port)
    closings.push(() => proxy.close())
    const storage = await opened({ pool: pool({ port: proxy.port }), schema: freshSchema(), notify: false })
    await storage.commit([insertRun('a'), insertRun('b')])
    const shapes: [marker: string, batch: Write[]][] = [
      ['mark_update', [{ op: 'update', table: 'runs', id: 'a', set: { attempt: increment(), leaseHolder: 'mark_update' } }]],
      ['mark_append', count('a', 'mark_append')],
      ['mark_only', [append('other', 'mark_only')]],
      ['mark_insert', [insertRun('c', { workflowTitle: 'mark_insert' })]],
      ['mark_all', [{ op: 'updateAll', table: 'runs', set: { stepCount: increment(), leaseHolder: 'mark_all' } }]],
      [
        'mark_claim',
        [{ op: 'claim', table: 'runs', where: { actionCount: 0 }, orderBy: [], set: { actionCount: 1, leaseHolder: 'mark_claim' } }],
      ],
      ['mark_delete', [{ op: 'delete', table: 'runs', id: 'c', where: { workflowTitle: { ne: 'mark_delete' } } }]],
    ]
    for (const [marker, batch] of shapes) {
      const broken = proxy.breakAt(marker, fault)
      const result = await storage.commit(batch)
      await broken
      expect([marker, result.ok]).toEqual([marker, true])
      if (result.ok && marker === 'mark_append') expect(result.events[1]).toMatchObject([{ id: 'mark_append', seq: 1, stream: 'run:a' }])
      if (result.ok && marker === 'mark_claim') expect(result.rows[0]).toMatchObject([{ workflowRunId: 'a', actionCount: 1 }])
      if (result.ok && marker === 'mark_all') expect(result.rows[0]).toHaveLength(3)
    }
    const runs = await storage.find({ table: 'runs' })
    expect(runs.map((run) => [run.workflowRunId, run.attempt, run.stepCount, run.actionCount])).toEqual([
      ['a', 2, 1, 1],
      ['b', 0, 1, 0],
    ])
    expect(await storage.readEvents({ stream: 'other' })).toHaveLength(1)
  })

  it('waits for a server process that is still at the lost statement', async () => {
    const proxy = await flakyProxy(server.port)
    closings.push(() => proxy.close())
    const schema = freshSchema()
    const storage = await opened({ pool: pool({ port: proxy.port }), schema, notify: false })
    await storage.commit([insertRun('a')])
    const locker = await pool().connect()
    await locker.query(`BEGIN; SELECT 1 FROM "${schema}".runs WHERE workflow_run_id = 'a' FOR UPDATE`)
    const broken = proxy.breakAt('mark_wait', 'lose the answer')
    const committing = storage.commit([{ op: 'update', table: 'runs', id: 'a', set: { attempt: increment(), leaseHolder: 'mark_wait' } }])
    await broken
    await sleep(100)
    proxy.breakAll()
    await sleep(300)
    await locker.query('COMMIT')
    locker.release()
    expect((await committing).ok).toBe(true)
    expect((await storage.get('runs', 'a'))?.attempt).toBe(1)
  })
})

describe('a server that has no room or no time', () => {
  it('a pool without a free connection is reported as unavailable', async () => {
    const small = pool({ max: 2, connectionTimeoutMillis: 200 })
    const storage = await opened({ pool: small, schema: freshSchema(), notify: false })
    const clients = await Promise.all([small.connect(), small.connect()])
    const error = await storage.commit([insertRun('a')]).catch((failure: unknown) => failure)
    expect(error).toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      retryable: true,
      message: expect.stringContaining('every connection of the pool is in use'),
    })
    expect(await codeOf(storage.get('runs', 'a'))).toBe('STORAGE_UNAVAILABLE')
    for (const client of clients) client.release()
    expect(await storage.get('runs', 'a')).toBeUndefined()
  })

  it('a statement time-out is a typed error, and nothing was applied', async () => {
    const schema = freshSchema()
    const storage = await opened({ pool: pool({ statement_timeout: 300 }), schema, notify: false })
    await storage.commit([insertRun('a')])
    const locker = await pool().connect()
    await locker.query(`BEGIN; SELECT 1 FROM "${schema}".runs FOR UPDATE`)
    const error = await storage.commit(count('a', 'e1')).catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'STORAGE_TIMEOUT', retryable: true, details: { sqlState: '57014' } })
    await locker.query('COMMIT')
    locker.release()
    expect((await storage.get('runs', 'a'))?.attempt).toBe(0)
    expect(await storage.readEvents({ stream: 'run:a' })).toEqual([])
  })

  it('deadlocks between commits are settled by themselves', async () => {
    const schema = freshSchema()
    const storage = await opened({ pool: pool({ max: 20 }), schema, notify: false })
    await storage.commit(['a', 'b', 'c'].map((id) => insertRun(id)))
    // streams and rows in every order
    const orders = ['abc', 'bca', 'cab', 'cba'].map((order) => [...order])
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, n) => storage.commit((orders[n % 4] ?? []).flatMap((id) => count(id, `e${n}`)))),
    )
    expect(results.every((result) => result.ok)).toBe(true)
    const runs = await storage.find({ table: 'runs' })
    expect(runs.map((run) => run.attempt)).toEqual([60, 60, 60])
  })

  it('a server that ends the connections of a host does not end the host', async () => {
    const owner = pool()
    const storage = await opened({ connectionString: server.connectionString, schema: freshSchema() })
    await storage.commit([insertRun('a')])
    await owner.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'runwright'`)
    expect((await storage.get('runs', 'a'))?.workflowRunId).toBe('a')
    expect((await storage.commit(count('a', 'e1'))).ok).toBe(true)
  })
})
