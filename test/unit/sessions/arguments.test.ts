import { relative } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../src/runtime/index.js'
import { SessionPool } from '../../../src/sessions/index.js'
import { poolHealth } from '../../../src/sessions/pool-stats.js'
import { MemoryStorage } from '../../../src/storage/index.js'
import { FakeBrowserDriver } from '../../../src/testing/index.js'
import { createWorld, failure, RUN_1, RUN_2, startPool } from './kit.js'

const INVALID = { code: 'INVALID_ARGUMENT' }
const refused = async (work: () => unknown) => expect(await failure((async () => work())())).toMatchObject(INVALID)

describe('arguments that do not fit', () => {
  it.each([{ outcome: 'okay' }, { sanitize: 5 }, { sanitize: { cookie: true } }, { sanitize: { cookies: 1 } }, { outcom: 'ok' }, null, 5])(
    'release nothing: %j',
    async (options) => {
      const { pool } = await startPool()
      const lease = await pool.createOccupied({ runnable: RUN_1 })
      await refused(() => lease.release(options as never))
      await refused(() => pool.release(lease, options as never))
      expect([lease.isHeld, lease.signal.aborted, pool.stats().held]).toEqual([true, false, 1])
      expect(await failure(pool.occupy({ browserSessionId: lease.browserSessionId, ...RUN_2 }))).toMatchObject({ code: 'SESSION_OCCUPIED' })
      await pool.release(lease, { outcome: 'ok' })
      expect(lease.isHeld).toBe(false)
    },
  )

  it.each([
    ['NUL', 'a\0b'],
    ['half a surrogate pair', 'a\ud800b'],
    ['too long', 'a'.repeat(501)],
    ['empty', ''],
  ])('are refused as ids and names: %s', async (_, text) => {
    const { pool, storage } = await startPool()
    const { browserSessionId } = await pool.create()
    await refused(() => pool.create({ organizationId: text }))
    await refused(() => pool.createOccupied({ runnable: { runnableType: text, runnableId: 'x' } }))
    await refused(() => pool.occupy({ browserSessionId, runnableType: 'job', runnableId: text }))
    await refused(() => pool.occupy({ browserSessionId, ...RUN_1, requestId: text }))
    await refused(() => pool.list({ organizationId: text }))
    await refused(() => pool.get({ browserSessionId: text }))
    await refused(() => pool.saveProfile({ browserSessionId, name: text }))
    await refused(() => pool.forOrganization(text))
    await refused(() => new SessionPool({ storage, driver: new FakeBrowserDriver(), organizationId: text }))
    expect(await pool.list()).toHaveLength(1)
  })

  it('may be whole characters of any plane', async () => {
    const { pool } = await startPool()
    const lease = await pool.createOccupied({ organizationId: '\u{1f600} ü', runnable: { runnableType: 'jöb', runnableId: '\u{1f680}' } })
    expect(lease.session).toMatchObject({ organizationId: '\u{1f600} ü', runnableId: '\u{1f680}' })
  })

  it('are refused by calls that take other things', async () => {
    const { pool } = await startPool()
    const fn = () => {}
    for (const request of [undefined, null, 5]) await refused(() => pool.use(request as never, fn))
    await refused(() => pool.use(RUN_1, 5 as never))
    expect(pool.stats()).toMatchObject({ running: 0, starting: 0 }) // nothing was made for it
    for (const lease of [undefined, null, 5, {}]) await refused(() => pool.release(lease as never))
    await refused(() => pool.on('nope' as never, fn))
    await refused(() => pool.on('run.started' as never, fn))
    await refused(() => pool.on('session.started', 5 as never))
    await refused(() => pool.onAny(undefined as never))
    for (const type of ['session.lost', 'profile.saved', 'artifact.saved', 'display.degraded'] as const) pool.on(type, fn)()
  })

  it.each(['orphan', 'crashed', 'launch_failed', 'probe_failed', 'lease_expired', 'shutdown', 'expired'])(
    'are reasons to close that only the pool can find: %s',
    async (reason) => {
      const { pool } = await startPool()
      const { browserSessionId } = await pool.create()
      await refused(() => pool.close({ browserSessionId, reason: reason as never }))
      expect(await pool.get({ browserSessionId })).toMatchObject({ status: 'running' })
    },
  )

  it('are times that no timer takes', async () => {
    const { pool } = await startPool()
    const ms = 2 ** 31
    const parts = { storage: new MemoryStorage(), driver: new FakeBrowserDriver() }
    await refused(() => new SessionPool({ ...parts, launchTimeoutMs: ms }))
    await refused(() => new SessionPool({ ...parts, leaseTtlMs: ms }))
    await refused(() => pool.acquire({ ...RUN_1, timeoutMs: ms }))
    await refused(() => pool.drain({ timeoutMs: ms }))
    const lease = await pool.acquire({ ...RUN_1, timeoutMs: ms - 1 })
    expect(lease.isHeld).toBe(true)
  })
})

describe('a timer of the host', () => {
  it('may be set for longer than Node’s own', () => {
    vi.useFakeTimers()
    try {
      const calls: string[] = []
      systemClock.setTimer(() => calls.push('long'), 2 ** 31 + 1_000)
      const timer = systemClock.setTimer(() => calls.push('cancelled'), 2 ** 32)
      vi.advanceTimersByTime(2 ** 31)
      expect(calls).toEqual([])
      timer.cancel()
      vi.advanceTimersByTime(2 ** 32)
      expect(calls).toEqual(['long'])
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('a pool', () => {
  it('that is being drained is exhausted', async () => {
    const { pool } = await startPool()
    expect(pool.health()).toEqual({ status: 'ok', reason: null })
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    const draining = pool.drain()
    expect(pool.health()).toEqual({ status: 'exhausted', reason: 'draining' })
    await lease.release()
    await draining
    expect(pool.health()).toEqual({ status: 'exhausted', reason: 'draining' })
    expect(poolHealth({ state: 'stopped', gate: { isDraining: true }, stats: pool.stats(), failure: undefined }).status).toBe('down')
    await pool.stop()
    await pool.start()
    expect(pool.health()).toEqual({ status: 'ok', reason: null })
  })

  it('makes its folders where a relative path leads to', async () => {
    const world = createWorld()
    const { pool, driver } = await startPool({ baseDirectory: relative(process.cwd(), world.baseDirectory) }, world)
    await pool.create()
    expect(driver.specs[0]?.directory.startsWith(`${world.baseDirectory}/runwright-session-`)).toBe(true)
  })

  it('loads its driver when it starts, and starts without', async () => {
    const world = createWorld()
    const driver = Object.assign(new FakeBrowserDriver({ clock: world.clock }), { prepare: vi.fn(async () => {}) })
    const { pool } = await startPool({ driver }, world)
    expect(driver.prepare).toHaveBeenCalledTimes(1)
    await pool.stop()
    driver.prepare.mockRejectedValue(new Error('not installed'))
    expect(await pool.start()).toBe(true)
    expect(pool.health().status).toBe('ok')
  })

  it('that stops kills launches that do not end by themselves, and tells of those that outlast even that', async () => {
    const world = createWorld()
    const driver = new FakeBrowserDriver({ clock: world.clock })
    const killed: string[] = []
    driver.endLeft = async ({ directory }) => killed.push(directory)
    const warnings: { message: string; directory: unknown }[] = []
    const warn = (message: string, fields?: Readonly<Record<string, unknown>>) => warnings.push({ message, directory: fields?.directory })
    const logger = { debug() {}, info() {}, warn, error() {} }
    const { pool } = await startPool({ driver, logger, closeTimeoutMs: 5_000 }, world)
    driver.scriptLaunch({ delayMs: 7_000, ignoresDeadline: true }, { delayMs: 60_000, ignoresDeadline: true })
    const creates = [failure(pool.create()), failure(pool.create())]
    while (driver.pendingLaunches < 2) await new Promise(setImmediate)
    let isStopped = false
    const stopping = pool.stop().finally(() => {
      isStopped = true
    })
    await world.clock.advance(4_900)
    expect([killed, isStopped]).toEqual([[], false])
    await world.clock.advance(200)
    expect(killed.toSorted()).toEqual(driver.specs.map(({ directory }) => directory).toSorted())
    await world.clock.advance(2_000)
    while (world.directories().length > 1) await world.clock.advance(0) // the disk takes its time
    await world.clock.advance(0)
    while (!isStopped) await world.clock.advance(500)
    await stopping
    await Promise.all(creates)
    const told = warnings.filter(({ message }) => message.includes('still under way'))
    expect(told).toEqual([{ message: expect.any(String), directory: driver.specs[1]?.directory }])
    expect(world.clock.monotonicMs()).toBeLessThan(20_000)
    while (world.directories().length > 0) await world.clock.advance(1_000) // it comes up at last
    expect(driver.liveHandles).toBe(0)
  })
})
