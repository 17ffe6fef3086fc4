// A host that drives a real browser in a run on a shared Postgres, until it is stopped from outside. Argument: one JSON object.
import { SessionPool, WorkflowEngine } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'

const { connectionString, schema, site, leaseTtlMs } = JSON.parse(process.argv[2] ?? '{}')
const storage = new PostgresStorage({ connectionString, schema })
const options = { storage, organizationId: 'acme' }
const sessions = new SessionPool({ ...options, driver: new PlaywrightDriver(), hostId: 'frozen_pool', headless: true, leaseTtlMs })
const engine = new WorkflowEngine({
  ...options,
  sessions,
  hostId: 'frozen',
  leaseTtlMs,
  handlers: {
    drive: async ({ page, signal }) => {
      for (let n = 0; n < 400 && !signal.aborted; n += 1) await page.goto(`${site}/hit?host=frozen&n=${n}`)
    },
    after: () => fetch(`${site}/hit?host=frozen&after=1`).then(() => null),
  },
})
engine.onAny((event) => process.stdout.write(`${JSON.stringify({ type: event.type })}\n`))
await engine.start()
const { workflowPermanentId } = await engine.createWorkflow({
  title: 'Drives',
  onHostLost: 'resume',
  definition: {
    blocks: [
      { type: 'code', label: 'drive', handler: 'drive' },
      { type: 'code', label: 'after', handler: 'after' },
    ],
  },
})
const run = await engine.startRun({ workflowPermanentId })
process.stdout.write(`${JSON.stringify({ workflowRunId: run.workflowRunId })}\n`)
process.stdin.resume().once('end', async () => {
  await engine.stop({ graceful: false })
  await sessions.stop()
  await storage.close()
  process.exit(0)
})
