import { describe, expect, it, vi } from 'vitest'
import type { SessionPool } from '../../../src/sessions/index.js'
import { LeaseRecord } from '../../../src/sessions/lease-record.js'
import { SessionLease } from '../../../src/sessions/session-lease.js'
import { Waiter } from '../../../src/sessions/waiter.js'
import type { FakeBrowserDriver } from '../../../src/testing/index.js'
import { heapAfterCollection, reachable } from '../../support/memory.js'
import { airFolders } from '../../support/session-model/air-folders.js'
import { startPool } from './kit.js'

vi.mock('../../../src/sessions/session-directory.js', async (original) =>
  (await import('../../support/session-model/air-folders.js')).onAir(await original()),
)

const WAVES = 10
const PER_WAVE = 20
const KB = 2 ** 10

/** How each session of a wave ends, in turn. */
const ENDS: readonly ((pool: SessionPool, driver: FakeBrowserDriver, lease: SessionLease) => Promise<unknown>)[] = [
  (_pool, _driver, lease) => lease.release({ outcome: 'tainted' }),
  (pool, _driver, lease) => pool.close({ browserSessionId: lease.browserSessionId, lease }),
  (pool, _driver, lease) => pool.close({ browserSessionId: lease.browserSessionId, force: true }),
  async (_pool, driver, lease) => driver.handleOf(lease.browserSessionId)?.crash(),
  async (pool, _driver, lease) => {
    await pool.retire({ browserSessionId: lease.browserSessionId })
    await lease.release({ sanitize: { tabs: true } })
  },
]

describe('a pool through waves of sessions', () => {
  it('keeps nothing of those that have ended', async () => {
    const { pool, driver, clock, events, baseDirectory } = await startPool({ maxSessions: 8, maxQueue: PER_WAVE })
    const timers = clock.pendingTimers
    const wave = async (number: number) => {
      let served = 0
      const visit = async (visitor: number) => {
        const lease = await pool.acquire({ runnableType: 'test', runnableId: `t_${number}_${visitor}`, affinityKey: `k${visitor % 3}` })
        served += 1
        await ENDS[visitor % ENDS.length]?.(pool, driver, lease)
      }
      const visits = Promise.all(Array.from({ length: PER_WAVE }, (_, visitor) => visit(visitor)))
      while (served < PER_WAVE) await clock.advance(0)
      await visits
      const isBusy = () => pool.stats().running + pool.stats().ending > 0 || airFolders(baseDirectory).length > 0
      while (isBusy()) await clock.advance(0)
    }
    await wave(0)
    const before = heapAfterCollection()
    const handles = driver.handles.length
    for (let number = 1; number <= WAVES; number += 1) {
      await wave(number)
      expect(clock.pendingTimers - timers).toBeLessThanOrEqual(2) // the line's next look, the end of the last lease
      expect([driver.liveHandles, driver.handles.filter(({ listenerCount }) => listenerCount > 0)]).toEqual([0, []])
    }
    await clock.advance(35_000)
    expect(clock.pendingTimers).toBe(timers)
    expect(driver.handles.length - handles).toBe(WAVES * PER_WAVE)
    expect(pool.stats()).toMatchObject({ running: 0, held: 0, starting: 0, ending: 0, warm: 0, warming: 0, waiting: 0 })
    events.length = 0
    expect([reachable(LeaseRecord), reachable(SessionLease), reachable(Waiter)]).toEqual([0, 0, 0])
    // rows, events and the fakes themselves stay: that is what they are for
    const grownBy = (heapAfterCollection() - before) / (WAVES * PER_WAVE)
    console.info(`${(grownBy / KB).toFixed(1)} kB a session stay, rows and events included`)
    expect(grownBy).toBeLessThan(100 * KB)
  })
})
