import pg from 'pg'
import { startPostgres } from './test/support/postgres-server.js'
import { PostgresStorage } from './src/postgres/index.js'
import { tableMeta } from './src/storage/table-meta.js'
import { rowExpression } from './src/postgres/queries.js'
const server = await startPostgres()
const storage = new PostgresStorage({ connectionString: server.connectionString, notify: false })
await storage.open()
const row = (id: string) => ({ browserSessionId: id, organizationId: 'acme', status: 'running', private: false, attachable: false, detached: false, leaseFence: 0, guarded: false, interactor: 'agent', uses: 0, browserType: 'chromium', createdAt: new Date(), modifiedAt: new Date() }) as any
await storage.commit([{ op: 'insert', table: 'browser_sessions', row: row(`bs_0`) }])
const c = new pg.Client(server.connectionString); await c.connect()
const upd = `UPDATE runwright.browser_sessions AS t SET lease_holder=$2, lease_fence=lease_fence+1, lease_expires_at=clock_timestamp()+interval '30 s', modified_at=clock_timestamp() WHERE browser_session_id=$1`
const R = rowExpression(tableMeta('browser_sessions'))
const str = `INSERT INTO runwright.streams AS s (stream, last_seq) SELECT $1, 1 WHERE EXISTS (SELECT 1 FROM w) ON CONFLICT (stream) DO UPDATE SET last_seq = s.last_seq + excluded.last_seq RETURNING s.stream, s.last_seq, clock_timestamp()::timestamptz(3) AS at`
const ev = `INSERT INTO runwright.events (stream, seq, id, type, organization_id, at, payload, commit_id) SELECT s.stream, s.last_seq, 'evt_1', 'session.occupied', 'acme', s.at, '{"a":1}'::json, '00000000-0000-0000-0000-000000000000'::uuid FROM s`
const variants: Record<string, string> = {
  update1: `${upd} RETURNING 1`,
  updateStar: `${upd} RETURNING *`,
  updateRowExpr: `${upd} RETURNING ${R}`,
  updateRowJson: `${upd} RETURNING row_to_json(t)::text`,
  updateRecord: `${upd} RETURNING t::text`,
  cteRow: `WITH w AS (${upd} RETURNING ${R} AS row) SELECT '0', w.row FROM w`,
  cteRowRefusal: `WITH w AS (${upd} RETURNING ${R} AS row) SELECT '0', w.row FROM w UNION ALL SELECT '-2', json_build_array(0, CASE WHEN EXISTS (SELECT 1 FROM runwright.browser_sessions AS t WHERE t.browser_session_id = $1::text) THEN 2 ELSE 1 END)::text WHERE NOT EXISTS (SELECT 1 FROM w)`,
  cteStream: `WITH w AS (${upd} RETURNING ${R} AS row), s AS (${str}) SELECT '0', w.row FROM w UNION ALL SELECT '-1', json_build_array(s.stream, s.last_seq, s.at)::text FROM s`,
  cteStreamEvent: `WITH w AS (${upd} RETURNING ${R} AS row), s AS (${str}), e AS (${ev}) SELECT '0', w.row FROM w UNION ALL SELECT '-1', json_build_array(s.stream, s.last_seq, s.at)::text FROM s`,
  cteStreamEvent1: `WITH w AS (${upd} RETURNING 1 AS row), s AS (${str}), e AS (${ev}) SELECT '0', w.row::text FROM w UNION ALL SELECT '-1', json_build_array(s.stream, s.last_seq, s.at)::text FROM s`,
  cteSingleRow: `WITH w AS (${upd} RETURNING ${R} AS row), s AS (${str}), e AS (${ev} RETURNING seq, at) SELECT w.row, e.seq::text, e.at::text FROM w, e`,
}

import { readFileSync } from 'node:fs'
const pid = (c as any).processID
const ticks = () => { const f = readFileSync(`/proc/${pid}/stat`, 'latin1'); const x = f.slice(f.lastIndexOf(')') + 2).split(' '); return Number(x[11]) + Number(x[12]) }
const sums: Record<string, [number, number]> = {}
const M = 500
for (let round = 0; round < 4; round++) for (const [name, text] of Object.entries(variants)) {
  await c.query('vacuum runwright.browser_sessions'); await c.query('vacuum runwright.streams')
  const t0 = ticks(), u0 = process.cpuUsage()
  for (let i = 0; i < M; i++) await c.query({ name: process.env.UNNAMED ? undefined as any : name, text, values: ['bs_0', 'h'].slice(0, text.includes('$2') ? 2 : 1), rowMode: 'array' } as any)
  const u = process.cpuUsage(u0)
  const s = (sums[name] ??= [0, 0]); s[0] += (ticks() - t0) * 10_000; s[1] += u.user + u.system
}
for (const [k, v] of Object.entries(sums)) console.log(k.padEnd(18), 'server', (v[0] / M / 4).toFixed(0), 'µs   node', (v[1] / M / 4).toFixed(0), 'µs')
await c.end(); await storage.close(); await server.stop()
