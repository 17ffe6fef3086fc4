import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrowserLaunchError, MemoryStorage, SessionPool, type SessionPoolOptions } from 'runwright'
import { FakeBrowserDriver, type FakeLaunch } from 'runwright/testing'
import { rate } from '../lib/rates.js'
import { median } from '../lib/statistics.js'
import { timedMs } from '../lib/timed.js'

const US = 1_000
export const RUN = { runnableType: 'workflow_run', runnableId: 'wr_bench' }

/** A pool in memory on scripted browsers, for one piece of work. */
export async function withFakePool<T>(
  options: Partial<SessionPoolOptions> & { readonly launch?: FakeLaunch },
  work: (pool: SessionPool, driver: FakeBrowserDriver) => Promise<T>,
): Promise<T> {
  const { launch, ...poolOptions } = options
  const driver = new FakeBrowserDriver(launch === undefined ? {} : { launch })
  const baseDirectory = await mkdtemp(join(tmpdir(), 'runwright-bench-'))
  const pool = new SessionPool({ storage: new MemoryStorage(), driver, organizationId: 'org_bench', baseDirectory, ...poolOptions })
  try {
    await pool.start()
    return await work(pool, driver)
  } finally {
    await pool.stop()
    await rm(baseDirectory, { recursive: true, force: true })
  }
}

/** Occupy and release of one session, one after another: how many a second, and the median of how long one took. */
export function poolPairs(ms: number): Promise<{ readonly perSec: number; readonly p50Us: number }> {
  return withFakePool({}, async (pool) => {
    const { browserSessionId } = await pool.create()
    const times: number[] = []
    const once = async () => {
      const startedAt = performance.now()
      const lease = await pool.occupy({ browserSessionId, ...RUN })
      await lease.release()
      times.push((performance.now() - startedAt) * US)
    }
    const perSec = await rate({ clients: 1, ms, work: once })
    return { perSec, p50Us: median(times) }
  })
}

/** How long `count` callers at once wait for a session of their own. */
export function poolLaunches({ count, launchMs }: { readonly count: number; readonly launchMs: number }): Promise<number> {
  return withFakePool({ launch: { delayMs: launchMs }, maxSessions: count }, (pool) =>
    timedMs(() => Promise.all(Array.from({ length: count }, () => pool.acquire(RUN)))),
  )
}

/**
 * In each round a browser crashes while it is held, its relaunch fails, and callers ask in the same tick. Counts the callers that failed,
 * and whose own launch it was not that failed; the bystander, who holds another session all the time, is one of them.
 */
export async function poolInnocents({ rounds, callers }: { readonly rounds: number; readonly callers: number }): Promise<number> {
  let failed = 0
  for (let round = 0; round < rounds; round++) {
    failed += await withFakePool({ maxSessions: callers + 2 }, async (pool, driver) => {
      const spec = { onBrowserLost: 'relaunch' } as const
      const bystander = await pool.acquire({ ...RUN, spec })
      const victim = await pool.acquire({ ...RUN, spec })
      driver.scriptLaunch({ fails: 'crashed' })
      driver.handleOf(victim.browserSessionId)?.crash()
      if (!victim.signal.aborted) throw new Error('The holder was not told of the crash')
      const call = async () => {
        const lease = await pool.acquire({ ...RUN, spec })
        await lease.page()
        if (driver.handleOf(lease.browserSessionId)?.isAlive !== true) throw new Error('It was handed a dead browser')
        await lease.release()
      }
      const outcomes = await Promise.allSettled(Array.from({ length: callers }, call))
      const isInnocent = (reason: unknown) => !BrowserLaunchError.is(reason)
      const innocents = outcomes.filter((outcome) => outcome.status === 'rejected' && isInnocent(outcome.reason)).length
      return innocents + (bystander.signal.aborted ? 1 : 0)
    })
  }
  return failed
}
