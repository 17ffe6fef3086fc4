import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isOrphaned } from '../../../src/sessions/orphan-processes.js'
import type { SessionFolder } from '../../../src/sessions/session-directory.js'
import type { BrowserSessionRow } from '../../../src/storage/schema.js'
import { storageNow } from '../../../src/storage/storage.js'
import { failure, RUN_1, RUN_2, reasonCode, row, startPool, types } from './kit.js'

type Started = Awaited<ReturnType<typeof startPool>>

const DETACHED = { detached: true, viewport: { width: 800, height: 600 } } as const
/** Of a process that has ended: no machine has so many. */
const NO_PID = 4_194_305

/** As if the host of a session had died: its lease has lapsed, or its process is gone. */
async function orphan(started: Started, browserSessionId: string, how: 'lapsed' | 'killed' = 'lapsed'): Promise<void> {
  const set: Partial<BrowserSessionRow> = { hostId: 'dead' }
  const lapsed = how === 'lapsed' ? { hostLeaseExpiresAt: storageNow({ plusMs: -1 }) } : {}
  await started.storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, where: {}, set: { ...set, ...lapsed } }])
  const { directory } = started.driver.handleOf(browserSessionId)?.spec ?? { directory: '' }
  const path = join(directory, 'owner.json')
  const owner = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...owner, hostId: 'dead', ...(how === 'killed' ? { pid: NO_PID, startTime: '1' } : {}) }))
}

describe('a detached session', () => {
  it('says so on its row and to its driver, and what others may do is logged', async () => {
    const warnings: string[] = []
    const logger = { debug() {}, info() {}, warn: (message: string) => warnings.push(message), error() {} }
    const { pool, driver, storage } = await startPool({ logger })
    const { browserSessionId } = await pool.create(DETACHED)
    expect(await row(storage, browserSessionId)).toMatchObject({
      attachable: true,
      detached: true,
      browserAddress: expect.stringMatching(/^ws:/),
    })
    expect(driver.specs[0]).toMatchObject({ attachable: true, detached: true })
    expect(warnings).toEqual([expect.stringContaining('every user of this machine')])
    const { browserSessionId: plain } = await pool.create()
    expect(await row(storage, plain)).toMatchObject({ attachable: false, detached: false, browserAddress: null })
    expect(warnings).toHaveLength(1)
  })

  it('goes on when its host stops: holder told, row running, lease over, adopted at once by the next, even the same host again', async () => {
    const first = await startPool()
    const lease = await first.pool.createOccupied({ ...DETACHED, runnable: RUN_1 })
    const { browserSessionId } = lease
    const plain = await first.pool.create()
    await first.pool.stop()
    expect(reasonCode(lease)).toBe('LEASE_LOST')
    const handle = first.driver.handleOf(browserSessionId)
    expect(handle).toMatchObject({ isAlive: true, listenerCount: 0, calls: { detach: 1, close: 0, kill: 0 } })
    const left = await row(first.storage, browserSessionId)
    expect(left).toMatchObject({ status: 'running', leaseToken: null, runnableId: null, leaseFence: 1 })
    expect(left.hostLeaseExpiresAt?.getTime()).toBeLessThan((await first.storage.now()).getTime())
    expect(await row(first.storage, plain.browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'shutdown' })

    const { pool, events, storage, driver } = await startPool({ driver: first.driver }, first.world)
    expect(pool.reconciliation).toEqual({
      adopted: [browserSessionId],
      marked: [],
      left: [],
      killed: [],
      removedDirectories: [],
      failures: [],
    })
    expect(types(events)).toEqual(['session.adopted'])
    expect(driver.adoptions).toMatchObject([{ browserSessionId, detached: true, viewport: DETACHED.viewport, process: handle?.process }])
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'running', hostId: pool.hostId, leaseFence: 2 })
    expect(pool.stats().running).toBe(1)
    const next = await pool.acquire({ spec: DETACHED, ...RUN_2 }) // it is as good as a new one
    expect(next).toMatchObject({ browserSessionId, fence: 3 })
    handle?.crash()
    expect(reasonCode(next)).toBe('SESSION_LOST')
    await pool.stop()
    await pool.start()
    expect(pool.reconciliation).toMatchObject({ adopted: [], left: [] })
  })

  it('is adopted when its host’s process is dead although its lease has not lapsed, and not while it lives', async () => {
    const first = await startPool({ hostId: 'alive' })
    const { browserSessionId } = await first.pool.create(DETACHED)
    const second = await startPool({ driver: first.driver }, first.world)
    expect(second.pool.reconciliation).toMatchObject({ adopted: [], left: [{ browserSessionId, reason: 'its host alive is alive' }] })
    await orphan(first, browserSessionId, 'killed')
    const third = await startPool({ driver: first.driver }, first.world)
    expect(third.pool.reconciliation).toMatchObject({ adopted: [browserSessionId] })
  })

  it('is let go of, not ended, by a former host that turns out to live', async () => {
    const first = await startPool({ hostId: 'slow' })
    const lease = await first.pool.createOccupied({ ...DETACHED, runnable: RUN_1 })
    const { browserSessionId } = lease
    await first.storage.commit([
      { op: 'update', table: 'browser_sessions', id: browserSessionId, where: {}, set: { hostLeaseExpiresAt: storageNow({ plusMs: -1 }) } },
    ])
    const second = await startPool({ driver: first.driver }, first.world)
    expect(second.pool.reconciliation?.adopted).toEqual([browserSessionId])
    await first.clock.advance(11_000) // a heartbeat
    expect(lease.signal.aborted).toBe(true)
    expect(first.pool.stats()).toMatchObject({ running: 0, ending: 0 })
    expect(first.driver.handleOf(browserSessionId)).toMatchObject({ isAlive: true, calls: { close: 0, kill: 0 } })
    expect(await row(first.storage, browserSessionId)).toMatchObject({ status: 'running', hostId: second.pool.hostId })
  })

  it('is adopted by exactly one of several hosts that start at once', async () => {
    const first = await startPool()
    const { browserSessionId } = await first.pool.create(DETACHED)
    await first.pool.stop()
    const pools = await Promise.all([1, 2, 3].map(() => startPool({ driver: first.driver }, first.world)))
    const reports = pools.map(({ pool }) => pool.reconciliation)
    expect(reports.flatMap((report) => report?.adopted)).toEqual([browserSessionId])
    expect(reports.flatMap((report) => report?.marked)).toEqual([])
    expect(first.driver.adoptions).toHaveLength(1)
  })

  it.each(['crashed', 'another process', 'past its end'] as const)(
    'is ended and its processes killed when it cannot be had: %s',
    async (how) => {
      const first = await startPool()
      const { browserSessionId } = await first.pool.create(DETACHED)
      await first.pool.stop()
      const handle = first.driver.handleOf(browserSessionId)
      if (how === 'crashed') handle?.crash()
      const set: Partial<BrowserSessionRow> = how === 'another process' ? { pidStartTime: '7' } : {}
      const past = how === 'past its end' ? { expiresAt: storageNow({ plusMs: -1 }) } : {}
      await first.storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, where: {}, set: { ...set, ...past } }])
      const { pool, storage, directories } = await startPool({ driver: first.driver }, first.world)
      expect(pool.reconciliation).toMatchObject({
        adopted: [],
        marked: [{ browserSessionId }],
        killed: how === 'crashed' ? [] : [{ count: 1 }],
      })
      const [status, closeReason] = how === 'past its end' ? ['timeout', 'expired'] : ['failed', 'orphan']
      expect(await row(storage, browserSessionId)).toMatchObject({ status, closeReason, displayDir: null })
      expect(handle?.isAlive).toBe(false)
      expect(directories()).toEqual([])
      expect(pool.stats()).toMatchObject({ running: 0, starting: 0 })
    },
  )

  it('is left to others by a host that has no room, and ended by `destroy` and `close`', async () => {
    const first = await startPool()
    const one = await first.pool.create(DETACHED)
    const two = await first.pool.create(DETACHED)
    await first.pool.stop()
    const { pool, driver, storage, directories } = await startPool({ driver: first.driver, maxSessions: 1 }, first.world)
    expect(pool.reconciliation).toMatchObject({ adopted: [expect.any(String)], left: [{ reason: 'this host has its 1 sessions' }] })
    const [adopted] = pool.reconciliation?.adopted ?? []
    const other = adopted === one.browserSessionId ? two.browserSessionId : one.browserSessionId
    await pool.destroy()
    expect(await row(storage, String(adopted))).toMatchObject({ status: 'completed', closeReason: 'shutdown' })
    const last = await startPool({ driver: first.driver }, first.world)
    await last.pool.close({ browserSessionId: other })
    expect(driver.liveHandles).toBe(0)
    expect(directories()).toEqual([])
  })

  it('opens the port of its network guard again, through which nothing passes until somebody holds it', async () => {
    const opened: { port: number | undefined; policies: unknown[]; isOpen: boolean }[] = []
    const networkGuard = {
      open: async ({ port }: { port?: number }) => {
        const one = { port, policies: [] as unknown[], isOpen: true }
        opened.push(one)
        const close = async () => {
          one.isOpen = false
        }
        return { port: port ?? 4_711, launchArgs: [], admit() {}, apply: (policy: unknown) => one.policies.push(policy), close }
      },
    }
    const first = await startPool({ networkGuard: networkGuard as never })
    const { browserSessionId } = await first.pool.create({ ...DETACHED, guarded: true })
    await first.pool.stop()
    expect(opened).toMatchObject([{ isOpen: false }])
    const { pool } = await startPool({ driver: first.driver, networkGuard: networkGuard as never }, first.world)
    expect(opened[1]).toMatchObject({ port: 4_711, isOpen: true, policies: [{ check: expect.any(Function) }] })
    const [closed] = (opened[1]?.policies ?? []) as { check: (target: object) => unknown }[]
    expect(closed?.check({ host: 'a.example', port: 443 })).toMatchObject({ rule: 'adopted' })
    await pool.occupy({ browserSessionId, ...RUN_1 })
    expect(opened[1]?.policies.at(-1)).toBe(null)
  })

  it('that nobody adopts is ended at its end by any host, so that it keeps no place for ever', async () => {
    const first = await startPool()
    const { browserSessionId } = await first.pool.create({ ...DETACHED, timeoutMinutes: 5 })
    await first.pool.stop()
    const { pool, clock, storage } = await startPool({ driver: first.driver, machineId: 'elsewhere' }, first.world)
    expect(pool.reconciliation).toMatchObject({ adopted: [], marked: [], left: [] })
    await clock.advance(4 * 60_000)
    expect((await row(storage, browserSessionId)).status).toBe('running')
    await clock.advance(2 * 60_000)
    expect(await row(storage, browserSessionId)).toMatchObject({ status: 'timeout', closeReason: 'expired' })
    const home = await startPool({ driver: first.driver }, first.world)
    expect(home.pool.reconciliation).toMatchObject({ marked: [], killed: [] }) // its host's process, ours, is alive: nothing is proved
    await orphan(first, browserSessionId, 'killed').catch(() => {})
    await home.pool.stop()
    await home.pool.start()
    expect(home.pool.reconciliation).toMatchObject({ killed: [{ browserSessionId, count: 1 }] })
    expect(first.driver.liveHandles).toBe(0)
  })
})

describe('what dead hosts left', () => {
  const folder = (isDetached: boolean): SessionFolder => ({
    path: '/x',
    owner: {
      pid: 1,
      startTime: '1',
      machineId: 'm',
      hostId: 'h',
      browserSessionId: 'b',
      isDetached,
      space: { machine: 'm', bootId: null, pidNamespace: null },
    },
  })

  it('is nobody’s when its host is dead, unless it was to outlive that and its session lives or is not known', () => {
    for (const fate of ['live', 'ended', 'unknown'] as const) {
      expect(isOrphaned(folder(false), { isHostDead: false, fate })).toBe(false)
      expect(isOrphaned(folder(true), { isHostDead: false, fate })).toBe(false)
      expect(isOrphaned(folder(false), { isHostDead: true, fate })).toBe(true)
      expect(isOrphaned(folder(true), { isHostDead: true, fate })).toBe(fate === 'ended')
    }
  })

  it('is killed and removed; browsers of hosts that live are left alone', async () => {
    const first = await startPool()
    const dead = await first.pool.create()
    const alive = await first.pool.create()
    const handle = first.driver.handleOf(dead.browserSessionId)
    await orphan(first, dead.browserSessionId, 'killed')
    const { pool } = await startPool({ driver: first.driver }, first.world)
    expect(pool.reconciliation).toMatchObject({
      killed: [{ browserSessionId: dead.browserSessionId, count: 1 }],
      removedDirectories: [handle?.spec.directory],
    })
    expect(handle?.isAlive).toBe(false)
    expect(existsSync(handle?.spec.directory ?? '')).toBe(false)
    expect(first.driver.handleOf(alive.browserSessionId)?.isAlive).toBe(true)
  })
})

describe('a session of another host', () => {
  it('is attached to by one, who hangs up with his lease and leaves it to its owner', async () => {
    const owner = await startPool({ hostId: 'owner' })
    const { browserSessionId, browserAddress } = await owner.pool.create({ attachable: true })
    const driver = owner.driver
    const other = await startPool({ hostId: 'other', driver }, owner.world)
    const before = owner.directories()
    const lease = await other.pool.attach({ browserSessionId, ...RUN_1, requestId: 'r1' })
    expect(driver.connections).toMatchObject([{ browserSessionId, browserAddress }])
    expect(await row(owner.storage, browserSessionId)).toMatchObject({
      hostId: 'owner',
      leaseHolder: 'other',
      runnableId: 'wr_1',
      leaseFence: 1,
    })
    expect((await failure(owner.pool.occupy({ browserSessionId, ...RUN_2 }))).code).toBe('SESSION_OCCUPIED')
    expect((await failure(other.pool.attach({ browserSessionId, ...RUN_2 }))).code).toBe('SESSION_OCCUPIED')
    expect((await other.pool.attach({ browserSessionId, ...RUN_1, requestId: 'r1' })).token).toBe(lease.token)
    await owner.clock.advance(60_000)
    expect(lease.isHeld && !lease.signal.aborted).toBe(true) // the heartbeat renews it
    await lease.release()
    expect(driver.handles.at(-1)?.calls).toMatchObject({ close: 1 })
    expect(driver.handles.at(-1)?.listenerCount).toBe(0)
    expect(owner.directories()).toEqual(before)
    expect(driver.handles[0]).toMatchObject({ isAlive: true })
    expect((await owner.pool.occupy({ browserSessionId, ...RUN_2 })).fence).toBe(2)
    expect((await owner.pool.attach({ browserSessionId, ...RUN_1 }).catch((error) => error)).code).toBe('SESSION_OCCUPIED')
  })

  it('tells who is attached when the owner ends his lease, closes by force, or his own pool stops', async () => {
    const owner = await startPool({ hostId: 'owner' })
    const other = await startPool({ hostId: 'other', driver: owner.driver }, owner.world)
    const attach = async () => {
      const { browserSessionId } = await owner.pool.create({ attachable: true })
      return other.pool.attach({ browserSessionId, ...RUN_1 })
    }
    const [released, closed, stopped, crashed] = [await attach(), await attach(), await attach(), await attach()]
    await owner.pool.forceRelease(released)
    await owner.pool.close({ browserSessionId: closed.browserSessionId, force: true })
    owner.driver.handles.at(-1)?.crash()
    expect(reasonCode(crashed)).toBe('SESSION_LOST')
    await owner.clock.advance(10_100)
    expect([reasonCode(released), reasonCode(closed)]).toEqual(['LEASE_LOST', 'LEASE_LOST'])
    await other.pool.stop()
    expect(reasonCode(stopped)).toBe('LEASE_LOST')
    expect(await row(owner.storage, stopped.browserSessionId)).toMatchObject({ status: 'running', leaseToken: null, runnableId: null })
  })

  it('stays an attacher’s while its owner dies and another adopts it', async () => {
    const owner = await startPool({ hostId: 'owner' })
    const { browserSessionId } = await owner.pool.create(DETACHED)
    const other = await startPool({ hostId: 'other', driver: owner.driver }, owner.world)
    const lease = await other.pool.attach({ browserSessionId, ...RUN_1 })
    await owner.pool.stop()
    const next = await startPool({ hostId: 'next', driver: owner.driver }, owner.world)
    expect(next.pool.reconciliation?.adopted).toEqual([browserSessionId])
    await owner.clock.advance(40_000)
    expect(lease.signal.aborted).toBe(false)
    expect(await row(owner.storage, browserSessionId)).toMatchObject({ hostId: 'next', leaseHolder: 'other', leaseFence: 1 })
    expect((await failure(next.pool.occupy({ browserSessionId, ...RUN_2 }))).code).toBe('SESSION_OCCUPIED')
    await lease.release()
    expect((await next.pool.occupy({ browserSessionId, ...RUN_2 })).fence).toBe(2)
  })

  it('that an attacher leaves tainted is ended by its owner', async () => {
    const owner = await startPool({ hostId: 'owner' })
    const { browserSessionId } = await owner.pool.create({ attachable: true })
    const other = await startPool({ hostId: 'other', driver: owner.driver }, owner.world)
    const lease = await other.pool.attach({ browserSessionId, ...RUN_1 })
    await lease.release({ sanitize: { cookies: true } })
    expect(lease.signal.aborted).toBe(false)
    expect(await row(owner.storage, browserSessionId)).toMatchObject({ status: 'completed', closeReason: 'tainted' })
    await owner.clock.advance(11_000)
    expect(owner.driver.handles[0]?.isAlive).toBe(false)
  })

  it('is refused where it is not attachable, guarded, on another machine, without a host, or does not answer', async () => {
    const networkGuard = { open: async () => ({ port: 1, launchArgs: [], admit() {}, apply() {}, close: async () => {} }) }
    const owner = await startPool({ hostId: 'owner', networkGuard })
    const driver = owner.driver
    const other = await startPool({ hostId: 'other', driver }, owner.world)
    const away = await startPool({ hostId: 'away', driver, machineId: 'elsewhere' }, owner.world)
    const plain = await owner.pool.create()
    const guarded = await owner.pool.create({ attachable: true, guarded: true })
    const { browserSessionId } = await owner.pool.create({ attachable: true })
    const code = async (pool: typeof other.pool, id: string) => (await failure(pool.attach({ browserSessionId: id, ...RUN_1 }))).code
    expect(await code(other.pool, plain.browserSessionId)).toBe('SESSION_NOT_ATTACHABLE')
    expect(await code(other.pool, guarded.browserSessionId)).toBe('SCOPE_NOT_ENFORCEABLE')
    expect(await code(away.pool, browserSessionId)).toBe('SESSION_NOT_ATTACHABLE')
    expect(await code(other.pool, 'bs_none')).toBe('SESSION_NOT_FOUND')
    driver.scriptLaunch({ fails: 'unreachable' })
    expect(await code(other.pool, browserSessionId)).toBe('BROWSER_LAUNCH_FAILED')
    expect(await row(owner.storage, browserSessionId)).toMatchObject({ leaseToken: null, runnableId: null })
    await owner.storage.commit([
      { op: 'update', table: 'browser_sessions', id: browserSessionId, where: {}, set: { hostLeaseExpiresAt: storageNow({ plusMs: -1 }) } },
    ])
    expect(await code(other.pool, browserSessionId)).toBe('SESSION_HOST_UNAVAILABLE')
    const attached = { private: true, runnable: RUN_1, browserAddress: 'http://127.0.0.1:9222' }
    expect((await failure(owner.pool.createOccupied({ ...attached, attachable: true }))).code).toBe('INVALID_ARGUMENT')
  })
})
