// One of several hosts that race for the sessions of a shared Postgres. Argument: one JSON object. Tells what it did, a line at a time.
import { setTimeout as sleep } from 'node:timers/promises'
import { SessionPool } from '../../src/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'
import type { SessionLease } from '../../src/sessions/index.js'
import { FakeBrowserDriver } from '../../src/testing/index.js'

const { connectionString, schema, hostId, owns, racers, clings } = JSON.parse(process.argv[2] ?? '{}')
const storage = new PostgresStorage({ connectionString, schema })
const options = { organizationId: 'acme', machineId: 'shared', leaseTtlMs: 3_000, reapIntervalMs: 300, maxSessions: 20 }
const pool = new SessionPool({ storage, driver: new FakeBrowserDriver(), hostId, ...options })
const tell = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
await pool.start()
const own: string[] = []
for (let n = 0; n < owns; n += 1) own.push((await pool.create({ attachable: true })).browserSessionId)
tell({ own })
const [line] = await new Promise<string[]>((resolve) => process.stdin.once('data', (data) => resolve(String(data).split('\n'))))
const { sessions, untilMs }: { sessions: string[]; untilMs: number } = JSON.parse(line ?? '{}')

let count = 0
let isClinging = false
async function race(racer: number): Promise<void> {
  while (Date.now() < untilMs) {
    const browserSessionId = sessions[Math.floor(Math.random() * sessions.length)] ?? ''
    count += 1
    const runnable = { runnableType: 'test', runnableId: `${hostId}_${racer}_${count}` }
    let lease: SessionLease
    try {
      lease = await pool.attach({ browserSessionId, ...runnable })
    } catch (error) {
      const { code } = error as { code?: string }
      tell({ refused: code })
      await sleep(Math.random() * 20)
      continue
    }
    if (clings && !isClinging && !own.includes(browserSessionId)) {
      isClinging = true
      tell({ clings: browserSessionId })
      return // held by the heartbeat until the process is killed
    }
    // by the clock of the machine, which all racers share
    const fromMs = Date.now()
    await sleep(Math.random() * 30)
    const isStill = lease.isHeld && !lease.signal.aborted
    tell({ held: browserSessionId, fence: lease.fence, fromMs, toMs: Date.now(), isStill })
    await lease.release().catch((error: { code?: string }) => tell({ refused: error.code }))
  }
}
await Promise.all(Array.from({ length: racers }, (_, racer) => race(racer)))
tell({ done: true })
await new Promise((resolve) => process.stdin.once('end', resolve).resume())
await pool.stop()
await storage.close()
process.exit(0)
