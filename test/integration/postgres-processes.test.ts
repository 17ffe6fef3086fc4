import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PostgresStorage } from '../../src/postgres/index.js'
import { guardStorage } from '../../src/storage/index.js'
import { insertRun } from '../../src/testing/storage-contract/samples.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshSchema } from '../support/postgres-storages.js'

const program = fileURLToPath(new URL('./postgres-process.mts', import.meta.url))

interface Answer {
  readonly result?: unknown
  readonly error?: { readonly code?: string; readonly message: string; readonly details?: Record<string, unknown> }
}

function start(task: object): { child: ChildProcess; answer: Promise<Answer> } {
  const child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(task)], { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  const answer = new Promise<Answer>((resolve, reject) => {
    child.stdout?.on('data', (data) => {
      output += String(data)
      if (output.endsWith('\n')) resolve(JSON.parse(output.trim().split('\n').at(-1) ?? '') as Answer)
    })
    child.once('exit', (code) => reject(new Error(`the process ended with ${code}: ${output}`)))
  })
  answer.catch(() => {}) // awaited later
  return { child, answer }
}

/** Begins in all processes at the same time, when the slowest has loaded. */
const together = (count: number, task: object): Promise<Answer[]> => {
  const startAtMs = Date.now() + 1_500 + count * 300
  return Promise.all(Array.from({ length: count }, (_, name) => start({ ...task, name, startAtMs }).answer))
}

describe('several processes on one server', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  const opened = async (schema: string) => {
    const storage = guardStorage(new PostgresStorage({ connectionString: server.connectionString, schema, notify: false }))
    await storage.open()
    return storage
  }

  it('eight that open an empty schema at the same time all succeed', async () => {
    const answers = await together(8, { job: 'open', connectionString: server.connectionString, schema: freshSchema() })
    expect(answers).toEqual(Array.from({ length: 8 }, () => ({ result: true })))
  })

  it('of 64 writers in four that race for 8 rows, exactly one wins each', async () => {
    const schema = freshSchema()
    const storage = await opened(schema)
    await storage.commit(Array.from({ length: 8 }, (_, row) => insertRun(`wr_${row}`)))
    const answers = await together(4, { job: 'race', connectionString: server.connectionString, schema })
    const wins = answers.flatMap(({ result }) => result as string[])
    expect(wins.toSorted()).toEqual(Array.from({ length: 8 }, (_, row) => `wr_${row}`))
    for (const run of await storage.find({ table: 'runs' })) {
      expect(run.leaseFence).toBe(1)
      expect((await storage.readEvents({ stream: `run:${run.workflowRunId}` })).map((event) => event.id)).toEqual([
        `won_${run.leaseHolder}`,
      ])
    }
    await storage.close()
  })

  it('larger batches guarded by a fence lose no write, apply no half, and leave no gap', async () => {
    const schema = freshSchema()
    const storage = await opened(schema)
    await storage.commit(['wr_0', 'wr_1', 'wr_2', 'total'].map((id) => insertRun(id)))
    const answers = await together(4, { job: 'handover', connectionString: server.connectionString, schema })
    const won = answers.reduce((sum, { result }) => sum + (result as number), 0)
    expect(won).toBeGreaterThan(0)
    expect(won).toBeLessThan(600)
    const runs = await storage.find({ table: 'runs' })
    const leased = runs.filter((run) => run.workflowRunId !== 'total')
    expect(leased.reduce((sum, run) => sum + run.leaseFence, 0)).toBe(won)
    expect(runs.find((run) => run.workflowRunId === 'total')?.stepCount).toBe(won)
    expect(await storage.count('run_blocks')).toBe(won)
    const events = await storage.readEvents({ stream: 'handovers' })
    expect(events.map((event) => event.seq)).toEqual(Array.from({ length: won }, (_, index) => index + 1))
    for (const { workflowRunId, attempt } of leased)
      expect(await storage.readEvents({ stream: `run:${workflowRunId}` })).toHaveLength(attempt)
    await storage.close()
  })
})

describe('several processes on one PGlite directory', () => {
  it('the second is refused and told who has it; the lock of one that died is taken over', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runwright-lock-'))
    const directory = join(folder, 'data')
    try {
      const first = start({ job: 'lock', name: 0, directory, startAtMs: 0 })
      expect(await first.answer).toEqual({ result: true })
      const storage = guardStorage(new PostgresStorage({ pglite: directory }))
      const error = await storage.open().catch((failure: unknown) => failure)
      expect(error).toMatchObject({ code: 'STORAGE_LOCKED', details: { pid: first.child.pid } })
      expect(String(error)).toContain(`process ${first.child.pid}`)
      first.child.kill('SIGKILL')
      await new Promise((resolve) => first.child.once('exit', resolve))
      await storage.open()
      expect([await storage.count('runs'), (await storage.readEvents({ stream: 's' })).length]).toEqual([1, 1]) // what it had committed
      const twice = guardStorage(new PostgresStorage({ pglite: directory }))
      await expect(twice.open()).rejects.toMatchObject({ code: 'STORAGE_LOCKED', details: { pid: process.pid } })
      await storage.close()
      expect(existsSync(`${directory}.runwright.lock`)).toBe(false)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
