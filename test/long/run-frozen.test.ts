import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { SessionPool, WorkflowEngine } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'
import { startPostgres } from '../support/postgres-server.js'
import { freshSchema } from '../support/postgres-storages.js'

const program = fileURLToPath(new URL('./run-frozen-host.mts', import.meta.url))
const LEASE_TTL_MS = 1_500

it('a host that was frozen past its lease writes nothing more and drives its browser no further', async () => {
  const server = await startPostgres()
  const schema = freshSchema()
  const hits: { host: string; atMs: number; path: string }[] = []
  const site = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (url.pathname === '/hit') hits.push({ host: url.searchParams.get('host') ?? '', atMs: performance.now(), path: url.search })
    response.writeHead(200, { 'content-type': 'text/html' }).end('<title>hit</title>')
  })
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  const address = `http://127.0.0.1:${(site.address() as AddressInfo).port}`
  const argument = JSON.stringify({ connectionString: server.connectionString, schema, site: address, leaseTtlMs: LEASE_TTL_MS })
  const child = spawn(process.execPath, ['--import', 'tsx', program, argument], { stdio: ['pipe', 'pipe', 'inherit'] })
  const told: string[] = []
  let workflowRunId = ''
  createInterface(child.stdout).on('line', (line) => {
    const { type, workflowRunId: id } = JSON.parse(line)
    if (id !== undefined) workflowRunId = id
    else told.push(type)
  })
  const storage = new PostgresStorage({ connectionString: server.connectionString, schema })
  const driver = new PlaywrightDriver()
  const sessions = new SessionPool({
    storage,
    driver,
    organizationId: 'acme',
    hostId: 'other_pool',
    headless: true,
    leaseTtlMs: LEASE_TTL_MS,
  })
  const handlers = { drive: () => null, after: () => fetch(`${address}/hit?host=other`).then(() => null) }
  const engine = new WorkflowEngine({ storage, sessions, organizationId: 'acme', hostId: 'other', leaseTtlMs: LEASE_TTL_MS, handlers })
  try {
    await until(() => hits.length > 5, 60_000)
    await engine.start()
    process.kill(child.pid as number, 'SIGSTOP')
    const result = await engine.waitForRun({ workflowRunId, timeoutMs: 30_000 })
    expect(result).toMatchObject({ status: 'completed', attempt: 2 })
    const before = await storage.readEvents({ stream: `run:${workflowRunId}`, limit: 10_000 })
    const [toldBefore, wokenAtMs] = [told.length, performance.now()]
    process.kill(child.pid as number, 'SIGCONT')
    await sleep(4_000) // more than two of its leases
    const after = await storage.readEvents({ stream: `run:${workflowRunId}`, limit: 10_000 })
    expect(
      after.map(({ seq }) => seq),
      'nothing was written by who came back',
    ).toEqual(before.map(({ seq }) => seq))
    expect(after.filter(({ type }) => /^run\.(completed|failed|terminated|canceled|timed_out)$/.test(type))).toHaveLength(1)
    const driven = hits.filter(({ host, atMs }) => host === 'frozen' && atMs > wokenAtMs)
    // one navigation may have been on its way when the host was stopped
    expect(driven.length, `driven on: ${driven.map(({ path }) => path).join(' ')}`).toBeLessThanOrEqual(1)
    expect(told.slice(toldBefore).filter((type) => type.startsWith('run.') || type.startsWith('block.'))).toEqual([])
    expect(await storage.get('runs', workflowRunId)).toMatchObject({ status: 'completed', leaseHolder: null })
  } finally {
    child.kill('SIGCONT')
    child.stdin.end()
    const isGone = await Promise.race([once(child, 'exit').then(() => true), sleep(15_000).then(() => false)])
    if (!isGone) child.kill('SIGKILL')
    await engine.stop()
    await sessions.stop()
    await storage.close()
    site.close()
    await server.stop()
  }
}, 120_000)

async function until(isSo: () => boolean, timeoutMs: number): Promise<void> {
  for (const giveUpAt = performance.now() + timeoutMs; !isSo(); await sleep(20)) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${timeoutMs} ms`)
  }
}
