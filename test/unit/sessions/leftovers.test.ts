import { describe, expect, it } from 'vitest'
import { failure, RUN_1, startPool } from './kit.js'

describe('a browser that is no session’s and cannot be ended at once', () => {
  it('of a spare keeps its place until it is gone', async () => {
    const { pool, driver, clock, directories } = await startPool({ warm: { min: 1 }, maxSessions: 1 })
    await warmUp(pool, clock)
    const [spare] = driver.handles
    spare?.hang('kill')
    spare?.disconnect()
    await clock.advance(10_000)
    expect([driver.liveHandles, driver.handles.length, pool.stats().warming]).toEqual([1, 1, 1])
    spare?.resume()
    await clock.advance(6_000)
    expect(spare?.isAlive).toBe(false)
    await warmUp(pool, clock)
    expect([driver.liveHandles, driver.handles.length]).toEqual([1, 2])
    await pool.stop()
    while (directories().length > 0) await new Promise(setImmediate)
  })

  it('of a spare that does not answer when it is wanted, too', async () => {
    const { pool, driver, clock } = await startPool({ warm: { min: 1 }, maxSessions: 1 })
    await warmUp(pool, clock)
    driver.handles[0]?.hang('probe', 'kill')
    const refused = failure(pool.createOccupied({ runnable: RUN_1 }))
    await clock.advance(8_000)
    expect([(await refused).code, pool.stats().starting]).toEqual(['POOL_SATURATED', 1])
    driver.handles[0]?.resume()
    await clock.advance(6_000)
    expect(driver.handles[0]?.isAlive).toBe(false)
    while (pool.stats().starting > 0) await new Promise((resolve) => setImmediate(resolve)) // its folder
  })
})

/** Its folder is made on a real disk, for which the clock does not wait. */
async function warmUp(pool: { stats(): { warm: number } }, clock: { advance(ms: number): Promise<void> }): Promise<void> {
  while (pool.stats().warm === 0) {
    await clock.advance(100)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
