import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DebugSessions, SessionPool, WorkflowEngine } from '../../src/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'
import { FakeBrowserDriver } from '../../src/testing/index.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshSchema } from '../support/postgres-storages.js'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

/** A host as a process of its own would be: own connections, own pool, own engine. */
async function startHost(schema: string, hostId: string, baseDirectory: string) {
  const storage = new PostgresStorage({ connectionString: server.connectionString, schema })
  const sessions = new SessionPool({ storage, driver: new FakeBrowserDriver(), hostId, baseDirectory, organizationId: 'acme' })
  const engine = new WorkflowEngine({ storage, sessions, hostId, organizationId: 'acme', handlers: { give: () => ({ from: hostId }) } })
  await engine.start()
  const debug = new DebugSessions({ storage, engine, sessions, organizationId: 'acme' })
  const stop = async () => {
    await debug.stop()
    await engine.stop()
    await storage.close()
  }
  return { storage, engine, sessions, debug, stop }
}

describe('debug sessions over several hosts on one Postgres', () => {
  it('are one for each user and workflow, however many ask at once, and no browser is left over', async () => {
    const schema = freshSchema()
    const baseDirectory = mkdtempSync(join(tmpdir(), 'runwright-debug-'))
    const first = await startHost(schema, 'host0', baseDirectory) // it migrates
    const hosts = [first, ...(await Promise.all([1, 2, 3].map((index) => startHost(schema, `host${index}`, baseDirectory))))]
    try {
      const definition = { blocks: [{ type: 'code' as const, label: 'a', handler: 'give' }] }
      const { workflowPermanentId } = await first.engine.createWorkflow({ title: 'Raced', definition })
      const browsers = () => first.storage.find({ table: 'browser_sessions', where: { status: { in: ['created', 'running'] } } })
      for (let round = 0; round < 10; round++) {
        const place = { userId: `user${round}`, workflowPermanentId }
        const all = await Promise.all(hosts.flatMap(({ debug }) => [debug.getOrCreate(place), debug.getOrCreate(place)]))
        expect(new Set(all.map(({ debugSessionId }) => debugSessionId)).size).toBe(1)
        expect(new Set(all.map(({ browserSessionId }) => browserSessionId)).size).toBe(1)
        expect((await browsers()).map(({ browserSessionId }) => browserSessionId)).toContain(all[0]?.browserSessionId)
        expect(await browsers()).toHaveLength(round + 1)
      }
      expect(await first.storage.count('debug_sessions')).toBe(10)

      const place = { userId: 'user0', workflowPermanentId }
      const old = await first.debug.getOrCreate(place)
      await first.sessions.close({ browserSessionId: old.browserSessionId })
      const repaired = await Promise.all(hosts.map(({ debug }) => debug.getOrCreate(place)))
      expect(new Set(repaired.map(({ browserSessionId }) => browserSessionId)).size).toBe(1)
      expect(new Set(repaired.map(({ debugSessionId }) => debugSessionId))).toEqual(new Set([old.debugSessionId]))
      expect(repaired[0]?.browserSessionId).not.toBe(old.browserSessionId)
      expect(await browsers()).toHaveLength(10)

      // of calls at once from several hosts one gets the browser, whichever host has it
      const { debugSessionId } = old
      const calls = await Promise.allSettled(hosts.map(({ debug }) => debug.runBlocks({ debugSessionId, labels: ['a'] })))
      const started = calls.flatMap((call) => (call.status === 'fulfilled' ? [call.value] : []))
      expect(started.length).toBeGreaterThanOrEqual(1)
      for (const run of started) expect((await run.result({ timeoutMs: 20_000 })).status).toBe('completed')
      for (const call of calls) if (call.status === 'rejected') expect(call.reason).toMatchObject({ code: 'SESSION_OCCUPIED' })
      expect(await first.debug.blockOutputs(place)).toEqual({ a: { from: expect.stringMatching(/^host\d$/) } })
      expect(await first.debug.runs(debugSessionId)).toHaveLength(started.length)
    } finally {
      for (const { stop } of hosts) await stop()
      rmSync(baseDirectory, { recursive: true, force: true })
    }
  })
})
