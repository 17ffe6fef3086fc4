import { describe, expect, it } from 'vitest'
import { AffinityMemory } from '../../../src/sessions/affinity-memory.js'
import { createWorld, failure, RUN_1, RUN_2, row, startPool, types } from './kit.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))
const run = (runnableId: string) => ({ runnableType: 'workflow_run', runnableId })

describe('acquiring a session', () => {
  it('makes one where there is none, born occupied', async () => {
    const { pool, events, storage } = await startPool()
    const lease = await pool.acquire({ ...RUN_1, spec: { timeoutMinutes: 30, viewport: { width: 800, height: 600 } } })
    expect(lease.session).toMatchObject({
      ...RUN_1,
      leaseFence: 1,
      private: false,
      timeoutMinutes: 30,
      viewport: { width: 800, height: 600 },
    })
    expect(types(events)).toEqual(['session.created', 'session.started', 'session.occupied'])
    expect(await row(storage, lease.browserSessionId)).toMatchObject({ status: 'running', organizationSlot: null })
    expect(pool.stats().acquireTimes).toEqual({ count: 1, p50Ms: 0, p95Ms: 0 })
  })

  it('takes a free one of the same kind: created, or acquired before', async () => {
    const { pool, driver } = await startPool()
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5, url: 'https://a.test/' })
    const first = await pool.acquire({ ...RUN_1 })
    expect([first.browserSessionId, first.fence]).toEqual([browserSessionId, 1])
    const second = await pool.acquire({ ...RUN_2 })
    expect(second.browserSessionId).not.toBe(browserSessionId)
    await second.release()
    expect((await pool.acquire({ ...RUN_2 })).browserSessionId).toBe(second.browserSessionId)
    expect(driver.handles).toHaveLength(2)
  })

  it.each([
    ['another viewport', { viewport: { width: 800, height: 600 } }, {}],
    ['another browser', { browserType: 'chrome' as const }, {}],
    ['a private one', { private: true }, {}],
    ['another locale', { locale: 'de-CH' }, { locale: 'de-AT' }],
    ['one with extensions', { extensions: ['ad-blocker'] }, {}],
  ])('does not take %s', async (_name, made, spec) => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create(made)
    expect((await pool.acquire({ ...RUN_1, spec })).browserSessionId).not.toBe(browserSessionId)
  })

  it('takes one that was made headless by the pool itself for one that asks for headless', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create()
    expect((await pool.acquire({ ...RUN_1, spec: { headless: true, timeoutMinutes: 90 } })).browserSessionId).toBe(browserSessionId)
  })

  it('never takes one of another organisation', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create({ organizationId: 'other' })
    const lease = await pool.acquire({ ...RUN_1 })
    expect([lease.session.organizationId, lease.browserSessionId === browserSessionId]).toEqual(['acme', false])
  })

  it('prefers the session of its affinity, and leaves those of others alone while there is a choice', async () => {
    const { pool } = await startPool()
    const [a, b, c] = [await pool.create(), await pool.create(), await pool.create()]
    const take = async (affinityKey: string | undefined) => {
      const lease = await pool.acquire({ ...RUN_1, affinityKey })
      await lease.release()
      return lease.browserSessionId
    }
    expect(await take('customer-1')).toBe(a.browserSessionId)
    expect(await take('customer-2')).toBe(b.browserSessionId)
    expect(await take(undefined)).toBe(c.browserSessionId)
    expect([await take('customer-2'), await take('customer-1')]).toEqual([b.browserSessionId, a.browserSessionId])
    await pool.close({ browserSessionId: c.browserSessionId })
    expect(await take('customer-3')).toBe(a.browserSessionId) // no choice left: better than another browser
  })

  it('is given its own lease back by the same request id', async () => {
    const { pool, driver } = await startPool()
    const first = await pool.acquire({ ...RUN_1, requestId: 'req_1' })
    const again = await pool.acquire({ ...RUN_1, requestId: 'req_1' })
    expect([again.token, again.browserSessionId]).toEqual([first.token, first.browserSessionId])
    expect((await pool.acquire({ ...RUN_2, requestId: 'req_1' })).browserSessionId).not.toBe(first.browserSessionId)
    expect(driver.handles).toHaveLength(2)
  })

  it('rejects with the failure of its own launch, and takes nobody else along', async () => {
    const { pool, driver } = await startPool()
    driver.scriptLaunch({ fails: 'crashed' })
    const outcomes = await Promise.all([RUN_1, RUN_2].map((run) => pool.acquire(run).catch((error: object) => error)))
    expect(outcomes.filter((outcome) => 'isHeld' in outcome && outcome.isHeld)).toHaveLength(1)
    expect(outcomes.find((outcome) => !('isHeld' in outcome))).toMatchObject({ code: 'BROWSER_LAUNCH_FAILED', category: 'crashed' })
  })

  it('meets no dead browser: one that died makes way for another', async () => {
    const { pool, driver } = await startPool()
    const { browserSessionId } = await pool.create()
    driver.handleOf(browserSessionId)?.crash()
    const lease = await pool.acquire({ ...RUN_1 })
    expect([lease.browserSessionId === browserSessionId, lease.signal.aborted]).toEqual([false, false])
  })
})

describe('the memory of affinities', () => {
  it('knows whose a session is, and no more than so many keys', () => {
    const memory = new AffinityMemory(2)
    memory.note('acme', 'k1', 'bs_1')
    memory.note('acme', 'k2', 'bs_1')
    memory.note('acme', 'k1', 'bs_2')
    const rank = (key: string | undefined, id: string, organizationId = 'acme') => memory.rank(organizationId, key, id)
    expect([rank('k1', 'bs_2'), rank('k1', 'bs_1'), rank('k2', 'bs_1'), rank('k1', 'bs_2', 'other')]).toEqual([0, 2, 0, 2])
    expect([rank(undefined, 'bs_1'), rank(undefined, 'bs_3')]).toEqual([2, 1])
    memory.note('acme', 'k3', 'bs_3') // k2 is forgotten
    expect([rank('k2', 'bs_1'), rank('k3', 'bs_3'), rank('k1', 'bs_2')]).toEqual([1, 0, 0])
  })
})

describe('a browser that hangs', () => {
  it('is not given to who acquires: its session ends, and he gets another', async () => {
    const { pool, driver, clock } = await startPool()
    const { browserSessionId } = await pool.create()
    driver.handleOf(browserSessionId)?.hang('probe')
    await clock.advance(5_000)
    const acquiring = pool.acquire({ ...RUN_1 })
    let isSettled = false
    void acquiring.finally(() => {
      isSettled = true
    })
    while (driver.handles[0]?.isAlive) await clock.advance(200)
    while (!isSettled) await clock.advance(0)
    expect((await acquiring).browserSessionId).not.toBe(browserSessionId)
    expect((await pool.get({ browserSessionId })).status).toBe('failed')
  })
})

describe('acquiring when the host is full', () => {
  it('waits for whichever comes free first', async () => {
    const { pool, clock } = await startPool({ maxSessions: 2 })
    const [first, second] = [await pool.acquire({ ...run('a') }), await pool.acquire({ ...run('b') })]
    const third = pool.acquire({ ...run('c') })
    await clock.advance(2_000)
    expect(pool.stats()).toMatchObject({ waiting: 1, waitingByOrganization: { acme: 1 }, running: 2, held: 2 })
    await second.release()
    expect((await third).browserSessionId).toBe(second.browserSessionId)
    expect([first.isHeld, pool.stats().acquireTimes?.p95Ms]).toEqual([true, 2_000])
  })

  it('makes a new one when another has ended and its process is gone', async () => {
    const { pool, clock, driver } = await startPool({ maxSessions: 1 })
    const first = await pool.acquire({ organizationId: 'other', ...run('a') })
    const second = pool.acquire({ ...run('b') })
    await clock.advance(0)
    await first.release()
    await clock.advance(5_000)
    expect([pool.stats().waiting, driver.handles.length]).toEqual([1, 1]) // a free session of somebody else's is no use
    await pool.close({ organizationId: 'other', browserSessionId: first.browserSessionId })
    expect((await second).browserSessionId).not.toBe(first.browserSessionId)
    expect(driver.maxLiveHandles).toBe(1)
  })

  it('ends at its deadline, with the figures', async () => {
    const { pool, clock } = await startPool({ maxSessions: 1 })
    await pool.acquire({ ...run('a') })
    const waiting = [failure(pool.acquire({ ...run('b') })), failure(pool.acquire({ ...run('c'), timeoutMs: 7_000 }))]
    await clock.advance(7_000)
    expect(await waiting[1]).toMatchObject({
      code: 'ACQUIRE_TIMEOUT',
      retryable: true,
      details: {
        waitedMs: 7_000,
        position: 2,
        waiting: 2,
        sessions: { running: 1, held: 1, starting: 0, ending: 0, warm: 0, maxSessions: 1 },
      },
    })
    await clock.advance(23_000)
    expect(await waiting[0]).toMatchObject({ code: 'ACQUIRE_TIMEOUT', details: { waitedMs: 30_000, position: 1 } })
    expect([pool.stats().waiting, pool.stats().held]).toEqual([0, 1])
  })

  it('ends at its deadline in the middle of its launch, which is undone', async () => {
    const { pool, clock, driver, directories } = await startPool()
    driver.scriptLaunch({ delayMs: 60_000 })
    const acquiring = failure(pool.acquire({ ...RUN_1, timeoutMs: 5_000 }))
    while (driver.pendingLaunches === 0) await turn()
    await clock.advance(5_000)
    expect(await acquiring).toMatchObject({ code: 'ACQUIRE_TIMEOUT', details: { position: null } })
    while (directories().length > 0 || pool.stats().starting > 0) await clock.advance(0)
    expect([driver.liveHandles, pool.stats().running]).toEqual([0, 0])
  })

  it('gives back a lease that comes after its caller has gone: the session stays for the next', async () => {
    const { pool, storage, driver, events } = await startPool()
    const abort = new AbortController()
    const commit = storage.commit.bind(storage)
    storage.commit = async (batch) => {
      const result = await commit(batch)
      if (batch.some((write) => write.op === 'update' && 'status' in write.set && write.set.status === 'running'))
        abort.abort(new Error('gone'))
      return result
    }
    expect(await failure(pool.acquire({ ...RUN_1, signal: abort.signal }))).toMatchObject({ message: 'gone' })
    while (!types(events).includes('session.released')) await turn()
    storage.commit = commit
    const next = await pool.acquire({ ...RUN_2 })
    expect([next.fence, driver.handles.length]).toEqual([2, 1])
  })

  it('lets in so many and no more', async () => {
    const { pool, clock } = await startPool({ maxSessions: 1, maxQueue: 1 })
    const held = await pool.acquire({ ...run('a') })
    const waiting = pool.acquire({ ...run('b') })
    const refused = await failure(pool.acquire({ ...run('c') }))
    expect(refused).toMatchObject({ code: 'POOL_SATURATED', details: { maxQueue: 1, waiting: 1, maxSessions: 1, running: 1, held: 1 } })
    await clock.advance(0)
    await held.release()
    expect((await waiting).session.runnableId).toBe('b')
  })

  it('has organisations take turns, whoever is first in priority before', async () => {
    const { pool, clock } = await startPool({ maxSessions: 1 })
    const order: string[] = []
    const first = await pool.acquire({ organizationId: 'x', ...run('x0') })
    const one = async (organizationId: string, name: string, priority = 0) => {
      const lease = await pool.acquire({ organizationId, ...run(name), priority, timeoutMs: 600_000 })
      order.push(name)
      await clock.advance(10)
      await pool.close({ organizationId, browserSessionId: lease.browserSessionId, lease })
    }
    const all = [one('a', 'a1'), one('a', 'a2'), one('a', 'a3'), one('b', 'b1'), one('b', 'b2'), one('c', 'c1', 5)]
    await pool.close({ organizationId: 'x', browserSessionId: first.browserSessionId, lease: first })
    await Promise.all(all)
    expect(order).toEqual(['c1', 'a1', 'b1', 'a2', 'b2', 'a3'])
  })

  it('waits side by side with who wants one session by name', async () => {
    const { pool, clock } = await startPool({ maxSessions: 1 })
    const held = await pool.acquire({ ...run('a') })
    const { browserSessionId } = held
    const named = pool.occupy({ browserSessionId, ...run('b'), wait: { timeoutMs: 60_000 } })
    const any = pool.acquire({ ...run('c') })
    await clock.advance(0)
    await held.release()
    const second = await named
    await second.release()
    expect([(await any).browserSessionId, (await any).fence]).toEqual([browserSessionId, 3])
  })

  it('ends with the pool', async () => {
    const { pool, clock } = await startPool({ maxSessions: 1 })
    await pool.acquire({ ...run('a') })
    const waiting = failure(pool.acquire({ ...run('b') }))
    await clock.advance(0)
    await pool.stop()
    expect(await waiting).toMatchObject({ code: 'NOT_RUNNING' })
    expect(await failure(pool.acquire({ ...run('c') }))).toMatchObject({ code: 'NOT_RUNNING' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('refuses what it does not understand', async () => {
    const { pool } = await startPool()
    expect(await failure(pool.acquire({ ...RUN_1, spec: { private: true } as never }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { path: 'spec.private' },
    })
    expect(await failure(pool.acquire({ ...RUN_1, timeoutMs: 0 }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('using a session', () => {
  it('acquires, runs and releases', async () => {
    const { pool } = await startPool()
    const value = await pool.use({ ...RUN_1 }, async (lease) => {
      expect([lease.isHeld, pool.stats().held]).toEqual([true, 1])
      return lease.browserSessionId
    })
    expect([pool.stats().held, (await pool.get({ browserSessionId: value })).status]).toEqual([0, 'running'])
  })

  it('occupies the session that it names', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create()
    expect(await pool.forOrganization('acme').use({ browserSessionId, ...RUN_1 }, (lease) => lease.browserSessionId)).toBe(browserSessionId)
    expect(await failure(pool.use({ browserSessionId: 'bs_none', ...RUN_1 }, () => 1))).toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })

  it('releases when the function throws, whose error goes before that of the release', async () => {
    const { pool, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const failing = pool.use({ browserSessionId, ...RUN_1 }, () => {
      throw new Error('no luck')
    })
    expect(await failure(failing)).toMatchObject({ message: 'no luck' })
    expect(pool.stats().held).toBe(0)
    const stolen = pool.use({ browserSessionId, ...RUN_1 }, async () => {
      await storage.commit([
        { op: 'update', table: 'browser_sessions', id: browserSessionId, where: {}, set: { leaseToken: 'x', leaseFence: 9 } },
      ])
      throw new Error('no luck either')
    })
    expect(await failure(stolen)).toMatchObject({ message: 'no luck either' })
  })

  it('says when the release fails although the function did not', async () => {
    const { pool, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    const stolen = pool.use({ browserSessionId, ...RUN_1 }, async () => {
      await storage.commit([
        { op: 'update', table: 'browser_sessions', id: browserSessionId, where: {}, set: { leaseToken: 'x', leaseFence: 9 } },
      ])
    })
    expect(await failure(stolen)).toMatchObject({ code: 'STALE_LEASE' })
  })

  it('leaves alone what the function has released itself', async () => {
    const { pool } = await startPool()
    const { browserSessionId } = await pool.create()
    await pool.use({ browserSessionId, ...RUN_1 }, (lease) => lease.release({ outcome: 'tainted' }))
    expect(await pool.get({ browserSessionId })).toMatchObject({ status: 'completed', closeReason: 'tainted' })
  })
})

describe('many launches', () => {
  it('go on at the same time, so many and no more', async () => {
    const { pool, driver, clock } = await startPool({ launchConcurrency: 3, maxSessions: 8 })
    driver.scriptLaunch(...Array(8).fill({ delayMs: 500 }))
    const creating = Promise.all(Array.from({ length: 8 }, () => pool.create()))
    let most = 0
    while (pool.stats().running < 8) {
      most = Math.max(most, driver.pendingLaunches)
      await clock.advance(driver.pendingLaunches > 0 ? 100 : 0)
    }
    expect([most, (await creating).length]).toEqual([3, 8])
    expect(pool.stats().launchTimes?.count).toBe(8)
  })

  it('of eight go on side by side by default', async () => {
    const world = createWorld()
    const { pool, driver, clock } = await startPool({}, world)
    driver.scriptLaunch(...Array(8).fill({ delayMs: 500 }))
    const creating = Promise.all(Array.from({ length: 8 }, (_, index) => pool.acquire({ ...run(`r${index}`) })))
    while (driver.pendingLaunches < 8) await turn()
    await clock.advance(500)
    expect(await creating).toHaveLength(8)
  })
})
