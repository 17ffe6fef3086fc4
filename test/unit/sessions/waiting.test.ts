import { describe, expect, it } from 'vitest'
import { createWorld, failure, RUN_1, RUN_2, row, startPool, types } from './kit.js'

const run = (runnableId: string) => ({ runnableType: 'workflow_run', runnableId })
const wait = { timeoutMs: 10_000 }

async function startHeld(options: Parameters<typeof startPool>[0] = {}) {
  const host = await startPool(options)
  const { browserSessionId } = await host.pool.create()
  const lease = await host.pool.occupy({ browserSessionId, ...RUN_1 })
  return { ...host, browserSessionId, lease }
}

describe('waiting for a session that somebody holds', () => {
  it('gets it when the holder lets go', async () => {
    const { pool, browserSessionId, lease, clock, events } = await startHeld()
    const second = pool.occupy({ browserSessionId, ...RUN_2, wait })
    await clock.advance(3_000)
    expect([pool.stats().waiting, pool.stats().waitingByOrganization]).toEqual([1, { acme: 1 }])
    await lease.release()
    expect(await second).toMatchObject({ fence: 2, browserSessionId })
    expect(pool.stats().waiting).toBe(0)
    expect(types(events).slice(-3)).toEqual(['session.occupied', 'session.released', 'session.occupied'])
  })

  it('takes a free one at once', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create()
    expect((await pool.occupy({ browserSessionId, ...RUN_1, wait })).fence).toBe(1)
  })

  it('goes by priority, then by order', async () => {
    const { pool, browserSessionId, lease, clock } = await startHeld()
    const order: string[] = []
    const all = [run('a'), run('b'), { ...run('urgent'), priority: 5 }, run('c')].map(async (request) => {
      const taken = await pool.occupy({ browserSessionId, ...request, wait: { timeoutMs: 60_000 } })
      order.push(request.runnableId)
      await clock.advance(10)
      await taken.release()
    })
    await clock.advance(0)
    await lease.release()
    await Promise.all(all)
    expect(order).toEqual(['urgent', 'a', 'b', 'c'])
  })

  it('ends at its deadline with the last holder and the time that was waited', async () => {
    const { pool, browserSessionId, lease, clock } = await startHeld()
    const second = failure(pool.occupy({ browserSessionId, ...RUN_2, wait }))
    await clock.advance(10_000)
    expect(await second).toMatchObject({ code: 'SESSION_OCCUPIED', waitedMs: 10_000, holder: RUN_1, retryable: true })
    expect([pool.stats().waiting, lease.isHeld]).toEqual([0, true])
  })

  it('ends when its caller gives up, and leaves nothing to the next', async () => {
    const { pool, browserSessionId, lease, clock } = await startHeld()
    const abort = new AbortController()
    const second = failure(pool.occupy({ browserSessionId, ...RUN_2, wait, signal: abort.signal }))
    const third = pool.occupy({ browserSessionId, ...run('wr_3'), wait })
    await clock.advance(1_000)
    abort.abort(new Error('never mind'))
    expect(await second).toMatchObject({ message: 'never mind' })
    await lease.release()
    expect((await third).session.runnableId).toBe('wr_3')
    expect((await failure(pool.occupy({ browserSessionId, ...RUN_2, wait, signal: abort.signal }))).message).toBe('never mind')
  })

  it('gives a lease back that comes after the caller has gone', async () => {
    const { pool, browserSessionId, lease, storage } = await startHeld()
    const abort = new AbortController()
    const second = failure(pool.occupy({ browserSessionId, ...RUN_2, wait, signal: abort.signal }))
    while (pool.stats().waiting === 0) await Promise.resolve()
    const commit = storage.commit.bind(storage)
    storage.commit = async (batch) => {
      const result = await commit(batch)
      const isTaken = batch.some((write) => write.op === 'update' && 'leaseToken' in write.set && write.set.leaseToken !== null)
      if (isTaken) abort.abort(new Error('never mind'))
      return result
    }
    await lease.release()
    expect(await second).toMatchObject({ message: 'never mind' })
    storage.commit = commit
    const third = await pool.occupy({ browserSessionId, ...run('wr_3'), wait })
    expect([third.fence, (await row(storage, browserSessionId)).runnableId]).toEqual([3, 'wr_3'])
  })

  it('ends with the session, by its own error', async () => {
    const { pool, browserSessionId, clock } = await startHeld()
    const waiting = failure(pool.occupy({ browserSessionId, ...RUN_2, wait }))
    await clock.advance(100)
    await pool.close({ browserSessionId, force: true })
    expect(await waiting).toMatchObject({ code: 'SESSION_ENDED', details: { closeReason: 'user' } })
  })

  it('ends with the browser', async () => {
    const { pool, browserSessionId, clock, driver } = await startHeld()
    const waiting = failure(pool.occupy({ browserSessionId, ...RUN_2, wait }))
    await clock.advance(100)
    driver.handleOf(browserSessionId)?.crash()
    expect(await waiting).toMatchObject({ code: 'SESSION_ENDED', details: { closeReason: 'crashed' } })
  })

  it('ends with the pool', async () => {
    const { pool, browserSessionId, clock } = await startHeld()
    const waiting = failure(pool.occupy({ browserSessionId, ...RUN_2, wait }))
    await clock.advance(100)
    await pool.stop()
    expect(await waiting).toMatchObject({ code: 'NOT_RUNNING' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('gets a session whose holder has let its lease lapse', async () => {
    const { pool, browserSessionId, lease, clock, storage } = await startHeld()
    const commit = storage.commit.bind(storage)
    storage.commit = async (batch) => {
      if (batch.some((write) => write.op === 'updateAll' && 'leaseExpiresAt' in write.set)) throw new Error('no heartbeat comes through')
      return commit(batch)
    }
    const waiting = pool.occupy({ browserSessionId, ...RUN_2, wait: { timeoutMs: 60_000 } })
    await clock.advance(45_000)
    expect(lease.signal.aborted).toBe(true)
    expect((await waiting).fence).toBe(2)
  })

  it('does not wait for what it cannot get: unknown, foreign, ended', async () => {
    const { pool, world } = await startPool({ hostId: 'host_a' })
    const other = await startPool({ hostId: 'host_b' }, world)
    const { browserSessionId } = await pool.create()
    const code = async (params: object) => (await failure(pool.occupy({ browserSessionId, ...RUN_1, wait, ...params }))).code
    expect(await code({ browserSessionId: 'bs_none' })).toBe('SESSION_NOT_FOUND')
    expect(await code({ organizationId: 'other' })).toBe('SESSION_NOT_FOUND')
    expect((await failure(other.pool.occupy({ browserSessionId, ...RUN_1, wait }))).code).toBe('SESSION_HOST_UNAVAILABLE')
    await pool.close({ browserSessionId })
    expect(await code({})).toBe('SESSION_ENDED')
  })

  it('counts the launch of the session into its time', async () => {
    const { pool, driver, clock, storage } = await startPool()
    driver.scriptLaunch({ delayMs: 20_000 })
    const creating = pool.create()
    while ((await storage.count('browser_sessions')) === 0) await clock.advance(0)
    const [created] = await pool.list()
    const waiting = failure(pool.occupy({ browserSessionId: created?.browserSessionId ?? '', ...RUN_1, wait }))
    while (driver.pendingLaunches === 0) await clock.advance(0)
    await clock.advance(10_000)
    expect(await waiting).toMatchObject({ code: 'SESSION_OCCUPIED', waitedMs: 10_000 })
    await clock.advance(10_000)
    await creating
  })

  it('gives the same request its own lease back, line or no line', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, ...RUN_1, requestId: 'req_1' })
    const waiting = pool.occupy({ browserSessionId, ...RUN_2, wait })
    const again = await pool.occupy({ browserSessionId, ...RUN_1, requestId: 'req_1', wait })
    expect(again.fence).toBe(lease.fence)
    await again.release()
    expect((await waiting).fence).toBe(2)
  })
})

describe('who does not wait', () => {
  it('is refused while the session is being handed to somebody in the line', async () => {
    const { pool, browserSessionId, lease } = await startHeld()
    const waiting = pool.occupy({ browserSessionId, ...RUN_2, wait })
    while (pool.stats().waiting === 0) await Promise.resolve()
    let pushing: Promise<unknown> | undefined
    pool.on('session.released', () => {
      pushing = failure(pool.occupy({ browserSessionId, ...run('pushy') }))
    })
    await lease.release()
    expect((await waiting).session.runnableId).toBe('wr_2')
    expect(await pushing).toMatchObject({ code: 'SESSION_OCCUPIED', holder: RUN_2 })
  })

  it('is refused at once as ever', async () => {
    const { pool, browserSessionId } = await startHeld()
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_2 }))).toMatchObject({ code: 'SESSION_OCCUPIED', waitedMs: null })
  })
})

describe('the line', () => {
  it('holds so many and no more', async () => {
    const { pool, browserSessionId, lease, clock } = await startHeld({ maxQueue: 2 })
    const waiting = ['a', 'b'].map((id) => pool.occupy({ browserSessionId, ...run(id), wait }))
    await clock.advance(0)
    const refused = await failure(pool.occupy({ browserSessionId, ...run('c'), wait }))
    expect(refused).toMatchObject({ code: 'POOL_SATURATED', retryable: true, details: { maxQueue: 2, waiting: 2, running: 1, held: 1 } })
    await lease.release()
    const [first] = await Promise.all(waiting.slice(0, 1))
    await first?.release()
    expect((await waiting[1])?.session.runnableId).toBe('b')
  })

  it('loses nobody to racers on the storage: whoever is beaten waits on at his place', async () => {
    const world = createWorld()
    const { pool, clock } = await startPool({ hostId: 'host_a' }, world)
    const { browserSessionId } = await pool.create()
    const leases: string[] = []
    const one = async (id: string, params: object) => {
      const taken = await pool.occupy({ browserSessionId, ...run(id), ...params }).catch(() => null)
      if (taken === null) return
      leases.push(id)
      await clock.advance(1)
      await taken.release()
    }
    const first = await pool.occupy({ browserSessionId, ...RUN_1 })
    const waiting = Array.from({ length: 20 }, (_, index) => one(`w${index}`, { wait: { timeoutMs: 600_000 } }))
    const racing = (async () => {
      for (let index = 0; index < 50; index += 1) await one(`r${index}`, {})
    })()
    await clock.advance(0)
    await first.release()
    await Promise.all([...waiting, racing])
    expect(leases.filter((id) => id.startsWith('w'))).toEqual(Array.from({ length: 20 }, (_, index) => `w${index}`))
  })
})
