import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from 'puppeteer-cluster'
import { rate } from '../lib/rates.js'
import { timedMs } from '../lib/timed.js'
import { FakeChromeLauncher } from './fake-chrome.js'

interface ClusterParams {
  readonly launcher: FakeChromeLauncher
  readonly maxConcurrency: number
  /** A browser for each worker, instead of one for all. @default false */
  readonly ownBrowsers?: boolean
}

/** Its own ways to run browsers, over a `puppeteer` that launches nothing. */
async function withCluster<T>(params: ClusterParams, work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const { launcher, maxConcurrency, ownBrowsers = false } = params
  const cluster = await Cluster.launch({
    concurrency: ownBrowsers ? Cluster.CONCURRENCY_BROWSER : Cluster.CONCURRENCY_CONTEXT,
    maxConcurrency,
    puppeteer: { launch: () => launcher.launch() },
  })
  try {
    return await work(cluster)
  } finally {
    await cluster.close()
  }
}

/** Empty jobs a second, by `clients` at once, each waiting for its job. */
export function clusterJobs({ ms, clients }: { readonly ms: number; readonly clients: number }): Promise<number> {
  return withCluster({ launcher: new FakeChromeLauncher(), maxConcurrency: clients }, async (cluster) => {
    const once = () => cluster.execute(async () => {})
    await Promise.all(Array.from({ length: clients }, once)) // its workers are up from here on
    return rate({ clients, ms, work: once })
  })
}

/** How long `count` callers at once wait for a job in a browser of their own to begin. */
export function clusterLaunches({ count, launchMs }: { readonly count: number; readonly launchMs: number }): Promise<number> {
  return withCluster({ launcher: new FakeChromeLauncher(launchMs), maxConcurrency: count, ownBrowsers: true }, (cluster) => {
    let begun = 0
    let allBegun: () => void = () => {}
    const all = new Promise<void>((resolve) => {
      allBegun = resolve
    })
    const hold = () => {
      if (++begun === count) allBegun()
      return all
    }
    return timedMs(() => Promise.all(Array.from({ length: count }, () => cluster.execute(hold))))
  })
}

const ANSWER_MS = 3_000

/** Whether a job is still done after the browser crashed and its relaunch failed once; every later launch would succeed. */
export async function clusterAnswers(): Promise<boolean> {
  // the failed relaunch is a rejection that nobody handles: it would end this process
  process.on('unhandledRejection', () => {})
  const launcher = new FakeChromeLauncher()
  return withCluster({ launcher, maxConcurrency: 2 }, async (cluster) => {
    const answer = () => cluster.execute(async () => 'done')
    await answer()
    launcher.failNext = true
    launcher.chromes[0]?.crash()
    answer().catch(() => {}) // it is this one that finds out
    await sleep(200)
    const later = Promise.allSettled(Array.from({ length: 4 }, answer))
    const outcome = await Promise.race([later, sleep(ANSWER_MS, null, { ref: false })])
    return outcome?.some(({ status }) => status === 'fulfilled') ?? false
  })
}
