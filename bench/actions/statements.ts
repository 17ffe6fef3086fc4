import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import pg from 'pg'
import { type BrowserDriver, guardStorage } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import { PostgresStorage } from 'runwright/postgres'
import { FakeBrowserDriver } from 'runwright/testing'
import type { BenchContext } from '../lib/area.js'
import { holdRun } from '../lib/held-block.js'
import { type Host, startHost } from '../lib/host.js'
import { sharedServer, withPool } from '../lib/postgres.js'
import { sharedSite } from '../lib/site.js'
import { median } from '../lib/statistics.js'

const ACTIONS = 50
const PAGE = 'https://app.example.com/'

/** Counts the statements that go to the server, `BEGIN` and `COMMIT` among them. */
class CountingClient extends pg.Client {
  static statements = 0

  override query(...args: never[]): never {
    CountingClient.statements++
    return (super.query as (...args: never[]) => never).apply(this, args)
  }
}

/** Statements of runs whose block performs 50 clicks, on Postgres: on pages that answer at once, and on real ones. */
export async function measureStatements(context: BenchContext): Promise<Record<string, number>> {
  const quick = new FakeBrowserDriver({ site: { [PAGE]: { elements: [{ css: '#a' }, { css: '#b' }] } } })
  context.progress('statements an action, quick ones')
  const { full, empty } = await measureDriver(context, quick, PAGE)
  context.progress('statements an action, on Chromium')
  const chromium = await measureDriver(context, new PlaywrightDriver(), await sharedSite(context))
  return {
    statementsPerAction: (full - empty) / ACTIONS,
    statementsOfRun: full,
    statementsOfEmptyRun: empty,
    statementsPerActionChromium: (chromium.full - chromium.empty) / ACTIONS,
  }
}

async function measureDriver(context: BenchContext, driver: BrowserDriver, page: string): Promise<{ full: number; empty: number }> {
  const url = await sharedServer(context)
  const schema = `bench_${randomBytes(6).toString('hex')}`
  const pool = new pg.Pool({ connectionString: url, max: 5, Client: CountingClient as never })
  pool.on('error', () => {}) // an idle connection ended with the server
  const storage = guardStorage(new PostgresStorage({ pool, schema }))
  const host = await startHost({ driver, storage })
  try {
    const { browserSessionId } = await host.sessions.create({ url: page })
    await countRun(host, browserSessionId, 1) // whatever is asked for once
    const [full, empty]: [number[], number[]] = [[], []]
    for (let run = 0; run < (context.isQuick ? 1 : 10); run++) {
      full.push(await countRun(host, browserSessionId, ACTIONS))
      empty.push(await countRun(host, browserSessionId, 0))
    }
    context.sample(`statements of a run with ${ACTIONS} actions, ${driver.name}`, full)
    return { full: median(full), empty: median(empty) }
  } finally {
    await host.stop()
    await storage.close()
    await pool.end()
    await withPool(url, (plain) => plain.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`))
  }
}

/** From the start of the run by its caller to its result. */
async function countRun(host: Host, browserSessionId: string, actions: number): Promise<number> {
  const before = CountingClient.statements
  const held = await holdRun(host.engine, { browserSessionId })
  for (let index = 0; index < actions; index++) {
    await held.context.page.click(index % 2 === 0 ? '#a' : '#b')
    await nextTurn() // as after every answer of a browser
  }
  await held.end()
  return CountingClient.statements - before
}
