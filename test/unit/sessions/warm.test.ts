import { describe, expect, it } from 'vitest'
import { createWorld, FakeStreaming, failure, RUN_1, RUN_2, row, startPool, types } from './kit.js'

type Host = Awaited<ReturnType<typeof startPool>>

/** The disk has its own time: waits for the spares, and lets no second pass. */
async function untilWarm({ pool, clock }: Pick<Host, 'pool' | 'clock'>, warm: number): Promise<void> {
  while (pool.stats().warm !== warm) await clock.advance(0)
}

async function startWarm(options: Parameters<typeof startPool>[0] = {}, warm: object = {}) {
  const host = await startPool({ warm: { min: 2, ...warm }, ...options })
  await untilWarm(host, 2)
  return host
}

describe('warm spares', () => {
  it('are launched in the background, without rows', async () => {
    const { pool, driver, storage, events } = await startWarm()
    expect(pool.stats()).toMatchObject({ warm: 2, running: 0, starting: 0 })
    expect([driver.liveHandles, await storage.count('browser_sessions'), events]).toEqual([2, 0, []])
  })

  it('are handed out without a launch, in one write, as running', async () => {
    const { pool, driver, storage, events, clock } = await startWarm()
    const launches = driver.specs.length
    const session = await pool.create({ timeoutMinutes: 30 })
    expect(session).toMatchObject({ status: 'running', timeoutMinutes: 30, uses: 0, leaseFence: 0, hostId: pool.hostId })
    expect(session.pid).toBe(driver.handleOf(session.browserSessionId)?.process?.pid)
    expect(session.expiresAt?.getTime()).toBe(clock.now().getTime() + 30 * 60_000)
    expect(driver.specs).toHaveLength(launches)
    expect(types(events)).toEqual(['session.created', 'session.started'])
    expect((await storage.readEvents({ stream: `session:${session.browserSessionId}` })).map(({ seq }) => seq)).toEqual([1, 2])
    await untilWarm({ pool, clock }, 2)
    expect(driver.liveHandles).toBe(3)
  })

  it('go to acquire and to createOccupied too, held from the first moment', async () => {
    const { pool, storage, driver } = await startWarm()
    const first = await pool.acquire({ ...RUN_1 })
    const second = await pool.createOccupied({ runnable: RUN_2, private: true })
    expect(await row(storage, first.browserSessionId)).toMatchObject({ ...RUN_1, leaseFence: 1, uses: 1, leaseToken: first.token })
    expect(second.session).toMatchObject({ ...RUN_2, private: true })
    expect(driver.specs.length).toBeLessThanOrEqual(3)
    await first.release()
    expect((await pool.occupy({ browserSessionId: first.browserSessionId, ...RUN_2 })).fence).toBe(2)
  })

  it('are given out once each, never after use, and to one organisation', async () => {
    const { pool, driver } = await startWarm({ maxSessions: 20 })
    const leases = await Promise.all(
      Array.from({ length: 10 }, (_, index) => pool.acquire({ organizationId: `org_${index % 3}`, ...RUN_1 })),
    )
    expect(new Set(leases.map(({ browserSessionId }) => browserSessionId)).size).toBe(10)
    expect(new Set(leases.map(({ browser }) => browser)).size).toBe(10)
    for (const lease of leases) await lease.release()
    const again = await pool.acquire({ organizationId: 'org_9', ...RUN_1 })
    expect(leases.map(({ browser }) => browser)).not.toContain(again.browser)
    expect(driver.handles.length).toBeGreaterThanOrEqual(11)
  })

  it('are for equal parameters only', async () => {
    const { pool, driver, clock } = await startWarm()
    const other = await pool.create({ viewport: { width: 800, height: 600 } })
    expect(driver.handleOf(other.browserSessionId)?.spec.viewport).toEqual({ width: 800, height: 600 })
    await untilWarm({ pool, clock }, 2)
    const same = await pool.create({ url: 'https://a.test/' })
    expect(driver.handleOf(same.browserSessionId)?.pages()[0]?.url()).toBe('https://a.test/')
  })

  it('count against the limit, and make way for a session of another kind', async () => {
    const { pool, driver } = await startWarm({ maxSessions: 2 })
    await pool.create({ viewport: { width: 800, height: 600 } })
    await pool.acquire({ ...RUN_1, spec: { viewport: { width: 900, height: 600 } } })
    expect([driver.liveHandles, driver.maxLiveHandles]).toEqual([2, 2])
    expect(await failure(pool.create())).toMatchObject({ code: 'POOL_SATURATED' })
    expect(pool.stats()).toMatchObject({ warm: 0, running: 2 })
  })

  it('are not launched while somebody waits for the place', async () => {
    const { pool, driver, clock } = await startPool({ maxSessions: 1, warm: { min: 1 } })
    await untilWarm({ pool, clock }, 1)
    const held = await pool.acquire({ ...RUN_1 })
    const waiting = pool.acquire({ organizationId: 'other', ...RUN_2 })
    await clock.advance(3_000)
    await pool.close({ browserSessionId: held.browserSessionId, lease: held })
    expect((await waiting).isHeld).toBe(true)
    expect(driver.handles).toHaveLength(2)
  })

  it('that do not answer are ended, and a browser is launched instead', async () => {
    const { pool, driver, clock } = await startWarm()
    const [dead, hanging] = driver.handles
    dead?.hang('probe')
    hanging?.hang('probe')
    const acquiring = pool.acquire({ ...RUN_1 })
    while (dead?.isAlive || hanging?.isAlive) await clock.advance(500)
    while (pool.stats().running === 0) await clock.advance(0)
    const lease = await acquiring
    expect([dead?.isAlive, hanging?.isAlive]).toEqual([false, false])
    expect([dead, hanging]).not.toContain(lease.browser)
  })

  it('that crash are replaced', async () => {
    const host = await startWarm()
    const { pool, driver } = host
    driver.handles[0]?.crash()
    expect(pool.stats().warm).toBe(1)
    await untilWarm(host, 2)
    expect([driver.handles.length, driver.liveHandles]).toEqual([3, 2])
  })

  it('are replaced when nobody has wanted them for long', async () => {
    const host = await startWarm({}, { maxAgeMinutes: 1 })
    const { driver, clock } = host
    const first = driver.handles.slice(0, 2)
    await clock.advance(61_000)
    await untilWarm(host, 2)
    while (first.some((handle) => handle.isAlive)) await clock.advance(0)
    expect(first.map(({ calls }) => calls.close)).toEqual([1, 1])
    expect(driver.liveHandles).toBe(2)
  })

  it('are off while browsers fail to start, and tried again later', async () => {
    const world = createWorld()
    const { pool, driver, clock } = await startPool({ warm: { min: 1 } }, world)
    await untilWarm({ pool, clock }, 1)
    driver.scriptLaunch(...Array(3).fill({ fails: 'crashed' }))
    driver.handles[0]?.crash()
    const launches = () => driver.specs.length
    while (launches() < 2) await clock.advance(0)
    await clock.advance(5_000)
    expect([launches(), pool.stats().warm]).toEqual([2, 0])
    await clock.advance(30_000)
    while (pool.stats().warm < 1) await clock.advance(1_000)
    expect(launches()).toBe(5)
  })

  it('are gone after stop, folders and all, one that starts included', async () => {
    const { pool, driver, clock, directories } = await startWarm()
    driver.scriptLaunch({ delayMs: 10_000 })
    driver.handles[0]?.crash()
    while (driver.pendingLaunches === 0) await clock.advance(0)
    await pool.stop()
    expect([driver.liveHandles, driver.pendingLaunches, directories(), clock.pendingTimers]).toEqual([0, 0, [], 0])
    expect(pool.stats()).toMatchObject({ warm: 0, warming: 0 })
    for (const handle of driver.handles) expect(handle.listenerCount).toBe(0)
  })

  it('are ended by a drain', async () => {
    const { pool, driver, clock } = await startWarm()
    await pool.drain({ timeoutMs: 1_000 })
    while (driver.liveHandles > 0) await clock.advance(0)
    await clock.advance(30_000)
    expect([driver.liveHandles, pool.stats().warm]).toEqual([0, 0])
  })

  it('have a display of their own, which is made over to the session', async () => {
    const streaming = new FakeStreaming()
    const host = await startWarm({ streaming })
    const session = await host.pool.create()
    expect(session).toMatchObject({ displayBackend: 'xvnc', displayNumber: 7 })
    expect(streaming.calls.filter((call) => call.endsWith(session.browserSessionId))).toEqual([
      `startDisplay ${session.browserSessionId}`,
      `claimDisplay ${session.browserSessionId}`,
    ])
    expect(streaming.views.has(session.browserSessionId)).toBe(true)
  })

  it('keep within what an organisation may have: a spare that it may not take stays for others', async () => {
    const host = await startWarm({ maxSessionsPerOrganization: 1 })
    const { pool, driver } = host
    await pool.create()
    expect(await failure(pool.create())).toMatchObject({ code: 'POOL_SATURATED' })
    await untilWarm(host, 2)
    expect(await pool.create({ organizationId: 'other' })).toMatchObject({ organizationSlot: 0 })
    expect(driver.liveHandles).toBeGreaterThanOrEqual(2)
  })

  it.each([
    { min: 0 },
    { min: 1, spec: { browserProfileId: 'bp_1' } },
    { min: 1, spec: { proxyLocation: 'de' } },
    { min: 1, maxAgeMinutes: 0 },
  ])('are refused as %j', async (warm) => {
    expect(await failure(startPool({ warm }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
