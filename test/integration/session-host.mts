// A host with one held and one free session on a shared Postgres: tells of them on one line, and waits to be killed. Arguments: one JSON object.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { SessionPool } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { collectBrowserProcesses } from '../../src/playwright/process-tree.js'
import { PostgresStorage } from '../../src/postgres/index.js'

const { connectionString, schema, baseDirectory, leaseTtlMs } = JSON.parse(process.argv[2] ?? '{}')
const storage = new PostgresStorage({ connectionString, schema })
const pool = new SessionPool({
  storage,
  driver: new PlaywrightDriver(),
  organizationId: 'acme',
  hostId: 'child',
  baseDirectory,
  leaseTtlMs,
})
await pool.start()
const lease = await pool.createOccupied({ runnable: { runnableType: 'workflow_run', runnableId: 'wr_1' } })
const free = await pool.create()
const folders = readdirSync(baseDirectory).map((name) => join(baseDirectory, name))
const processes = folders.flatMap((folder) => collectBrowserProcesses(null, folder))
const ids = [lease.browserSessionId, free.browserSessionId]
process.stdout.write(`${JSON.stringify({ ids, folders, processes, pid: lease.browser.process?.pid })}\n`)
