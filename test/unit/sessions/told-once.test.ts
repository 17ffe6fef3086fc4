import { describe, expect, it } from 'vitest'
import { type AnyEvent, sessionStream } from '../../../src/events/index.js'
import type { MemoryStorage } from '../../../src/storage/index.js'
import { faultyStorage } from '../../../src/testing/index.js'
import { createWorld, RUN_1, RUN_2, startPool } from './kit.js'

const releases = (events: readonly { readonly type: string; readonly payload: unknown }[]) =>
  events.filter(({ type }) => type === 'session.released').map(({ payload }) => (payload as { leaseFence: number }).leaseFence)

const stream = (storage: MemoryStorage, browserSessionId: string) => storage.readEvents({ stream: sessionStream(browserSessionId) })

/** A host whose holder is forced off its session by another host, and has not heard of it. */
async function forcedOff(onBrowserLost: 'fail' | 'relaunch' = 'fail') {
  const first = await startPool({ hostId: 'host_a' })
  const second = await startPool({ hostId: 'host_b' }, first.world)
  const lease = await first.pool.createOccupied({ runnable: RUN_1, onBrowserLost })
  const { browserSessionId } = lease
  await second.pool.forceRelease({ browserSessionId })
  expect(lease.isHeld).toBe(true)
  const told = async () => ({
    stream: releases(await stream(first.storage, browserSessionId)),
    listeners: releases([...first.events, ...second.events]),
  })
  return { ...first, lease, browserSessionId, second, told }
}

describe('the end of a lease', () => {
  const once = { stream: [1], listeners: [1] }

  it('that another host has ended is not told again when the browser is lost', async () => {
    const { driver, clock, told } = await forcedOff()
    driver.handles[0]?.crash()
    await clock.advance(0)
    expect(await told()).toEqual(once)
  })

  it('nor when the browser is replaced', async () => {
    const { driver, clock, told, pool, browserSessionId } = await forcedOff('relaunch')
    driver.handles[0]?.crash()
    while ((await pool.get({ browserSessionId })).leaseFence < 2) await clock.advance(10)
    expect(await told()).toEqual(once)
  })

  it.each(['close by force', 'close by its holder', 'stop', 'closeAll'] as const)('nor by %s', async (how) => {
    const { pool, lease, browserSessionId, told } = await forcedOff()
    if (how === 'stop') await pool.stop()
    else if (how === 'closeAll') await pool.closeAll({ timeoutMs: 0 })
    else await pool.close({ browserSessionId, ...(how === 'close by force' ? { force: true } : { lease }) })
    expect(await told()).toEqual(once)
  })

  it('of whoever really holds the session is told when its host ends it', async () => {
    const first = await startPool({ hostId: 'host_a' })
    const second = await startPool({ hostId: 'host_b' }, first.world)
    const { browserSessionId } = await first.pool.create({ attachable: true })
    const lease = await second.pool.attach({ browserSessionId, ...RUN_2 })
    first.driver.handles[0]?.crash()
    await first.clock.advance(0)
    expect(releases(await stream(first.storage, browserSessionId))).toEqual([1])
    await lease.release().catch(() => {}) // refused: it is over
    expect(releases(await stream(first.storage, browserSessionId))).toEqual([1])
  })

  it('that lapsed is told when somebody else takes the session, before his own', async () => {
    const { pool, storage, clock } = await startPool({ reapIntervalMs: 100_000_000 })
    const { browserSessionId } = await pool.create()
    const leaseExpiresAt = new Date(clock.now().getTime() + 10_000)
    const set = { ...RUN_1, leaseToken: 'x', leaseFence: 4, leaseExpiresAt }
    await storage.commit([{ op: 'update', table: 'browser_sessions', id: browserSessionId, set }])
    await clock.advance(13_001)
    expect((await pool.occupy({ browserSessionId, ...RUN_2 })).fence).toBe(5)
    const told = (await stream(storage, browserSessionId)).slice(-2).map(({ type, payload }) => [type, payload])
    expect(told).toMatchObject([
      ['session.released', { ...RUN_1, leaseFence: 4 }],
      ['session.occupied', { ...RUN_2, leaseFence: 5 }],
    ])
  })
})

describe('a release whose answer was lost', () => {
  /** Its commit was applied, and its holder does not know. */
  async function unanswered() {
    const world = createWorld()
    const storage = faultyStorage(world.storage)
    const kit = await startPool({ storage }, world)
    const lease = await kit.pool.createOccupied({ runnable: RUN_1 })
    storage.reset({ failAtCall: 1, when: 'after' })
    await expect(lease.release()).rejects.toThrow()
    storage.reset()
    const { browserSessionId } = lease
    expect(releases(kit.events)).toEqual([])
    const told = async () => ({ stream: releases(await stream(world.storage, browserSessionId)), listeners: releases(kit.events) })
    return { ...kit, lease, browserSessionId, told }
  }
  const once = { stream: [1], listeners: [1] }

  it('is told once, to listeners too, when it is repeated', async () => {
    const { lease, clock, told } = await unanswered()
    await lease.release()
    await clock.advance(20_000)
    expect(await told()).toEqual(once)
  })

  it('is told once when nobody repeats it, with the next pass of the reaper', async () => {
    const { clock, told } = await unanswered()
    await clock.advance(20_000)
    expect(await told()).toEqual(once)
  })

  it.each(['crash', 'close', 'stop', 'the next lease'] as const)('is told once, and before what follows: %s', async (what) => {
    const { pool, driver, browserSessionId, clock, events, told } = await unanswered()
    if (what === 'crash') driver.handles[0]?.crash()
    else if (what === 'close') await pool.close({ browserSessionId })
    else if (what === 'stop') await pool.stop()
    else await pool.occupy({ browserSessionId, ...RUN_2 })
    await clock.advance(0)
    expect(await told()).toEqual(once)
    const seqs = events.map((event: AnyEvent) => event.seq)
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
  })

  it('in a commit of the holder’s own is told to listeners, too', async () => {
    const { pool, storage, events, clock } = await startPool()
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    expect((await storage.commit(lease.releaseWrites())).ok).toBe(true)
    lease.markReleased(false) // as far as its holder knows
    await clock.advance(20_000)
    expect(releases(await stream(storage, lease.browserSessionId))).toEqual([1])
    expect(releases(events)).toEqual([1])
  })

  it('that did not happen is told when it does', async () => {
    const world = createWorld()
    const storage = faultyStorage(world.storage)
    const { pool, events, clock } = await startPool({ storage }, world)
    const lease = await pool.createOccupied({ runnable: RUN_1 })
    storage.reset({ failAtCall: 1, when: 'before' })
    await expect(lease.release()).rejects.toThrow()
    storage.reset()
    await clock.advance(10_000)
    expect(releases(events)).toEqual([])
    await lease.release()
    await clock.advance(100_000)
    expect([releases(events), releases(await stream(world.storage, lease.browserSessionId))]).toEqual([[1], [1]])
  })
})
