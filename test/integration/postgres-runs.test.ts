import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AnyEvent, type Clock, guardStorage, WorkflowEngine } from '../../src/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'
import { systemClock } from '../../src/runtime/index.js'
import { anEvent, append, insertRun } from '../../src/testing/storage-contract/samples.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshSchema } from '../support/postgres-storages.js'
import { describeUnless } from '../support/skips.js'

const program = fileURLToPath(new URL('./postgres-run-host.mts', import.meta.url))

describe('runs on a shared Postgres', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  const storageOf = (schema: string) => new PostgresStorage({ connectionString: server.connectionString, schema })

  /** Another process that executes a run; resolves when the run is started. */
  async function startHost(task: object): Promise<{ child: ChildProcess; workflowRunId: string; exited: Promise<number | null> }> {
    const argument = JSON.stringify({ connectionString: server.connectionString, ...task })
    const child = spawn(process.execPath, ['--import', 'tsx', program, argument], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
    const workflowRunId = await new Promise<string>((resolve, reject) => {
      child.stdout?.once('data', (data) => resolve(String(data).trim()))
      child.once('exit', (code) => reject(new Error(`the host ended with ${code}`)))
    })
    return { child, workflowRunId, exited }
  }

  it('are followed from another process, from the first event to the last, without gap or duplicate', async () => {
    const schema = freshSchema()
    const storage = storageOf(schema)
    await guardStorage(storage).open()
    const reader = new WorkflowEngine({ storage, organizationId: 'acme' })
    const { workflowRunId, exited } = await startHost({ schema, values: 60, pauseMs: 10, leaseTtlMs: 30_000 })
    const events: AnyEvent[] = []
    let whileRunning = 0
    for await (const event of reader.events({ workflowRunId })) {
      events.push(event)
      if (event.type === 'block.started' && (await reader.getRun({ workflowRunId })).status === 'running') whileRunning++
    }
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(events.filter(({ type }) => type === 'block.completed')).toHaveLength(61)
    expect(events.at(-1)).toMatchObject({ type: 'run.completed', payload: { workflowRunId, status: 'completed' } })
    expect(whileRunning, 'events arrived while the run was executed').toBeGreaterThan(10)
    expect(await exited).toBe(0)
    await storage.close()
  })

  it('are ended by another host when theirs is killed: failed, blocks closed, events gapless, nothing twice', async () => {
    const schema = freshSchema()
    const { child, workflowRunId, exited } = await startHost({ schema, values: 1_000, pauseMs: 20, leaseTtlMs: 1_500 })
    const storage = storageOf(schema)
    const engine = new WorkflowEngine({ storage, organizationId: 'acme', hostId: 'parent' })
    await engine.start()
    await sleep(300)
    child.kill('SIGKILL')
    await exited
    expect(await engine.waitForRun({ workflowRunId, timeoutMs: 20_000 })).toMatchObject({ status: 'failed', errorCode: 'HOST_LOST' })
    const events = await storage.readEvents({ stream: `run:${workflowRunId}`, limit: 10_000 })
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(events.filter(({ type }) => /^run\.(completed|failed|canceled|terminated|timed_out)$/.test(type))).toHaveLength(1)
    expect(await storage.count('run_blocks', { workflowRunId: { eq: workflowRunId }, status: { eq: 'running' } })).toBe(0)
    await engine.stop()
    await storage.close()
  })

  it.each([-1, 1])('keep their lease although the clock of their host is %i h off', async (hours) => {
    const schema = freshSchema()
    const skewed: Clock = { ...systemClock, now: () => new Date(Date.now() + hours * 3_600_000) }
    const [own, other] = [storageOf(schema), storageOf(schema)]
    const handlers = { work: () => sleep(2_500) }
    const options = { organizationId: 'acme', handlers, leaseTtlMs: 1_000 }
    const off = new WorkflowEngine({ ...options, storage: own, hostId: 'off', clock: skewed })
    await off.start()
    const sound = new WorkflowEngine({ ...options, storage: other, hostId: 'sound' })
    await sound.start()
    const definition = { blocks: [{ type: 'code' as const, label: 'work', handler: 'work' }] }
    const { workflowPermanentId } = await off.createWorkflow({ title: 'Works', definition })
    const result = await (await off.startRun({ workflowPermanentId })).result()
    expect(result).toMatchObject({ status: 'completed', attempt: 1 })
    expect(Math.abs(new Date(result.finishedAt).getTime() - Date.now()), "rows bear the server's time").toBeLessThan(60_000)
    await Promise.all([off.stop(), sound.stop()])
    await Promise.all([own.close(), other.close()])
  })
})

/** A folder on a small disk of its own; undefined where that may not be had. */
const smallDisk = (() => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'runwright-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96m,mode=0755', 'tmpfs', folder], { stdio: 'ignore' })
    return folder
  } catch {
    rmSync(folder, { recursive: true, force: true })
    return undefined
  }
})()

describeUnless(
  smallDisk === undefined ? 'a small disk can only be mounted by root on Linux' : undefined,
  'a server whose disk is full',
  () => {
    let server: PostgresServer
    beforeAll(async () => {
      server = await startPostgres({ parent: smallDisk ?? '', settings: { max_wal_size: '32MB', min_wal_size: '32MB' } })
    })
    afterAll(async () => {
      await server?.stop()
      execFileSync('umount', [smallDisk ?? ''])
      rmSync(smallDisk ?? '', { recursive: true, force: true })
    })

    it('refuses commits with a typed error, applies none of them, and serves on when there is room again', async () => {
      const schema = freshSchema()
      const storage = guardStorage(new PostgresStorage({ connectionString: server.connectionString, schema }))
      await storage.open()
      await storage.commit([insertRun('first'), append('run:first', 'e0')])
      const filler = join(smallDisk ?? '', 'filler')
      fillDisk(filler)
      const codes: string[] = []
      for (let n = 0; n < 20; n++) {
        const large = { ...anEvent(`large-${n}`), payload: randomBytes(300_000).toString('base64') }
        await storage.commit([{ op: 'append', stream: 'run:first', events: [large] }]).then(
          () => codes.push('applied'),
          (error: { code: string }) => codes.push(error.code),
        )
      }
      expect(codes).toContain('STORAGE_UNAVAILABLE')
      expect(codes.filter((code) => code !== 'applied' && code !== 'STORAGE_UNAVAILABLE')).toEqual([])
      rmSync(filler)
      expect(await storage.commit([append('run:first', 'last')])).toMatchObject({ ok: true })
      const events = await storage.readEvents({ stream: 'run:first' })
      expect(
        events.map(({ seq }) => seq),
        'what was refused left no gap',
      ).toEqual(events.map((_, index) => index + 1))
      expect(events).toHaveLength(2 + codes.filter((code) => code === 'applied').length)
      await storage.close()
    })
  },
)

/** Writes until nothing more fits. */
function fillDisk(path: string): void {
  const megabyte = Buffer.alloc(1_048_576)
  const file = openSync(path, 'w')
  try {
    for (;;) writeSync(file, megabyte)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(file)
  }
}
