import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { SessionPool, verifyWebhook, WorkflowEngine } from '../../src/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'
import { FakeBrowserDriver } from '../../src/testing/index.js'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshSchema, quietPool } from '../support/postgres-storages.js'
import { drillOptions, EXPECTED_EFFECTS, type KillPoint, WEBHOOK_SECRET } from './run-drill.js'

const program = fileURLToPath(new URL('./run-drill-host.mts', import.meta.url))
const AT_ONCE = 3
const FINAL = /^run\.(completed|failed|terminated|canceled|timed_out)$/

let server: PostgresServer
let receiver: Server
let reader: pg.Pool
/** By path, the deliveries that came in: ids, each as often as it came. */
const delivered = new Map<string, string[]>()
beforeAll(async () => {
  server = await startPostgres()
  reader = quietPool(server.connectionString)
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      const { deliveryId } = verifyWebhook({ headers: request.headers, body: Buffer.concat(chunks), secret: WEBHOOK_SECRET })
      delivered.set(request.url ?? '', [...(delivered.get(request.url ?? '') ?? []), deliveryId])
      response.writeHead(204).end()
    })
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
})
afterAll(async () => {
  receiver?.close()
  await reader?.end()
  await server?.stop()
})

interface Drill {
  readonly schema: string
  readonly path: string
  readonly commits: number | null
}

/** Has a process of its own execute a run, and die where it is told to. */
async function execute(onHostLost: 'fail' | 'resume', kill: KillPoint | null): Promise<Drill> {
  const schema = freshSchema()
  const path = `/${schema}`
  await reader.query(`CREATE SCHEMA "${schema}_effects"`)
  await reader.query(`CREATE TABLE "${schema}_effects".effects (label text NOT NULL, host text NOT NULL)`)
  const webhookUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}${path}`
  const task = { connectionString: server.connectionString, schema, hostId: 'victim', webhookUrl, onHostLost, kill }
  const child = spawn(process.execPath, ['--import', 'tsx', program, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (data) => {
    output += String(data)
  })
  const [code, signal] = await once(child, 'exit')
  if (signal === null && code !== 0) throw new Error(`the host ended with ${code}`)
  return { schema, path, commits: output === '' ? null : Number(output) }
}

/** Another host looks after what was left; what the run came to, read past both of them. */
async function rescue({ schema, path }: Drill) {
  const effects = new pg.Client({ connectionString: server.connectionString })
  await effects.connect()
  const storage = new PostgresStorage({ connectionString: server.connectionString, schema })
  const sessions = new SessionPool({ storage, driver: new FakeBrowserDriver(), hostId: 'rescuer_pool', ...drillOptions.pool })
  const engine = new WorkflowEngine({ storage, sessions, hostId: 'rescuer', ...drillOptions.engine(effects, schema, 'rescuer') })
  await engine.start()
  const rows = async (text: string) => (await reader.query(text)).rows as Record<string, unknown>[]
  const isSettled = async () => {
    const open = await rows(`SELECT 1 FROM "${schema}".runs WHERE finished_at IS NULL OR webhook_status = 'pending'
      UNION ALL SELECT 1 FROM "${schema}".browser_sessions WHERE completed_at IS NULL
      UNION ALL SELECT 1 FROM "${schema}".leases`)
    return open.length === 0
  }
  try {
    for (const giveUpAt = performance.now() + 45_000; !(await isSettled()) && performance.now() < giveUpAt; ) await sleep(100)
    const [run] = await rows(`SELECT workflow_run_id AS id, status, error_code, takeovers, webhook_status FROM "${schema}".runs`)
    return {
      run: run ?? null,
      events: await rows(`SELECT stream, seq::int AS seq, type FROM "${schema}".events ORDER BY stream, seq`),
      openBlocks: await rows(`SELECT label FROM "${schema}".run_blocks WHERE status = 'running'`),
      blocks: await rows(`SELECT label, status, current_index FROM "${schema}".run_blocks ORDER BY sequence`),
      sessions: await rows(`SELECT status, lease_holder FROM "${schema}".browser_sessions WHERE completed_at IS NULL`),
      leases: await rows(`SELECT lease_id FROM "${schema}".leases`),
      effects: await rows(`SELECT label, host FROM "${schema}_effects".effects`),
      deliveries: delivered.get(path) ?? [],
    }
  } finally {
    await engine.stop()
    await storage.close()
    await effects.end()
  }
}

type Left = Awaited<ReturnType<typeof rescue>>

/** What is wrong with what is left; empty: nothing. */
function faultsOf(left: Left, onHostLost: 'fail' | 'resume'): string[] {
  const faults: string[] = []
  const { run, events, blocks, effects } = left
  if (run === null) return events.some(({ stream }) => String(stream).startsWith('run:')) ? ['events without a run'] : []
  const stream = events.filter((event) => event.stream === `run:${run.id}`)
  if (stream.some(({ seq }, index) => seq !== index + 1)) faults.push('its events have gaps')
  const finals = stream.filter(({ type }) => FINAL.test(String(type)))
  if (finals.length !== 1 || finals[0]?.type !== `run.${run.status}`) faults.push(`final events: ${finals.map(({ type }) => type)}`)
  const isWhole = run.status === 'completed'
  if (onHostLost === 'resume' ? !isWhole : !isWhole && run.error_code !== 'HOST_LOST') faults.push(`${run.status} ${run.error_code}`)
  if (left.openBlocks.length > 0) faults.push(`open blocks: ${left.openBlocks.map(({ label }) => label)}`)
  if (left.sessions.length > 0) faults.push(`sessions that are not closed: ${JSON.stringify(left.sessions)}`)
  if (left.leases.length > 0) faults.push('a lane is still held')
  if (new Set(left.deliveries).size !== 1 || run.webhook_status !== 'delivered')
    faults.push(`webhook ${run.webhook_status}, deliveries ${left.deliveries}`)
  const completed = blocks.filter(({ status }) => status === 'completed').map(({ label, current_index }) => `${label}[${current_index}]`)
  if (new Set(completed).size !== completed.length) faults.push(`completed twice: ${completed}`)
  let repeated = 0
  for (const [label, times] of Object.entries(EXPECTED_EFFECTS)) {
    const seen = effects.filter((effect) => effect.label === label).length
    if (isWhole && seen < times) faults.push(`"${label}" was done ${seen} times`)
    repeated += Math.max(0, seen - times)
  }
  if (repeated > 1) faults.push(`${repeated} effects were repeated: only the interrupted block may be`)
  return faults
}

it('a run whose host is killed before or after any of its commits is brought to a true end by another', async () => {
  const whole = await execute('resume', null)
  const commits = whole.commits ?? 0
  expect(faultsOf(await rescue(whole), 'resume'), 'without a kill').toEqual([])
  const points = Array.from({ length: commits }, (_, index) => index + 1).flatMap((commit) =>
    (['before', 'after'] as const).map((when) => ({ commit, when })),
  )
  expect(points.length).toBeGreaterThanOrEqual(30)
  const faults: string[] = []
  const told = { completed: 0, failed: 0, none: 0, takenOver: 0 }
  const queue = points.map((kill, index) => ({ kill, onHostLost: index % 4 < 2 ? ('resume' as const) : ('fail' as const) }))
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { kill, onHostLost } = next
      const left = await rescue(await execute(onHostLost, kill))
      told[(left.run?.status ?? 'none') as 'completed']++
      if (Number(left.run?.takeovers ?? 0) > 0) told.takenOver++
      faults.push(...faultsOf(left, onHostLost).map((fault) => `${kill.when} commit ${kill.commit} (${onHostLost}): ${fault}`))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  console.info(`killed at ${points.length} points of ${commits} commits: ${JSON.stringify(told)}`)
  expect(faults).toEqual([])
  expect(told.takenOver).toBeGreaterThan(10)
}, 600_000)
