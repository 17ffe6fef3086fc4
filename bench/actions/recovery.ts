import type { Page } from 'playwright-core'
import type { BlockContext, StepEntry } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import type { BenchContext } from '../lib/area.js'
import { holdRun } from '../lib/held-block.js'
import { startHost } from '../lib/host.js'
import { sharedSite } from '../lib/site.js'
import { median } from '../lib/statistics.js'
import { timedMs } from '../lib/timed.js'

/** Deadline of the authored target; what lies beyond it is recovery. */
const TIMEOUT_MS = 300

/**
 * Every button is clicked once, then all of them get other ids: from the deadline of a click by the old id to the click that found the
 * button by another way.
 */
export async function measureRecovery(context: BenchContext): Promise<{ recoverByAlternativeTargetMs: number }> {
  const count = context.isQuick ? 2 : 30
  context.progress(`recoveries by another target, ${count}`)
  const site = await sharedSite(context)
  const host = await startHost({ driver: new PlaywrightDriver() })
  try {
    const held = await holdRun(host.engine)
    await held.context.page.goto(`${site}/fields`)
    for (let index = 0; index < count; index++) await click(held.context, index)
    const page = await held.context.nativePage<Page>()
    await page.evaluate("for (const button of document.querySelectorAll('button')) button.id = 'renamed-' + button.id")
    const times: number[] = []
    for (let index = 0; index < count; index++) {
      const ms = await timedMs(async () => {
        const recovery = await click(held.context, index)
        if (recovery !== 'alternative_target') throw new Error(`The click was recovered by ${recovery}`)
      })
      times.push(ms - TIMEOUT_MS)
    }
    await held.end()
    context.sample('recoverByAlternativeTargetMs', times)
    return { recoverByAlternativeTargetMs: median(times) }
  } finally {
    await host.stop()
  }
}

/** Gives how the step was saved. */
async function click(context: BlockContext, index: number): Promise<string | null> {
  const step = {
    type: 'click',
    target: { css: `#field-${index}` },
    timeoutMs: TIMEOUT_MS,
    onFailure: 'abort',
    button: 'left',
    clickCount: 1,
  }
  const { failure, results } = await context.performAll([step as StepEntry])
  if (failure !== null) throw failure.error
  return results[0]?.recoveryUsed ?? null
}
