import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lowestFreeSlot, OrganizationSlots, SLOT_KEY } from '../../../src/sessions/organization-slots.js'
import { specKey } from '../../../src/sessions/session-spec.js'
import { tables } from '../../../src/storage/index.js'
import { createWorld, failure, RUN_1, row, startPool } from './kit.js'

const run = (runnableId: string) => ({ runnableType: 'workflow_run', runnableId })

describe('the sessions that an organisation may have', () => {
  it('are counted over all hosts', async () => {
    const { pool, world } = await startPool({ hostId: 'host_a', maxSessionsPerOrganization: 2 })
    const other = await startPool({ hostId: 'host_b', maxSessionsPerOrganization: 2 }, world)
    const first = await pool.create()
    await other.pool.create()
    const error = await failure(pool.create())
    expect(error).toMatchObject({
      code: 'POOL_SATURATED',
      retryable: true,
      details: { organizationId: 'acme', maxSessionsPerOrganization: 2, used: 2 },
    })
    expect(await world.storage.count('browser_sessions')).toBe(2)
    expect([pool.stats().starting, world.directories().length]).toEqual([0, 2])
    await other.pool.create({ organizationId: 'somebody else' })
    await pool.close({ browserSessionId: first.browserSessionId })
    expect(await row(world.storage, first.browserSessionId)).toMatchObject({ organizationSlot: null })
    expect(await other.pool.create()).toMatchObject({ status: 'running', organizationSlot: 0 })
  })

  it('are never more, however many are asked for at once', async () => {
    const { pool, world } = await startPool({ hostId: 'host_a', maxSessionsPerOrganization: 5, maxSessions: 50 })
    const other = await startPool({ hostId: 'host_b', maxSessionsPerOrganization: 5, maxSessions: 50 }, world)
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? pool : other.pool).create().catch((error: { code: string }) => error.code),
      ),
    )
    const made = outcomes.filter((outcome) => typeof outcome !== 'string')
    expect(outcomes.filter((outcome) => outcome === 'POOL_SATURATED')).toHaveLength(35)
    expect(made.map((session) => (session as { organizationSlot: number }).organizationSlot).sort()).toEqual([0, 1, 2, 3, 4])
    expect(await world.storage.count('browser_sessions')).toBe(5)
  })

  it('free their slot when they end in any way', async () => {
    const { pool, driver, storage, clock } = await startPool({ maxSessionsPerOrganization: 1 })
    driver.scriptLaunch({ fails: 'crashed' })
    await failure(pool.create())
    const { browserSessionId } = await pool.create({ timeoutMinutes: 5 })
    driver.handleOf(browserSessionId)?.crash()
    while ((await row(storage, browserSessionId)).status === 'running') await clock.advance(0)
    const lease = await pool.createOccupied({ runnable: RUN_1, private: true })
    await pool.close({ browserSessionId: lease.browserSessionId, force: true })
    await pool.create({ timeoutMinutes: 5 })
    await clock.advance(6 * 60_000)
    expect(await pool.create()).toMatchObject({ organizationSlot: 0 })
  })

  it('are waited for by acquire, also when another host frees one', async () => {
    const { pool, world, clock } = await startPool({ hostId: 'host_a', maxSessionsPerOrganization: 1 })
    const other = await startPool({ hostId: 'host_b', maxSessionsPerOrganization: 1 }, world)
    const there = await other.pool.create()
    const here = pool.acquire({ ...RUN_1 })
    await clock.advance(5_000)
    expect(pool.stats()).toMatchObject({ waiting: 1, starting: 0 })
    await other.pool.close({ browserSessionId: there.browserSessionId })
    await clock.advance(1_500)
    expect((await here).session.organizationSlot).toBe(0)
  })

  it('keep nobody else from his', async () => {
    const { pool, clock } = await startPool({ maxSessionsPerOrganization: 1, maxSessions: 3 })
    const held = await pool.acquire({ organizationId: 'a', ...run('a1') })
    const waiting = pool.acquire({ organizationId: 'a', ...run('a2') })
    await clock.advance(0)
    const other = await pool.acquire({ organizationId: 'b', ...run('b1') })
    expect([pool.stats().waiting, other.isHeld]).toEqual([1, true])
    await held.release()
    expect((await waiting).browserSessionId).toBe(held.browserSessionId)
  })

  it('do not make those who wait ask again and again', async () => {
    const { pool, clock, storage } = await startPool({ maxSessionsPerOrganization: 1, maxSessions: 5 })
    await pool.acquire({ ...run('a') })
    const waiting = ['b', 'c', 'd'].map((id) => failure(pool.acquire({ ...run(id), timeoutMs: 10_000 })))
    let commits = 0
    const commit = storage.commit.bind(storage)
    storage.commit = async (batch) => {
      commits += 1
      return commit(batch)
    }
    await clock.advance(10_000)
    for (const one of waiting) expect(await one).toMatchObject({ code: 'ACQUIRE_TIMEOUT' })
    expect(commits).toBeLessThan(60) // heartbeats, and one look a second by each
  })
})

describe('slots', () => {
  it('are the lowest that is free', () => {
    expect(lowestFreeSlot(new Set(), 3)).toBe(0)
    expect(lowestFreeSlot(new Set([0, 2]), 3)).toBe(1)
    expect(lowestFreeSlot(new Set([0, 1, 2]), 3)).toBeUndefined()
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(20)), fc.integer({ min: 1, max: 20 }), (taken, limit) => {
        const slot = lowestFreeSlot(new Set(taken), limit)
        if (slot === undefined) {
          expect(taken.filter((one) => one < limit)).toHaveLength(limit)
          return
        }
        expect(taken).not.toContain(slot)
        for (let lower = 0; lower < slot; lower += 1) expect(taken).toContain(lower)
      }),
    )
  })

  it('have the key of the table, and are taken again when another host was first', async () => {
    expect(tables.browser_sessions.unique?.map(({ name }) => name)).toContain(SLOT_KEY)
    const { storage } = createWorld()
    const slots = new OrganizationSlots({ storage, maxSessionsPerOrganization: 3 })
    const tried: (number | null)[] = []
    const result = await slots.insert('acme', async (slot) => {
      tried.push(slot)
      return tried.length < 3 ? { ok: false, index: 0, reason: 'duplicate', constraint: SLOT_KEY } : { ok: true, rows: [], events: [] }
    })
    expect([result.ok, tried]).toEqual([true, [0, 0, 0]])
    const refusing = slots.insert('acme', async () => ({ ok: false, index: 0, reason: 'duplicate', constraint: 'primary' }))
    expect((await refusing).ok).toBe(false)
    expect(
      await failure(slots.insert('acme', async () => ({ ok: false, index: 0, reason: 'duplicate', constraint: SLOT_KEY }))),
    ).toMatchObject({
      code: 'POOL_SATURATED',
    })
  })

  it('are not counted where there is no limit', async () => {
    const { storage } = createWorld()
    const tried: (number | null)[] = []
    await new OrganizationSlots({ storage }).insert('acme', async (slot) => {
      tried.push(slot)
      return { ok: true, rows: [], events: [] }
    })
    expect(tried).toEqual([null])
  })
})

describe('two requests', () => {
  const base = { browserType: 'chromium', viewport: null, guarded: false, extensions: [] }
  it('want the same kind of browser whatever they say about time, order and owner', () => {
    const other = {
      ...base,
      timeoutMinutes: 5,
      url: 'https://a.test/',
      priority: 3,
      organizationId: 'x',
      browserSessionId: 'y',
      headless: true,
    }
    expect(specKey(other, { headless: true })).toBe(specKey(base, { headless: true }))
    expect(specKey({ ...base, extraHttpHeaders: { a: '1', b: '2' } }, { headless: true })).toBe(
      specKey({ ...base, extraHttpHeaders: { b: '2', a: '1' } }, { headless: true }),
    )
  })

  it.each([
    { headless: false },
    { guarded: true },
    { extensions: ['x'] },
    { extraHttpHeaders: { a: '1' } },
    { browserProfileId: 'bp_1' },
    { proxyLocation: 'de' },
    { timezoneId: 'Europe/Paris' },
    { record: { video: true } },
  ])('want another with %j', (more) => {
    expect(specKey({ ...base, ...more }, { headless: true })).not.toBe(specKey(base, { headless: true }))
  })
})
