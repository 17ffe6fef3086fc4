import { describe, expect, it } from 'vitest'
import { failure, RUN_1, RUN_2, row, startPool } from './kit.js'

const ALL = { cookies: true, storage: true, tabs: true }

describe('a session that is released with `sanitize`', () => {
  it('is sanitised before the next holder gets it', async () => {
    const { pool, driver } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    driver.handles[0]?.openPage('https://shop.test/')
    await lease.release({ sanitize: ALL })
    expect(driver.handles[0]?.sanitized).toEqual([{ ...ALL, caches: false }])
    const next = await pool.occupy({ browserSessionId, ...RUN_2 })
    expect(next.pages().map((page) => page.url())).toEqual(['about:blank'])
  })

  it('is its holder’s until that is done', async () => {
    const { pool, driver, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    driver.handles[0]?.hang('sanitize')
    const releasing = lease.release({ sanitize: { cookies: true } })
    const again = lease.release()
    expect(lease.releaseWrites()).toEqual([])
    await clock.advance(5_000)
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_2 }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    expect((await row(storage, browserSessionId)).leaseToken).toBe(lease.token)
    await clock.advance(6_000)
    await Promise.all([releasing, again])
    expect(lease.isHeld).toBe(false)
  })

  it('and cannot be sanitised is tainted: it never goes back into use', async () => {
    const { pool, driver, clock, storage } = await startPool({ sanitizeTimeoutMs: 1_000 })
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    driver.handles[0]?.hang('sanitize')
    const releasing = lease.release({ sanitize: { tabs: true } })
    await clock.advance(1_500)
    await releasing
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'tainted' })
    expect([lease.signal.aborted, driver.liveHandles]).toEqual([false, 0])
  })

  it('and whose lease is lost meanwhile is tainted, too', async () => {
    const { pool, driver, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    driver.handles[0]?.hang('sanitize')
    const releasing = lease.release({ sanitize: { storage: true } })
    await pool.forceRelease({ browserSessionId })
    expect((await failure(pool.occupy({ browserSessionId, ...RUN_2 }))).code).toMatch(/^SESSION_(RETIRED|ENDED)$/)
    await clock.advance(11_000)
    await releasing
    expect(await row(storage, browserSessionId)).toMatchObject({ closeReason: 'tainted' })
    expect(driver.liveHandles).toBe(0)
  })

  it('with nothing to take away is not touched', async () => {
    const { pool, driver } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    await lease.release({ sanitize: {} })
    expect(driver.handles[0]?.calls.sanitize).toBe(0)
    expect((await pool.occupy({ browserSessionId: lease.browserSessionId, ...RUN_2 })).isHeld).toBe(true)
  })
})

describe('a session that is released as tainted or broken', () => {
  it('never goes back into use, whatever else is asked', async () => {
    for (const [outcome, closeReason] of [
      ['tainted', 'tainted'],
      ['broken', 'probe_failed'],
    ] as const) {
      const { pool, driver, storage } = await startPool()
      const lease = await pool.createOccupied({ runnable: RUN_1 })
      await pool.release(lease, { outcome, sanitize: ALL })
      expect((await row(storage, lease.browserSessionId)).closeReason).toBe(closeReason)
      expect([driver.handles[0]?.calls.sanitize, driver.liveHandles]).toEqual([0, 0])
    }
  })
})
