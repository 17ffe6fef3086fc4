import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SessionPool } from '../../src/index.js'
import { isProcessAlive, type ProcessEntry } from '../../src/playwright/process-tree.js'
import { PostgresStorage } from '../../src/postgres/index.js'
import { FakeBrowserDriver } from '../../src/testing/index.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshSchema } from '../support/postgres-storages.js'
import { describeUnless } from '../support/skips.js'
import { missingBrowser } from './playwright-kit.js'

const program = fileURLToPath(new URL('./session-host.mts', import.meta.url))

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

describeUnless(missingBrowser, 'the sessions of a host that is killed', () => {
  it('die with it, are marked by another host, and leave no folder to the next', async () => {
    const schema = freshSchema()
    const baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-host-'))
    const { connectionString } = server
    const argument = JSON.stringify({ connectionString, schema, baseDirectory, leaseTtlMs: 2_000 })
    const host = spawn(process.execPath, ['--import', 'tsx', program, argument], { stdio: ['ignore', 'pipe', 'inherit'] })
    const storage = new PostgresStorage({ connectionString, schema })
    const makePool = () =>
      new SessionPool({
        storage,
        driver: new FakeBrowserDriver(),
        organizationId: 'acme',
        hostId: 'parent',
        baseDirectory,
        leaseTtlMs: 2_000,
        reapIntervalMs: 300,
      })
    const pool = makePool()
    try {
      const [line] = await once(createInterface(host.stdout), 'line')
      const left: { ids: string[]; folders: string[]; processes: ProcessEntry[] } = JSON.parse(line)
      expect(left.processes.length).toBeGreaterThan(4)
      await pool.start()
      await sleep(1_000)
      for (const browserSessionId of left.ids) expect((await pool.get({ browserSessionId })).status).toBe('running')
      host.kill('SIGKILL')
      await once(host, 'exit')
      const killedAt = performance.now()
      while (left.processes.some(isProcessAlive) && performance.now() - killedAt < 10_000) await sleep(10)
      console.info(`the browsers were gone ${(performance.now() - killedAt).toFixed(0)} ms after SIGKILL of their host`)
      expect(left.processes.filter(isProcessAlive)).toEqual([])
      const isMarked = async () => (await pool.list({ status: ['failed'] })).length === 2
      while (!(await isMarked()) && performance.now() - killedAt < 20_000) await sleep(50)
      console.info(`their rows were marked ${(performance.now() - killedAt).toFixed(0)} ms after it`)
      for (const browserSessionId of left.ids) {
        expect(await pool.get({ browserSessionId })).toMatchObject({ status: 'failed', closeReason: 'orphan', runnableId: null })
      }
      const next = makePool()
      await pool.stop()
      await next.start()
      await next.stop()
      expect(left.folders.filter((folder) => existsSync(folder))).toEqual([])
    } finally {
      if (host.exitCode === null && host.signalCode === null) host.kill('SIGKILL')
      await pool.stop()
      await storage.close()
      rmSync(baseDirectory, { recursive: true, force: true })
    }
  })
})

describe('the life of a session on Postgres', () => {
  const RUN = { runnableType: 'workflow_run', runnableId: 'wr_1' }
  it('is the same as in memory: taken over, broken, retired, idle, relaunched', async () => {
    const storage = new PostgresStorage({ connectionString: server.connectionString, schema: freshSchema() })
    const driver = new FakeBrowserDriver()
    const pool = new SessionPool({ storage, driver, organizationId: 'acme', reapIntervalMs: 100, recycle: { browser: { maxUses: 4 } } })
    await pool.start()
    try {
      const { browserSessionId } = await pool.create({ onBrowserLost: 'relaunch' })
      const older = await pool.occupy({ browserSessionId, ...RUN, runnableFence: 1 })
      await expect(pool.occupy({ browserSessionId, ...RUN, runnableFence: 1 })).rejects.toMatchObject({ code: 'SESSION_OCCUPIED' })
      const newer = await pool.occupy({ browserSessionId, ...RUN, runnableFence: 2 })
      expect([older.signal.aborted, newer.fence]).toEqual([true, 2])
      expect(await pool.forceRelease({ browserSessionId })).toMatchObject({ runnableId: null, runnableFence: null })
      expect(newer.signal.aborted).toBe(true)
      driver.handleOf(browserSessionId)?.crash()
      const third = await pool.occupy({ browserSessionId, ...RUN })
      expect([third.fence, driver.handles.length]).toEqual([4, 2])
      expect(await pool.retire({ browserSessionId })).toMatchObject({ status: 'running' })
      await third.release()
      await until(async () => (await pool.get({ browserSessionId })).closeReason === 'drained')
      const idle = await pool.create({ idleTimeoutMinutes: 0.005 })
      const lease = await pool.occupy({ browserSessionId: idle.browserSessionId, ...RUN })
      lease.touch()
      await sleep(600)
      expect(lease.isHeld).toBe(true)
      await lease.release({ sanitize: { cookies: true } })
      await until(async () => (await pool.get({ browserSessionId: idle.browserSessionId })).closeReason === 'idle_ttl')
      const held = await pool.createOccupied({ runnable: RUN })
      expect(await pool.drain({ timeoutMs: 50 })).toEqual({ closed: 1, aborted: 1 })
      expect([held.signal.aborted, driver.liveHandles]).toEqual([true, 0])
    } finally {
      await pool.stop()
      await storage.close()
    }
  })
})

async function until(isSo: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms`)
    await sleep(20)
  }
}
