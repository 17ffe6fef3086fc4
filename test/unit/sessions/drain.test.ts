import { describe, expect, it } from 'vitest'
import { failure, RUN_1, RUN_2, reasonCode, row, startPool, types } from './kit.js'

describe('retiring a session', () => {
  it('ends it at once when nobody holds it', async () => {
    const { pool, events, driver } = await startPool()
    const { browserSessionId } = await pool.create()
    expect(await pool.retire({ browserSessionId })).toMatchObject({ status: 'completed', closeReason: 'drained' })
    expect([types(events).slice(-2), driver.liveHandles]).toEqual([['session.retired', 'session.closed'], 0])
    expect(await pool.retire({ browserSessionId })).toMatchObject({ status: 'completed' })
    expect(types(events).filter((type) => type === 'session.retired')).toHaveLength(1)
  })

  it('lets its lease finish, takes no new holder, and ends it then', async () => {
    const { pool, clock, storage } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const { browserSessionId } = lease
    expect(await pool.retire({ browserSessionId })).toMatchObject({ status: 'running', retiredAt: clock.now() })
    await clock.advance(60_000)
    expect(lease.isHeld).toBe(true)
    const waiting = { browserSessionId, ...RUN_2, wait: { timeoutMs: 10_000 } }
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_2 }))).toMatchObject({ code: 'SESSION_RETIRED' })
    expect(await failure(pool.occupy(waiting))).toMatchObject({ code: 'SESSION_RETIRED' })
    const releasing = lease.release()
    const late = failure(pool.occupy({ browserSessionId, ...RUN_2 }))
    await releasing
    expect((await late).code).toMatch(/^SESSION_(RETIRED|ENDED)$/)
    await clock.advance(0)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'drained' })
  })

  it('is heard of at once by those that stand in line for it', async () => {
    const { pool, clock } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const { browserSessionId } = lease
    const waiting = failure(pool.occupy({ browserSessionId, ...RUN_2, wait: { timeoutMs: 60_000 } }))
    await clock.advance(0)
    expect(pool.stats().waiting).toBe(1)
    const beganAt = clock.now()
    await pool.retire({ browserSessionId })
    expect([(await waiting).code, clock.now(), pool.stats().waiting, lease.isHeld]).toEqual(['SESSION_RETIRED', beganAt, 0, true])
  })

  it('also when the lease ends in a commit of the holder’s own', async () => {
    const { pool, clock, storage } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    await pool.retire({ browserSessionId: lease.browserSessionId })
    const result = await storage.commit(lease.releaseWrites())
    lease.markReleased(result.ok)
    await clock.advance(0)
    expect(await row(storage, lease.browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'drained' })
  })

  it('of another host is done there, with the lease or by the reaper', async () => {
    const first = await startPool({ hostId: 'host_a' })
    const second = await startPool({ hostId: 'host_b' }, first.world)
    const lease = await first.pool.createOccupied({ runnable: RUN_1 })
    const { browserSessionId } = await first.pool.create()
    for (const id of [lease.browserSessionId, browserSessionId]) await second.pool.retire({ browserSessionId: id })
    await lease.release()
    await first.clock.advance(12_000)
    expect(await row(first.storage, lease.browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'drained' })
    expect(await row(first.storage, browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'drained' })
    while (first.pool.stats().ending > 0 || first.directories().length > 0) await first.clock.advance(0)
    expect(first.driver.liveHandles).toBe(0)
  })

  it('of nobody’s is refused', async () => {
    const { pool } = await startPool()
    expect(await failure(pool.retire({ browserSessionId: 'bs_none' }))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })
})

describe('draining a host', () => {
  it('gives out nothing more, lets leases finish, and leaves nothing', async () => {
    const { pool, clock, driver, directories } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const draining = pool.drain({ timeoutMs: 60_000 })
    for (const refused of [pool.create(), pool.createOccupied({ runnable: RUN_2 }), pool.occupy({ browserSessionId, ...RUN_2 })]) {
      expect(await failure(refused)).toMatchObject({ code: 'POOL_DRAINING', retryable: true })
    }
    await clock.advance(30_000)
    expect([lease.isHeld, driver.liveHandles]).toEqual([true, 1])
    await lease.release()
    expect(await draining).toEqual({ closed: 2, aborted: 0 })
    expect([driver.liveHandles, directories(), pool.stats().running]).toEqual([0, [], 0])
  })

  it('aborts what is held after its time', async () => {
    const { pool, clock, driver, storage } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const draining = pool.drain({ timeoutMs: 20_000 })
    await clock.advance(19_999)
    expect(lease.signal.aborted).toBe(false)
    await clock.advance(1)
    expect(await draining).toEqual({ closed: 1, aborted: 1 })
    expect([reasonCode(lease), driver.liveHandles]).toEqual(['LEASE_LOST', 0])
    expect(await row(storage, lease.browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'drained' })
  })

  it('takes a launch in progress with it', async () => {
    const { pool, clock, driver } = await startPool()
    driver.scriptLaunch({ delayMs: 5_000 })
    const creating = pool.create()
    while (driver.pendingLaunches === 0) await new Promise((resolve) => setImmediate(resolve))
    const draining = pool.drain({ timeoutMs: 60_000 })
    await clock.advance(5_000)
    await creating.catch(() => {}) // it may end either way
    await draining
    expect([driver.liveHandles, driver.pendingLaunches, pool.stats().running]).toEqual([0, 0, 0])
  })

  it('is of this host only, ends early with its signal, and is over after stop and start', async () => {
    const first = await startPool({ hostId: 'host_a' })
    const second = await startPool({ hostId: 'host_b' }, first.world)
    const other = await second.pool.create()
    const lease = await first.pool.createOccupied({ runnable: RUN_1 })
    const controller = new AbortController()
    const draining = first.pool.drain({ timeoutMs: 1_000_000, signal: controller.signal })
    await first.clock.advance(1_000)
    controller.abort()
    expect(await draining).toEqual({ closed: 1, aborted: 1 })
    expect([lease.isHeld, (await row(first.storage, other.browserSessionId)).status]).toEqual([false, 'running'])
    await first.pool.stop()
    await first.pool.start()
    expect(await first.pool.create()).toMatchObject({ status: 'running' })
  })
})

describe('closing all sessions of an organisation', () => {
  it('spares those of others, and new ones', async () => {
    const { pool, clock, storage } = await startPool()
    const mine = [await pool.create(), await pool.create()]
    const other = await pool.create({ organizationId: 'other' })
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const closing = pool.closeAll({ timeoutMs: 5_000 })
    const fresh = await pool.create({ organizationId: 'third' })
    while (pool.stats().running > 3) await clock.advance(0)
    await clock.advance(5_000)
    expect(await closing).toEqual({ closed: 3, aborted: 1 })
    expect(reasonCode(lease)).toBe('LEASE_LOST')
    for (const { browserSessionId } of mine) expect((await row(storage, browserSessionId)).closeReason).toBe('drained')
    for (const { browserSessionId } of [other, fresh]) expect((await row(storage, browserSessionId)).status).toBe('running')
    expect(await pool.forOrganization('other').closeAll()).toEqual({ closed: 1, aborted: 0 })
  })
})
