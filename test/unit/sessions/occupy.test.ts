import { describe, expect, it } from 'vitest'
import { createWorld, failure, RUN_1, RUN_2, reasonCode, row, startPool, types } from './kit.js'

describe('occupying a session', () => {
  it('gives the lease, records the holder and says so', async () => {
    const { pool, storage, events } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    expect(lease.fence).toBe(1)
    expect(lease.session).toMatchObject({ ...RUN_1, uses: 1, leaseHolder: pool.hostId })
    expect(lease.session).not.toHaveProperty('leaseToken')
    expect(await row(storage, browserSessionId)).toMatchObject({ leaseToken: lease.token, leaseFence: 1 })
    expect(types(events)).toEqual(['session.created', 'session.started', 'session.occupied'])
    expect(events.at(-1)?.payload).toEqual({ browserSessionId, ...RUN_1, leaseFence: 1 })
  })

  it('has exactly one winner among 100 racers on two hosts', async () => {
    const first = await startPool({ hostId: 'host_a' })
    const second = await startPool({ hostId: 'host_b' }, first.world)
    const { browserSessionId } = await first.pool.create()
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) => {
        const pool = index % 2 === 0 ? first.pool : second.pool
        return pool.occupy({ browserSessionId, runnableType: 'workflow_run', runnableId: `wr_${index}` }).catch((error) => error)
      }),
    )
    const codes = outcomes.map((outcome) => outcome.code ?? 'won')
    expect(codes.filter((code) => code === 'won')).toHaveLength(1)
    expect(codes.filter((_, index) => index % 2 === 0 && codes[index] !== 'won')).toEqual(Array(49).fill('SESSION_OCCUPIED'))
    expect(codes.filter((_, index) => index % 2 === 1)).toEqual(Array(50).fill('SESSION_HOST_UNAVAILABLE'))
    expect((await row(first.storage, browserSessionId)).leaseFence).toBe(1)
  })

  it('lets holders follow one another, each with a higher fence', async () => {
    const { pool, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    for (let fence = 1; fence <= 5; fence += 1) {
      const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
      expect(lease.fence).toBe(fence)
      await lease.release()
    }
    expect(await row(storage, browserSessionId)).toMatchObject({ leaseToken: null, runnableId: null, uses: 5, leaseFence: 5 })
  })

  it('names the holder to whom it refuses', async () => {
    const { pool, clock } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    const error = await failure(pool.occupy({ browserSessionId, ...RUN_2 }))
    expect(error).toMatchObject({ code: 'SESSION_OCCUPIED', retryable: true, holder: { ...RUN_1, leaseHolder: pool.hostId } })
    expect(error.since).toEqual(clock.now())
    expect(error.leaseExpiresAt).toEqual(lease.expiresAt)
  })

  it('refuses the holder itself without a request id, and gives it its own lease with the same one', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1, requestId: 'req_1' })
    const again = await pool.occupy({ browserSessionId, ...RUN_1, requestId: 'req_1' })
    expect([again.token, again.fence]).toEqual([lease.token, lease.fence])
    expect(again.signal).toBe(lease.signal)
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_1 }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_2, requestId: 'req_1' }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    await again.release()
    expect(lease.isHeld).toBe(false)
  })

  it('tells what is unknown, foreign, ended and expired apart', async () => {
    const { pool, clock } = await startPool({ reapIntervalMs: 100_000_000 })
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
    const closed = await pool.create()
    await pool.close({ browserSessionId: closed.browserSessionId })
    const code = async (params: object) => (await failure(pool.occupy({ browserSessionId, ...RUN_1, ...params }))).code
    expect(await code({ browserSessionId: 'bs_none' })).toBe('SESSION_NOT_FOUND')
    expect(await code({ organizationId: 'other' })).toBe('SESSION_NOT_FOUND')
    expect(await code({ browserSessionId: closed.browserSessionId })).toBe('SESSION_ENDED')
    await clock.advance(5 * 60_000)
    expect(await code({})).toBe('SESSION_EXPIRED')
  })

  it('waits for a session that is being launched', async () => {
    const { pool, driver, clock, storage } = await startPool()
    driver.scriptLaunch({ delayMs: 500 })
    const creating = pool.create()
    await untilRows(storage)
    const [created] = await pool.list()
    const occupying = pool.occupy({ browserSessionId: created?.browserSessionId ?? '', ...RUN_1 })
    while (driver.pendingLaunches === 0) await clock.advance(0)
    await clock.advance(500)
    await creating
    expect((await occupying).fence).toBe(1)
  })

  it('is born occupied when it is made for somebody', async () => {
    const { pool, events } = await startPool()
    const lease = await pool.createOccupied({ private: true, runnable: RUN_1 })
    expect(lease.session).toMatchObject({ private: true, status: 'running', ...RUN_1, leaseFence: 1, uses: 1 })
    expect(types(events)).toEqual(['session.created', 'session.started', 'session.occupied'])
    expect(await failure(pool.occupy({ browserSessionId: lease.browserSessionId, ...RUN_2 }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
    expect(await pool.list()).toEqual([])
    expect(await pool.list({ includePrivate: true })).toHaveLength(1)
    await lease.release()
    expect((await pool.occupy({ browserSessionId: lease.browserSessionId, ...RUN_2 })).fence).toBe(2)
  })

  it('gives a lease back that was aborted while it was written', async () => {
    const { pool, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const abort = new AbortController()
    const occupying = pool.occupy({ browserSessionId, ...RUN_1, signal: abort.signal })
    abort.abort(new Error('no longer wanted'))
    expect(await failure(occupying)).toMatchObject({ message: 'no longer wanted' })
    expect((await row(storage, browserSessionId)).leaseToken).toBeNull()
  })
})

describe('releasing a session', () => {
  it('is idempotent and never aborts the signal', async () => {
    const { pool, events, driver } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await lease.release()
    await lease.release()
    await pool.release(lease)
    await lease[Symbol.asyncDispose]()
    driver.handleOf(browserSessionId)?.crash()
    expect(lease.signal.aborted).toBe(false)
    expect(types(events).filter((type) => type === 'session.released')).toHaveLength(1)
  })

  it('refuses a stale fence and changes nothing', async () => {
    const { pool, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    const stolen = { leaseToken: 'somebody else', leaseFence: 2, runnableId: 'wr_9' }
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, where: {}, set: stolen }])
    expect(await failure(lease.release())).toMatchObject({ code: 'STALE_LEASE' })
    expect(reasonCode(lease)).toBe('LEASE_LOST')
    expect(await row(storage, browserSessionId)).toMatchObject(stolen)
    await lease.release() // it is known to be lost: nothing to give back
  })

  it('refuses the renewal of a stale fence', async () => {
    const { pool, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, where: {}, set: { leaseFence: 2 } }])
    expect(await failure(lease.renew())).toMatchObject({ code: 'STALE_LEASE' })
    expect(reasonCode(lease)).toBe('LEASE_LOST')
  })

  it.each([
    ['tainted', 'completed', 'tainted'],
    ['broken', 'failed', 'probe_failed'],
  ] as const)('closes a %s session', async (outcome, status, closeReason) => {
    const { pool, driver } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await lease.release({ outcome })
    expect(await pool.get({ browserSessionId })).toMatchObject({ status, closeReason })
    expect([driver.liveHandles, lease.signal.aborted]).toEqual([0, false])
  })
})

describe('a release inside a commit of the caller', () => {
  it('frees the session with that commit', async () => {
    const { pool, storage, events } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    const result = await storage.commit(lease.releaseWrites())
    lease.markReleased(result.ok, result.ok ? result.events.flat() : [])
    expect(await row(storage, browserSessionId)).toMatchObject({ leaseToken: null, runnableId: null })
    expect([lease.isHeld, lease.signal.aborted, types(events).at(-1)]).toEqual([false, false, 'session.released'])
    expect(lease.releaseWrites()).toEqual([])
    expect((await pool.occupy({ browserSessionId, ...RUN_2 })).fence).toBe(2)
  })

  it('does not abort while it is being written, not even by a heartbeat that comes after it', async () => {
    const { pool, storage, clock } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    await storage.commit(lease.releaseWrites())
    await clock.advance(20_000)
    expect(lease.signal.aborted).toBe(false)
    lease.markReleased(true)
    expect([lease.signal.aborted, lease.isHeld]).toEqual([false, false])
  })

  it('goes on holding when that commit did not happen, and hears then of what it missed', async () => {
    const { pool, driver, clock, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1 })
    lease.releaseWrites()
    await clock.advance(60_000)
    lease.markReleased(false)
    expect([lease.isHeld, (await row(storage, browserSessionId)).leaseToken]).toEqual([true, lease.token])
    const writes = lease.releaseWrites()
    driver.handleOf(browserSessionId)?.crash()
    expect(lease.signal.aborted).toBe(false)
    await clock.advance(0)
    const result = await storage.commit(writes)
    lease.markReleased(result.ok)
    expect([result.ok, reasonCode(lease)]).toEqual([false, 'SESSION_LOST'])
    expect(lease.releaseWrites()).toEqual([])
  })
})

describe('organisations', () => {
  it('do not see each other', async () => {
    const { pool } = await startPool({}, createWorld())
    const acme = pool.forOrganization('acme')
    const other = pool.forOrganization('other')
    const { browserSessionId } = await acme.create()
    expect(await other.list()).toEqual([])
    for (const work of [
      other.get(browserSessionId),
      other.renew({ browserSessionId }),
      other.close({ browserSessionId, force: true }),
      other.occupy({ browserSessionId, ...RUN_1 }),
      other.events({ browserSessionId }).next(),
    ]) {
      expect(await failure(work)).toMatchObject({ code: 'SESSION_NOT_FOUND' })
    }
    expect(await acme.get(browserSessionId)).toMatchObject({ status: 'running' })
  })

  it('must be named', async () => {
    const { pool } = await startPool({ organizationId: undefined })
    expect(await failure(pool.create())).toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: 'organizationId' } })
  })
})

async function untilRows(storage: { count(table: 'browser_sessions'): Promise<number> }) {
  while ((await storage.count('browser_sessions')) === 0) await new Promise((resolve) => setImmediate(resolve))
}
