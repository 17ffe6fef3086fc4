import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../support/postgres-server.js'
import { freshSchema, quietPool } from '../support/postgres-storages.js'

const program = fileURLToPath(new URL('./session-race-host.mts', import.meta.url))
const HOSTS = 4
const OWNED = 2
const RACERS = 16
const RACE_MS = 10_000
const KILL_AFTER_MS = 2_000
const KILLED = 'host_4'

interface Held {
  readonly hostId: string
  readonly held: string
  readonly fence: number
  readonly fromMs: number
  readonly toMs: number
  /** Whether it was still its holder at the end. */
  readonly isStill: boolean
}

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

it('of 64 racers in 4 processes each session has one holder at a time, also when a process is killed', async () => {
  const schema = freshSchema()
  const { connectionString } = server
  const reader = quietPool(connectionString)
  const temporary = await mkdtemp(join(tmpdir(), 'race-')) // whoever is killed leaves folders
  const children = new Map<string, ChildProcess>()
  const holds: Held[] = []
  const refusals = new Map<string, number>()
  const owners = new Map<string, string>()
  const done = new Set<string>()
  const clung = new Set<string>()
  try {
    for (let n = 1; n <= HOSTS; n += 1) {
      const hostId = `host_${n}`
      const argument = JSON.stringify({ connectionString, schema, hostId, owns: OWNED, racers: RACERS, clings: hostId === KILLED })
      const child = spawn(process.execPath, ['--import', 'tsx', program, argument], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, TMPDIR: temporary },
      })
      children.set(hostId, child)
      createInterface(child.stdout as NodeJS.ReadableStream).on('line', (text) => {
        const line = JSON.parse(text)
        for (const id of line.own ?? []) owners.set(id, hostId)
        if (line.held !== undefined) holds.push({ ...line, hostId })
        if (line.refused !== undefined) refusals.set(line.refused, (refusals.get(line.refused) ?? 0) + 1)
        if (line.done === true) done.add(hostId)
        if (line.clings !== undefined) clung.add(line.clings)
      })
    }
    await until(() => owners.size === HOSTS * OWNED)
    const untilMs = Date.now() + RACE_MS // from when all of them are ready, however long that took
    for (const child of children.values()) child.stdin?.write(`${JSON.stringify({ sessions: [...owners.keys()], untilMs })}\n`)
    await until(() => holds.length > 100 && clung.size === 1)
    await sleep(KILL_AFTER_MS)
    const heldByKilled = await rows(`SELECT browser_session_id AS id, lease_fence AS fence FROM "${schema}".browser_sessions
      WHERE lease_holder = '${KILLED}' AND host_id <> '${KILLED}'`)
    children.get(KILLED)?.kill('SIGKILL')
    await until(() => done.size === HOSTS - 1, untilMs - Date.now() + 20_000)

    // one holder at a time, by what the holders saw
    const overlaps = [...owners.keys()].flatMap((id) => {
      const own = holds.filter((hold) => hold.held === id && hold.isStill).sort((one, other) => one.fence - other.fence)
      return own.filter((hold, index) => hold.fromMs < (own[index - 1]?.toMs ?? 0) || hold.fence === own[index - 1]?.fence)
    })
    expect(overlaps).toEqual([])
    // and by what is written down
    const occupied = await rows(`SELECT stream, (payload->>'leaseFence')::int AS fence, seq FROM "${schema}".events
      WHERE type = 'session.occupied' ORDER BY stream, seq`)
    for (const id of owners.keys()) {
      const fences = occupied.filter(({ stream }) => stream === `session:${id}`).map(({ fence }) => Number(fence))
      expect(fences).toEqual(fences.map((_, index) => index + 1))
    }
    // what the killed one held is given out again; what it owned is marked as orphan
    const isAgain = ({ id, fence }: Row) => holds.some((hold) => hold.held === id && hold.fence > Number(fence))
    expect(heldByKilled.map(({ id }) => id)).toEqual(expect.arrayContaining([...clung]))
    expect(heldByKilled.filter((row) => !isAgain(row))).toEqual([])
    const ended = await rows(`SELECT host_id, status, close_reason FROM "${schema}".browser_sessions WHERE status <> 'running'`)
    expect(ended).toEqual(Array(OWNED).fill({ host_id: KILLED, status: 'failed', close_reason: 'orphan' }))
    const told = [...refusals].map(([code, count]) => `${count} ${code}`).join(', ')
    console.info(`${holds.length} leases given to ${HOSTS * RACERS} racers, ${heldByKilled.length} held by the killed one; ${told}`)
    expect([...refusals.keys()].filter((code) => !/^SESSION_(OCCUPIED|ENDED|HOST_UNAVAILABLE)$/.test(code))).toEqual([])
  } finally {
    await Promise.all([...children.values()].map(end))
    await reader.end()
    await rm(temporary, { recursive: true, force: true })
  }

  type Row = Record<string, unknown>
  async function rows(text: string): Promise<Row[]> {
    return (await reader.query(text)).rows as Row[]
  }
}, 120_000)

async function until(isSo: () => boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms`)
    await sleep(10)
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.stdin?.end()
  await Promise.race([gone, sleep(5_000)])
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  await gone
}
