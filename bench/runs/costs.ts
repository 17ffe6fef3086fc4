import type { BenchContext } from '../lib/area.js'
import { median } from '../lib/statistics.js'
import { withEngines } from './cluster.js'

const BLOCKS = 20
const HELD = 200
const WAITING = 1_000
const MB = 1_048_576

/** Commits of a run, by its blocks. */
export function measureCommits(context: BenchContext): Promise<{ commitsPerBlock: number }> {
  context.progress('commits of a run')
  return withEngines(context, [{ concurrency: 1 }], async (engine) => {
    const workflow = await engine.call('create', { blocks: BLOCKS })
    const commits: number[] = []
    for (let run = 0; run < 5; run++) commits.push(await engine.call('commitsOfRun', { workflow }))
    return { commitsPerBlock: median(commits) / BLOCKS }
  })
}

/** How long one renewal takes of the leases of 200 runs, which their blocks hold. */
export function measureHeartbeat(context: BenchContext): Promise<{ heartbeat200RunsMs: number }> {
  const count = context.isQuick ? 2 : 10
  context.progress(`heartbeats of ${HELD} runs`)
  return withEngines(context, [{ concurrency: HELD, leaseTtlMs: 3_000 }], async (engine) => {
    const workflow = await engine.call('create', { isHeld: true })
    await engine.call('queue', { workflow, count: HELD })
    await engine.call('holding', HELD)
    const times = await engine.call('heartbeats', { leases: HELD, count })
    context.sample('heartbeat200RunsMs', times)
    return { heartbeat200RunsMs: median(times) }
  })
}

/** What an engine holds in memory for 1,000 runs that wait for a worker. */
export function measureMemory(context: BenchContext): Promise<Record<'memoryOf1000WaitingRunsMb' | 'rssOf1000WaitingRunsMb', number>> {
  const count = context.isQuick ? 100 : WAITING
  context.progress(`memory of ${count} waiting runs`)
  return withEngines(context, [{ concurrency: 1 }], async (engine) => {
    const workflow = await engine.call('create', { isHeld: true })
    await engine.call('queue', { workflow, count: 100 }) // what is made once is there; all but the first of them wait
    const before = await engine.call('memory', undefined as never)
    await engine.call('queue', { workflow, count })
    const after = await engine.call('memory', undefined as never)
    const grown = (kind: 'heap' | 'rss') => ((after[kind] - before[kind]) / MB) * (WAITING / count)
    return { memoryOf1000WaitingRunsMb: grown('heap'), rssOf1000WaitingRunsMb: grown('rss') }
  })
}
