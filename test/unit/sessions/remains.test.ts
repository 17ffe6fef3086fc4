import { describe, expect, it } from 'vitest'
import type { FakeClock } from '../../../src/testing/index.js'
import { failure, row, startPool } from './kit.js'

/** What takes time on the fake clock and on a real disk. */
async function within<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let isOver = false
  const over = work.finally(() => {
    isOver = true
  })
  over.catch(() => {})
  while (!isOver) {
    await clock.advance(500)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return over
}

describe('a browser that cannot be ended when its pool stops', () => {
  it('keeps its slot over the next start, which names it, until a start can kill it', async () => {
    const { pool, driver, clock, storage, directories } = await startPool({ maxSessions: 1 })
    const { browserSessionId } = await pool.create()
    const [browser] = driver.handles
    browser?.hang('close', 'kill')
    await within(clock, pool.stop())
    await within(clock, pool.start())
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'shutdown' })
    expect(pool.reconciliation).toMatchObject({ killed: [], failures: [expect.stringContaining(browserSessionId)] })
    expect(pool.stats()).toMatchObject({ running: 0, ending: 1 })
    expect((await failure(pool.create())).code).toBe('POOL_SATURATED')
    expect([driver.handles.length, directories().length]).toEqual([1, 1])

    await within(clock, pool.stop())
    browser?.resume()
    await within(clock, pool.start())
    expect(browser?.isAlive).toBe(false)
    expect(pool.reconciliation).toMatchObject({ killed: [{ browserSessionId, count: 1 }], failures: [] })
    expect(pool.reconciliation?.removedDirectories).toHaveLength(1)
    expect(pool.stats()).toMatchObject({ ending: 0 })
    expect(await pool.create()).toMatchObject({ status: 'running' })
  })

  it('is ended by the reaper as soon as that is possible, and its slot is free then', async () => {
    const { pool, driver, clock } = await startPool({ maxSessions: 1 })
    await pool.create()
    driver.handles[0]?.hang('close', 'kill')
    await within(clock, pool.stop())
    await within(clock, pool.start())
    driver.handles[0]?.resume()
    while (pool.stats().ending > 0) await within(clock, clock.advance(1_000))
    expect(await pool.create()).toMatchObject({ status: 'running' })
    expect(driver.liveHandles).toBe(1)
  })

  it('that was a spare is named too', async () => {
    const { pool, driver, clock } = await startPool({ maxSessions: 1, warm: { min: 1 } })
    while (pool.stats().warm === 0) await within(clock, clock.advance(100))
    driver.handles[0]?.hang('close', 'kill')
    await within(clock, pool.stop())
    await within(clock, pool.start())
    expect(pool.reconciliation?.failures).toHaveLength(1)
    expect((await failure(pool.create())).code).toBe('POOL_SATURATED')
    await within(clock, pool.stop())
    driver.handles[0]?.resume()
    await within(clock, pool.start())
    expect(pool.reconciliation).toMatchObject({ killed: [{ count: 1 }], failures: [] })
  })
})
