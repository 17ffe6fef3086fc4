import { describe, expect, it } from 'vitest'
import type { SessionPool } from '../../../src/sessions/index.js'
import { limitReached } from '../../../src/sessions/recycling.js'
import { failure, RUN_1, RUN_2, row, startPool } from './kit.js'

const MB = 2 ** 20
const MINUTE = 60_000

async function use(pool: SessionPool, browserSessionId: string, times: number): Promise<void> {
  for (let index = 0; index < times; index += 1) {
    const lease = await pool.occupy({ browserSessionId, runnableType: 'workflow_run', runnableId: `wr_${index}` })
    await lease.release()
  }
}

describe('a limit', () => {
  const wear = { uses: 3, ageMs: 10 * MINUTE, memoryBytes: 500 * MB }
  it.each([
    [{}, null],
    [undefined, null],
    [{ maxUses: 3 }, 'uses'],
    [{ maxUses: 4 }, null],
    [{ maxAgeMinutes: 10 }, 'age'],
    [{ maxAgeMinutes: 10.1 }, null],
    [{ maxMemoryMb: 499 }, 'memory'],
    [{ maxMemoryMb: 500 }, null],
  ] as const)('%o is reached by: %s', (limits, reached) => {
    expect(limitReached(limits, wear)).toBe(reached)
  })

  it('of memory is not reached by what nobody measured', () => {
    expect(limitReached({ maxMemoryMb: 1 }, { ...wear, memoryBytes: null })).toBeNull()
  })
})

describe('a worn context', () => {
  it('is replaced between two leases, and the session goes on', async () => {
    const { pool, driver } = await startPool({ recycle: { context: { maxUses: 3 } } })
    const { browserSessionId } = await pool.create()
    driver.handles[0]?.openPage('https://shop.test/')
    await use(pool, browserSessionId, 3)
    expect(driver.handles[0]?.sanitized).toEqual([])
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    expect(driver.handles[0]?.sanitized).toEqual([{ cookies: false, storage: false, tabs: true, caches: true }])
    expect(lease.pages().map((page) => page.url())).toEqual(['about:blank'])
    await lease.release()
    await use(pool, browserSessionId, 6)
    expect([driver.handles[0]?.calls.sanitize, driver.handles.length]).toEqual([3, 1])
  })

  it('is replaced by age and by memory as well', async () => {
    const { pool, driver, clock } = await startPool({ recycle: { context: { maxAgeMinutes: 10, maxMemoryMb: 100 } } })
    const { browserSessionId } = await pool.create({ timeoutMinutes: 600 })
    await use(pool, browserSessionId, 2)
    expect(driver.handles[0]?.calls.sanitize).toBe(0)
    await clock.advance(10 * MINUTE)
    await use(pool, browserSessionId, 2)
    expect(driver.handles[0]?.calls.sanitize).toBe(1)
    if (driver.handles[0] !== undefined) driver.handles[0].memoryBytes = 101 * MB
    await use(pool, browserSessionId, 2) // the first of them measures
    expect(driver.handles[0]?.calls.sanitize).toBe(2)
  })

  it('that cannot be replaced ends the session, and nobody gets it', async () => {
    const { pool, driver, clock, storage } = await startPool({ recycle: { context: { maxUses: 1 } }, sanitizeTimeoutMs: 1_000 })
    const { browserSessionId } = await pool.create()
    await use(pool, browserSessionId, 1)
    driver.handles[0]?.hang('sanitize')
    const occupying = failure(pool.occupy({ browserSessionId, ...RUN_1 }))
    await clock.advance(1_500)
    expect(await occupying).toMatchObject({ code: 'SESSION_RETIRED' })
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'max_uses', leaseToken: null })
    expect(driver.liveHandles).toBe(0)
  })
})

describe('a worn browser', () => {
  it('ends with the lease that wears it out, also under continuous load', async () => {
    const { pool, clock, storage } = await startPool({ recycle: { browser: { maxUses: 2 } } })
    const { browserSessionId } = await pool.create()
    await use(pool, browserSessionId, 1)
    const last = await pool.occupy({ browserSessionId, ...RUN_1 })
    const releasing = last.release()
    const next = failure(pool.occupy({ browserSessionId, ...RUN_2 }))
    await releasing
    const again = failure(pool.occupy({ browserSessionId, ...RUN_2 }))
    expect((await next).code).toMatch(/^SESSION_(RETIRED|ENDED|OCCUPIED)$/)
    expect((await again).code).toMatch(/^SESSION_(RETIRED|ENDED)$/)
    await clock.advance(0)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'max_uses' })
  })

  it('ends by age, free or held, and never under a holder', async () => {
    const { pool, clock, storage } = await startPool({ recycle: { browser: { maxAgeMinutes: 10 } } })
    const free = await pool.create()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    await clock.advance(10 * MINUTE + 6_000)
    expect(await row(storage, free.browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'max_age' })
    expect(lease.isHeld).toBe(true)
    const result = await storage.commit(lease.releaseWrites())
    lease.markReleased(result.ok)
    await clock.advance(0)
    expect((await row(storage, lease.browserSessionId)).closeReason).toBe('max_age')
  })

  it('gives memory back by its context first, and ends only if that is not enough', async () => {
    const { pool, driver, storage } = await startPool({ recycle: { browser: { maxMemoryMb: 100 } } })
    const { browserSessionId } = await pool.create()
    const handle = driver.handles[0]
    if (handle === undefined) throw new Error('no browser')
    handle.memoryBytes = 200 * MB
    await use(pool, browserSessionId, 1)
    const sanitize = handle.sanitize.bind(handle)
    handle.sanitize = async (params, options) => {
      handle.memoryBytes = 50 * MB
      return sanitize(params, options)
    }
    await use(pool, browserSessionId, 1)
    expect([handle.calls.sanitize, handle.isAlive]).toEqual([1, true])
    handle.sanitize = sanitize
    handle.memoryBytes = 200 * MB
    await use(pool, browserSessionId, 1)
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_1 }))).toMatchObject({ code: 'SESSION_RETIRED' })
    expect((await row(storage, browserSessionId)).closeReason).toBe('max_uses')
  })
})
