import type { BenchContext, Measured } from '../lib/area.js'
import { interleave } from '../lib/rates.js'
import { median } from '../lib/statistics.js'
import { Worker } from '../lib/worker.js'
import type { PeersWorker } from './peers-worker.js'
import type { PoolWorker } from './pool-worker.js'

interface Sides {
  readonly ours: Worker<PoolWorker>
  readonly peers: Worker<PeersWorker>
}

const CLUSTER_CLIENTS = 8
const LAUNCHES = { count: 8, launchMs: 500 }

/** The pool in memory beside its peers, each in a process of its own, all on browsers without a process. */
export async function measureMemory(context: BenchContext): Promise<Required<Measured>> {
  const sides: Sides = {
    ours: new Worker<PoolWorker>(new URL('./pool-worker.ts', import.meta.url)),
    peers: new Worker<PeersWorker>(new URL('./peers-worker.ts', import.meta.url)),
  }
  try {
    const pairs = await measurePairs(context, sides)
    const launches = await measureLaunches(context, sides)
    const crashes = await measureCrashes(context, sides)
    return { figures: { ...pairs, ...launches.figures, ...crashes.figures }, details: { ...launches.details, ...crashes.details } }
  } finally {
    await Promise.all([sides.ours.end(), sides.peers.end()])
  }
}

async function measurePairs(context: BenchContext, { ours, peers }: Sides): Promise<Record<string, number>> {
  context.progress('occupy and release in memory, beside the peers')
  const [rounds, ms] = context.isQuick ? [1, 100] : [7, 1_000]
  const p50s: number[] = []
  const measured = await interleave(rounds, {
    async pool() {
      const { perSec, p50Us } = await ours.call('poolPairs', ms)
      p50s.push(p50Us)
      return perSec
    },
    crawlee: () => peers.call('crawleePages', ms),
    cluster: () => peers.call('clusterJobs', { ms, clients: CLUSTER_CLIENTS }),
  })
  const p50Us = p50s.slice(1) // the first round warms up
  for (const [name, rates] of Object.entries(measured)) context.sample(`${name}, a second`, rates)
  context.sample('occupyReleaseP50Us', p50Us)
  return {
    occupyReleaseP50Us: median(p50Us),
    occupyReleasePerSec: median(measured.pool),
    crawleeNewPagePerSec: median(measured.crawlee),
    clusterJobsPerSec: median(measured.cluster),
  }
}

async function measureLaunches(context: BenchContext, { ours, peers }: Sides): Promise<Required<Measured>> {
  context.progress('eight launches of 500 ms')
  const rounds = context.isQuick ? 1 : 3
  const measured = await interleave(rounds, {
    pool: () => ours.call('poolLaunches', LAUNCHES),
    crawlee: () => peers.call('crawleeLaunches', LAUNCHES),
    cluster: () => peers.call('clusterLaunches', LAUNCHES),
  })
  for (const [name, ms] of Object.entries(measured)) context.sample(`launch8x500Ms, ${name}`, ms)
  return {
    figures: { launch8x500Ms: median(measured.pool), crawleeLaunch8x500Ms: median(measured.crawlee) },
    details: { clusterLaunch8x500Ms: median(measured.cluster) },
  }
}

async function measureCrashes(context: BenchContext, { ours, peers }: Sides): Promise<Required<Measured>> {
  context.progress('callers after a crash and a failed relaunch')
  const params = { rounds: context.isQuick ? 2 : 20, callers: 8 }
  const innocentsFailed = await ours.call('poolInnocents', params)
  const crawleeInnocentsFailed = await peers.call('crawleeInnocents', params)
  const clusterAnswers = await peers.call('clusterAnswers', undefined as never)
  return {
    figures: { innocentsFailed, crawleeInnocentsFailed },
    details: { clusterAnswersAfterFailedRelaunch: clusterAnswers ? 1 : 0 },
  }
}
