import type { Page } from 'playwright-core'
import { PlaywrightDriver } from 'runwright/playwright'
import type { BenchContext } from '../lib/area.js'
import { holdRun } from '../lib/held-block.js'
import { startHost } from '../lib/host.js'
import { sharedSite } from '../lib/site.js'
import { median } from '../lib/statistics.js'
import { timedMs } from '../lib/timed.js'
import { medianDifference, takeTurns } from '../lib/turns.js'

/** A click through the router beside Playwright's own, on the same button of the same page, in turns. */
export async function measureClickOverhead(context: BenchContext): Promise<Record<string, number>> {
  const pairs = context.isQuick ? 10 : 300
  context.progress(`clicks, ${pairs} pairs`)
  const site = await sharedSite(context)
  const host = await startHost({ driver: new PlaywrightDriver() })
  try {
    const held = await holdRun(host.engine)
    const page = await held.context.nativePage<Page>()
    await held.context.page.goto(site)
    const next = { router: 0, playwright: 0 }
    // each side clicks two buttons in turn: the same action on a page that looks the same would be watched as a repetition
    const button = (side: keyof typeof next) => (next[side]++ % 2 === 0 ? '#a' : '#b')
    const times = await takeTurns(pairs, {
      router: () => timedMs(() => held.context.page.click(button('router'))),
      playwright: () => timedMs(() => page.click(button('playwright'))),
    })
    for (const [side, ms] of Object.entries(times)) context.sample(`click, ${side}, ms`, ms)
    await held.end()
    return {
      routerOverheadMs: medianDifference(times.router, times.playwright),
      routerClickMs: median(times.router),
      playwrightClickMs: median(times.playwright),
    }
  } finally {
    await host.stop()
  }
}
