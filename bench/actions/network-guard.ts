import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { PlaywrightDriver } from 'runwright/playwright'
import type { BenchContext } from '../lib/area.js'
import { holdRun } from '../lib/held-block.js'
import { startHost } from '../lib/host.js'
import { sharedSite } from '../lib/site.js'
import { median, medianRatio } from '../lib/statistics.js'
import { timedMs } from '../lib/timed.js'
import { takeTurns } from '../lib/turns.js'

const PERCENT = 100
const US_A_MS = 1_000
const RESOURCES = 200
/** Before each load: a browser that has just left such a page is still clearing it away, and would be slower than one that has rested. */
const REST_MS = 250

/** Loads of a page with 200 sub-resources: plain, behind the guard with a policy, and with `context.route` that lets everything pass. */
export async function measureNetworkGuard(context: BenchContext): Promise<Record<string, number>> {
  const turns = context.isQuick ? 2 : 30
  context.progress(`page loads, ${turns} of each kind`)
  const site = await sharedSite(context)
  const host = await startHost({ driver: new PlaywrightDriver() })
  try {
    const plain = await holdRun(host.engine)
    const guarded = await holdRun(host.engine, { scopePolicy: { allowedDomains: ['127.0.0.1'], allowPrivateNetwork: true } })
    const routed = await holdRun(host.engine)
    const pages = await Promise.all([plain, guarded, routed].map((run) => run.context.nativePage<Page>()))
    const [plainPage, guardedPage, routedPage] = pages as [Page, Page, Page]
    await routedPage.context().route('**/*', (route) => route.continue())
    const url = `${site}/heavy`
    for (const page of pages) await assertWhole(page, url)
    const cpu = { plain: [] as number[], guarded: [] as number[], routed: [] as number[] }
    const times = await takeTurns(turns, {
      plain: () => cpuTimed(cpu.plain, () => load(plainPage, url)),
      guarded: () => cpuTimed(cpu.guarded, () => load(guardedPage, url)),
      routed: () => cpuTimed(cpu.routed, () => load(routedPage, url)),
    })
    for (const [side, ms] of Object.entries(times)) context.sample(`page load, ${side}, ms`, ms)
    for (const run of [plain, guarded, routed]) await run.end()
    return {
      networkGuardOverheadPct: overheadPct(times.guarded, times.plain),
      routeOverheadPct: overheadPct(times.routed, times.plain),
      plainLoadMs: median(times.plain),
      plainLoadCpuMs: median(cpu.plain),
      guardedLoadCpuMs: median(cpu.guarded),
      routedLoadCpuMs: median(cpu.routed),
    }
  } finally {
    await host.stop()
  }
}

const load = (page: Page, url: string) => timedMs(() => page.goto(url, { waitUntil: 'load' }))
const overheadPct = (one: readonly number[], other: readonly number[]) => (medianRatio(one, other) - 1) * PERCENT

/** Notes beside what the work gives how long this process computed for it, which hardly depends on what else the machine does. */
async function cpuTimed(cpuMs: number[], work: () => Promise<number>): Promise<number> {
  await sleep(REST_MS)
  const before = process.cpuUsage()
  const ms = await work()
  const { user, system } = process.cpuUsage(before)
  cpuMs.push((user + system) / US_A_MS)
  return ms
}

/** A page of which something is missing loads fast. */
async function assertWhole(page: Page, url: string): Promise<void> {
  await load(page, url)
  const loaded = await page.evaluate("performance.getEntriesByType('resource').filter((entry) => entry.decodedBodySize > 0).length")
  if (loaded !== RESOURCES) throw new Error(`${loaded} of ${RESOURCES} resources were loaded`)
}
