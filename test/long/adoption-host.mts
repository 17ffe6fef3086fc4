// A host on a shared Postgres, in one of two parts: `own` makes sessions of every kind, tells of them on one line, and waits to be killed;
// `attach` attaches to a session, tells how that went, and then how its lease ended. Arguments: one JSON object.
import { SessionPool, StreamingSupervisor } from '../../src/index.js'
import { PlaywrightDriver } from '../../src/playwright/index.js'
import { PostgresStorage } from '../../src/postgres/index.js'

const { part, connectionString, schema, baseDirectory, leaseTtlMs, hostId, site, hasDisplay, browserSessionId } = JSON.parse(
  process.argv[2] ?? '{}',
)
const tell = (what: unknown) => process.stdout.write(`${JSON.stringify(what)}\n`)
const storage = new PostgresStorage({ connectionString, schema })
const pool = new SessionPool({
  storage,
  driver: new PlaywrightDriver(),
  organizationId: 'acme',
  hostId,
  baseDirectory,
  leaseTtlMs,
  ...(hasDisplay ? { streaming: new StreamingSupervisor({ storage, organizationId: 'acme', hostId }) } : {}),
})
await pool.start()
if (part === 'own') await own()
else await attach()

async function own(): Promise<void> {
  const within = () => ({ timeoutMs: 10_000, signal: new AbortController().signal })
  const plain = await pool.create({ headless: true })
  const attachable = await pool.create({ headless: true, attachable: true })
  const lease = await pool.createOccupied({
    detached: true,
    url: `${site}/login`,
    viewport: { width: 900, height: 600 },
    runnable: { runnableType: 'workflow_run', runnableId: 'wr_dead' },
  })
  const late = { dialog: 'setTimeout(() => alert("hello"), 1500)', loop: 'setTimeout(() => { for (;;); }, 1500)' }
  for (const [name, script] of Object.entries(late)) {
    const page = await lease.browser.newPage(within())
    await page.navigate(`${site}/${name}`, within())
    await page.evaluate(`void ${script}`, undefined, within())
  }
  const rows = await Promise.all([plain, attachable, lease].map((one) => pool.get({ browserSessionId: one.browserSessionId })))
  tell(rows)
}

async function attach(): Promise<void> {
  const runnable = { runnableType: 'workflow_run', runnableId: `wr_${hostId}` }
  try {
    const lease = await pool.attach({ browserSessionId, ...runnable })
    const page = await lease.page()
    tell({ held: true, url: page.url() })
    lease.signal.addEventListener('abort', () => {
      tell({ lost: lease.signal.reason.code })
      void pool.stop().then(() => storage.close())
    })
  } catch (error) {
    tell({ held: false, code: (error as { code?: string }).code })
    await pool.stop()
    await storage.close()
  }
}
