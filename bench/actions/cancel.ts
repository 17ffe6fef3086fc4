import { setTimeout as sleep } from 'node:timers/promises'
import { defineWorkflow } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import type { BenchContext } from '../lib/area.js'
import { startHost } from '../lib/host.js'
import { sharedSite } from '../lib/site.js'
import { median } from '../lib/statistics.js'

const definition = defineWorkflow({
  blocks: [{ type: 'action', label: 'click', steps: [{ type: 'click', target: { css: '#never' }, timeoutMs: 60_000 }] }],
})

/** A run on a session is canceled while its click waits for an element that never comes: from the call of `cancel` to the run's result. */
export async function measureCancel(context: BenchContext): Promise<{ cancelMs: number }> {
  const count = context.isQuick ? 2 : 20
  context.progress(`cancels, ${count}`)
  const site = await sharedSite(context)
  const host = await startHost({ driver: new PlaywrightDriver() })
  try {
    const { browserSessionId } = await host.sessions.create({ url: site })
    const { workflowPermanentId } = await host.engine.createWorkflow({ title: 'A click that waits', definition })
    const times: number[] = []
    for (let index = 0; index < count; index++) {
      const run = await host.engine.startRun({ workflowPermanentId, browserSessionId })
      for await (const { type } of run.events()) if (type === 'block.started') break
      await sleep(100 + (index % 7) * 11) // the click waits by then, and not in step with any timer
      const ended = run.result().then((result) => ({ status: result.status, at: performance.now() }))
      const startedAt = performance.now()
      await run.cancel()
      const { status, at } = await ended
      if (status !== 'canceled') throw new Error(`The run is ${status}`)
      times.push(at - startedAt)
    }
    context.sample('cancelMs', times)
    return { cancelMs: median(times) }
  } finally {
    await host.stop()
  }
}
