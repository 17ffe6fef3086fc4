import pg from 'pg'
import { startPostgres } from './test/support/postgres-server.js'
import { PostgresStorage } from './src/postgres/index.js'
import { guardStorage, increment, storageNow } from './src/storage/index.js'
const server = await startPostgres({ settings: process.env.FSYNC ? { fsync: 'on' } : {} })
const pool = new pg.Pool({ connectionString: server.connectionString, max: 20 })
const storage = guardStorage(new PostgresStorage({ connectionString: server.connectionString, maxConnections: 20, notify: process.env.NOTIFY !== '0', prepare: process.env.PREPARE !== '0' }))
await storage.open()
const N = 16
const row = (id: string) => ({ browserSessionId: id, organizationId: 'acme', status: 'running', private: false, attachable: false, detached: false, leaseFence: 0, guarded: false, interactor: 'agent', uses: 0, browserType: 'chromium', createdAt: new Date(), modifiedAt: new Date() }) as any
for (let i = 0; i < N; i++) await storage.commit([{ op: 'insert', table: 'browser_sessions', row: row(`bs_${i}`) }])
await pool.query(`create table raw (id text primary key, status text, holder text, fence bigint not null default 0, expires timestamptz, modified timestamptz)`)
for (let i = 0; i < N; i++) await pool.query(`insert into raw values ($1,'running',null,0,null,now())`, [`bs_${i}`])
let n = 0
const free = (now: number) => ({ status: { eq: 'running' }, any: [{ leaseHolder: { isNull: true } }, { leaseExpiresAt: { lt: storageNow() } }] })
const event = (type: string) => ({ id: `evt_${n++}`, type, organizationId: 'acme', payload: { runnableId: 'wr_1', runnableType: 'workflow_run' } })
const pairs: Record<string, (i: number) => Promise<void>> = {
  async storageAppend(i) {
    const id = `bs_${i}`
    const a = await storage.commit([{ op: 'update', table: 'browser_sessions', id, where: free(0) as any, set: { runnableType: 'workflow_run', runnableId: 'wr_1', leaseToken: 'tok', leaseHolder: 'h', leaseFence: increment(), leaseExpiresAt: storageNow({ plusMs: 30000 }), leaseSince: storageNow(), uses: increment(), modifiedAt: storageNow() } }, { op: 'append', stream: `session:${id}`, events: [event('session.occupied')] }])
    if (!a.ok) throw new Error('x')
    const fence = (a.rows[0]![0] as any).leaseFence
    const b = await storage.commit([{ op: 'update', table: 'browser_sessions', id, where: { leaseHolder: 'h', leaseFence: fence }, set: { runnableType: null, runnableId: null, leaseToken: null, leaseHolder: null, leaseExpiresAt: null, lastActivityAt: storageNow(), modifiedAt: storageNow() } }, { op: 'append', stream: `session:${id}`, events: [event('session.released')] }])
    if (!b.ok) throw new Error('y')
  },
  async storageOnly(i) {
    const id = `bs_${i}`
    const a = await storage.commit([{ op: 'update', table: 'browser_sessions', id, where: free(0) as any, set: { runnableType: 'workflow_run', runnableId: 'wr_1', leaseToken: 'tok', leaseHolder: 'h', leaseFence: increment(), leaseExpiresAt: storageNow({ plusMs: 30000 }), leaseSince: storageNow(), uses: increment(), modifiedAt: storageNow() } }])
    if (!a.ok) throw new Error('x')
    const fence = (a.rows[0]![0] as any).leaseFence
    await storage.commit([{ op: 'update', table: 'browser_sessions', id, where: { leaseHolder: 'h', leaseFence: fence }, set: { runnableType: null, runnableId: null, leaseToken: null, leaseHolder: null, leaseExpiresAt: null, lastActivityAt: storageNow(), modifiedAt: storageNow() } }])
  },
  async rawSmall(i) {
    const id = `bs_${i}`
    const { rows } = await pool.query(`update raw set holder=$2, fence=fence+1, expires=clock_timestamp()+interval '30 s', modified=clock_timestamp() where id=$1 and status='running' and (holder is null or expires < clock_timestamp()) returning *`, [id, 'h'])
    await pool.query(`update raw set holder=null, expires=null, modified=clock_timestamp() where id=$1 and holder=$2 and fence=$3 returning *`, [id, 'h', rows[0].fence])
  },
  async rawReal(i) {
    const id = `bs_${i}`
    const { rows } = await pool.query(`update runwright.browser_sessions set runnable_type='workflow_run', runnable_id='wr_1', lease_token='tok', lease_holder=$2, lease_fence=lease_fence+1, lease_expires_at=clock_timestamp()+interval '30 s', modified_at=clock_timestamp() where browser_session_id=$1 and status='running' and (lease_holder is null or lease_expires_at < clock_timestamp()) returning *`, [id, 'h'])
    await pool.query(`update runwright.browser_sessions set runnable_type=null, runnable_id=null, lease_token=null, lease_holder=null, lease_expires_at=null, modified_at=clock_timestamp() where browser_session_id=$1 and lease_holder=$2 and lease_fence=$3 returning *`, [id, 'h', rows[0].lease_fence])
  },
}
import { readFileSync, readdirSync } from 'node:fs'
const statOf = (pid: string) => { try { const f = readFileSync(`/proc/${pid}/stat`, 'latin1'); return f.slice(f.lastIndexOf(')') + 2).split(' ') } catch { return undefined } }
const serverTicks = () => readdirSync('/proc').filter((p) => /^\d+$/.test(p)).map((p) => [p, statOf(p)] as const).filter(([p, s]) => s !== undefined && (s[1] === String(server.pid) || p === String(server.pid))).reduce((a, [, s]) => a + Number(s![11]) + Number(s![12]), 0)
const cpu: Record<string, [number, number, number]> = {}
async function measure(name: string, clients: number, ms = 1500) {
  const until = performance.now() + ms
  let count = 0
  const start = performance.now()
  const t0 = serverTicks(), u0 = process.cpuUsage()
  await Promise.all(Array.from({ length: clients }, async (_, i) => { while (performance.now() < until) { await pairs[name]!(i); count++ } }))
  const u = process.cpuUsage(u0)
  const s = (cpu[`${name}@${clients}`] ??= [0, 0, 0]); s[0] += (serverTicks() - t0) * 10_000; s[1] += u.user + u.system; s[2] += count
  return count / ((performance.now() - start) / 1000)
}

const q1 = `update runwright.browser_sessions set runnable_type='workflow_run', runnable_id='wr_1', lease_token='tok', lease_holder=$2, lease_fence=lease_fence+1, lease_expires_at=clock_timestamp()+interval '30 s', modified_at=clock_timestamp() where browser_session_id=$1 and status='running' and (lease_holder is null or lease_expires_at < clock_timestamp()) returning *`
const q2 = `update runwright.browser_sessions set runnable_type=null, runnable_id=null, lease_token=null, lease_holder=null, lease_expires_at=null, modified_at=clock_timestamp() where browser_session_id=$1 and lease_holder=$2 and lease_fence=$3 returning *`
pairs.rawPrepared = async (i) => { const id = `bs_${i}`; const { rows } = await pool.query({ name: 'q1', text: q1, values: [id, 'h'] }); await pool.query({ name: 'q2', text: q2, values: [id, 'h', rows[0].lease_fence] }) }
const only = process.env.ONLY?.split(',') ?? Object.keys(pairs)
for (const name of only) await measure(name, 4, 500)
for (const clients of [1, 16]) {
  const results: Record<string, number[]> = {}
  for (let round = 0; round < 12; round++) for (const name of only) (results[name] ??= []).push(await measure(name, clients, 300))
  const med = (v: number[]) => v.sort((a, b) => a - b)[v.length >> 1]!
  const base = med(results.rawReal ?? [1])
  console.log(clients, Object.entries(results).map(([k, v]) => `${k} ${med(v).toFixed(0)} (${(med(v) / base).toFixed(2)})`).join('  '))
}
for (const [k, [sv, nd, n]] of Object.entries(cpu)) console.log(k.padEnd(20), 'server µs/pair', (sv / n).toFixed(0), 'node', (nd / n).toFixed(0))
await storage.close(); await pool.end(); await server.stop()
