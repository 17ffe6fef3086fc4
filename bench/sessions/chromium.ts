import { setTimeout as sleep } from 'node:timers/promises'
import { defineWorkflow, type SessionLease, type SessionPool } from 'runwright'
import { PlaywrightDriver } from 'runwright/playwright'
import type { BenchContext, Measured } from '../lib/area.js'
import { type Host, startHost } from '../lib/host.js'
import { sharedSite } from '../lib/site.js'
import { median } from '../lib/statistics.js'
import { timedMs } from '../lib/timed.js'
import { takeTurns } from '../lib/turns.js'
import { RUN } from './pool.js'
import { treeMemory } from './process-memory.js'

/** What only a real browser tells. */
export async function measureChromium(context: BenchContext): Promise<Required<Measured>> {
  const starts = await measureStarts(context)
  const runs = await measureRuns(context)
  const crash = await measureCrash(context)
  const memory = await measureRss(context)
  return { figures: { ...starts, ...runs, ...crash, ...memory.figures }, details: memory.details }
}

/** From the call of `acquire` to a page: where the browser has to be launched, and where a warm spare is ready. */
async function measureStarts(context: BenchContext): Promise<{ coldStartMs: number; warmHandoutMs: number }> {
  const count = context.isQuick ? 2 : 10
  context.progress(`cold starts and warm hand-outs, ${count} each`)
  const cold = await startHost({ driver: new PlaywrightDriver() })
  const warm = await startHost({ driver: new PlaywrightDriver(), pool: { warm: { min: 1 } } })
  try {
    const times = await takeTurns(count, {
      cold: () => handOut(cold.sessions),
      async warm() {
        while (warm.sessions.stats().warm === 0) await sleep(20)
        await sleep(200) // the spare is at rest, as one that waits for somebody is
        return handOut(warm.sessions)
      },
    })
    for (const [name, ms] of Object.entries(times)) context.sample(`${name} start, ms`, ms)
    return { coldStartMs: median(times.cold), warmHandoutMs: median(times.warm) }
  } finally {
    await cold.stop()
    await warm.stop()
  }
}

async function handOut(sessions: SessionPool): Promise<number> {
  let lease: SessionLease | undefined
  const ms = await timedMs(async () => {
    lease = await sessions.acquire(RUN)
    await lease.page()
  })
  if (lease !== undefined) await sessions.close({ browserSessionId: lease.browserSessionId, lease })
  return ms
}

/** A short run, from `startRun` to its result: on a session that another run has used, and in a browser of its own. */
async function measureRuns(context: BenchContext): Promise<{ secondRunOnSessionMs: number; freshRunMs: number }> {
  const count = context.isQuick ? 1 : 7
  context.progress(`runs on a session and in a fresh browser, ${count} each`)
  const site = await sharedSite(context)
  const definition = defineWorkflow({
    blocks: [
      { type: 'goto_url', label: 'open', url: site },
      { type: 'action', label: 'click', steps: [{ type: 'click', target: { css: '#a' } }] },
    ],
  })
  const host = await startHost({ driver: new PlaywrightDriver() })
  try {
    const { workflowPermanentId } = await host.engine.createWorkflow({ title: 'Open and click', definition })
    const { browserSessionId } = await host.sessions.create()
    await runOnce(host, { workflowPermanentId, browserSessionId })
    const times = await takeTurns(count, {
      second: () => runOnce(host, { workflowPermanentId, browserSessionId }),
      fresh: () => runOnce(host, { workflowPermanentId }),
    })
    for (const [name, ms] of Object.entries(times)) context.sample(`${name} run, ms`, ms)
    return { secondRunOnSessionMs: median(times.second), freshRunMs: median(times.fresh) }
  } finally {
    await host.stop()
  }
}

async function runOnce(host: Host, params: { readonly workflowPermanentId: string; readonly browserSessionId?: string }): Promise<number> {
  return timedMs(async () => {
    const run = await host.engine.startRun(params)
    const { status, failureReason } = await run.result()
    if (status !== 'completed') throw new Error(`The run is ${status}: ${failureReason}`)
  })
}

/** From SIGKILL to a browser to the aborted signal of its lease. */
async function measureCrash(context: BenchContext): Promise<{ crashToSignalMs: number }> {
  const count = context.isQuick ? 2 : 20
  context.progress(`crashes, ${count}`)
  const host = await startHost({ driver: new PlaywrightDriver() })
  try {
    const times: number[] = []
    for (let index = 0; index < count; index++) {
      const lease = await host.sessions.acquire(RUN)
      const pid = lease.browser.process?.pid
      if (pid === undefined) throw new Error('The browser has no process')
      await sleep(100 + Math.random() * 100) // not in step with whatever looks for its end
      const lost = new Promise<number>((resolve) =>
        lease.signal.addEventListener('abort', () => resolve(performance.now()), { once: true }),
      )
      const killedAt = performance.now()
      process.kill(pid, 'SIGKILL')
      times.push((await lost) - killedAt)
    }
    context.sample('crashToSignalMs', times)
    return { crashToSignalMs: median(times) }
  } finally {
    await host.stop()
  }
}

/** Resident memory of a session's browser on a small page, for one session and for eight at once. */
async function measureRss(context: BenchContext): Promise<Required<Measured>> {
  const many = context.isQuick ? 2 : 8
  context.progress(`memory of 1 and ${many} sessions`)
  const site = await sharedSite(context)
  const host = await startHost({ driver: new PlaywrightDriver() })
  try {
    const pids: number[] = []
    const open = async () => {
      const { pid } = await host.sessions.create({ url: site })
      if (pid === null) throw new Error('The session has no process')
      pids.push(pid)
    }
    const perSession = async () => {
      await sleep(context.isQuick ? 100 : 2_000) // what starting took is given back
      const all = pids.map(treeMemory)
      const mean = (of: (memory: (typeof all)[number]) => number) => all.reduce((sum, memory) => sum + of(memory), 0) / all.length
      return { rssMb: mean(({ rssMb }) => rssMb), pssMb: mean(({ pssMb }) => pssMb) }
    }
    await open()
    const one = await perSession()
    while (pids.length < many) await open()
    const eight = await perSession()
    return {
      figures: { rssPerSessionMb: eight.rssMb },
      details: { rssPerSessionMb1: one.rssMb, rssPerSessionMb8: eight.rssMb, pssPerSessionMb1: one.pssMb, pssPerSessionMb8: eight.pssMb },
    }
  } finally {
    await host.stop()
  }
}
