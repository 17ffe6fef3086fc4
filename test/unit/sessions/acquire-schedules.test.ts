import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SessionLease } from '../../../src/sessions/index.js'
import { createWorld, startPool } from './kit.js'

const MAX_SESSIONS = 3
const PER_ORGANIZATION = 4
const TIMEOUT_MS = 20_000
/** Of everything that may be said to somebody who gets no session. */
const REFUSED =
  /^(ACQUIRE_TIMEOUT|POOL_SATURATED|BREAKER_OPEN|BROWSER_LAUNCH_FAILED|SESSION_(OCCUPIED|ENDED|NOT_FOUND|HOST_UNAVAILABLE)|PROBE_FAILED)$/

const organization = fc.constantFrom('a', 'b', 'c')
const host = fc.nat(1)
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('acquire' as const),
      host,
      organization,
      priority: fc.integer({ min: 0, max: 1 }),
      kind: fc.nat(1),
      affinityKey: fc.option(fc.constantFrom('k1', 'k2'), { nil: undefined }),
      abortAfterMs: fc.option(fc.integer({ min: 0, max: 3_000 }), { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('create' as const), host, organization }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('occupy' as const), lease: fc.nat(5), host }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'taint' as const, 'close' as const), lease: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), host, lease: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('slow' as const, 'failing' as const, 'late' as const), host }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 8_000 }) }) },
)

describe('any schedule of acquires, waits, crashes and aborts on two hosts', () => {
  it('settles every call by its deadline, keeps the limits, has one holder a session, and loses no lease', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 50 }), fc.boolean(), async (schedule, isWarm) => {
        const world = createWorld()
        const limits = { maxSessions: MAX_SESSIONS, maxSessionsPerOrganization: PER_ORGANIZATION, maxQueue: 5, launchConcurrency: 2 }
        const warm = isWarm ? { warm: { min: 1 } } : {}
        const options = { ...limits, ...warm, acquireTimeoutMs: TIMEOUT_MS, launchTimeoutMs: 5_000 }
        const hosts = [await startPool({ hostId: 'host_a', ...options }, world), await startPool({ hostId: 'host_b', ...options }, world)]
        const leases: { lease: SessionLease; host: number }[] = []
        const pending: Promise<unknown>[] = []
        const { clock, storage } = world
        let unsettled = 0
        let others = 0

        const check = async () => {
          const held = leases.filter(({ lease }) => lease.isHeld && !lease.signal.aborted).map(({ lease }) => lease.browserSessionId)
          expect(new Set(held).size).toBe(held.length)
          for (const { driver, pool } of hosts) {
            expect(driver.liveHandles).toBeLessThanOrEqual(MAX_SESSIONS)
            const { running, starting, ending, warm: ready, warming } = pool.stats()
            expect(running + starting + ending + ready + warming).toBeLessThanOrEqual(MAX_SESSIONS)
            expect(pool.stats().waiting).toBeLessThanOrEqual(5)
          }
          const rows = await storage.find({ table: 'browser_sessions', where: { status: { in: ['created', 'running'] } }, limit: 100 })
          for (const name of ['a', 'b', 'c']) {
            expect(rows.filter(({ organizationId }) => organizationId === name).length).toBeLessThanOrEqual(PER_ORGANIZATION)
          }
        }
        const watch = (work: Promise<SessionLease>, at: number, timeoutMs: number) => {
          const beganAtMs = clock.monotonicMs()
          unsettled += 1
          const settled = work.then(
            (lease) => {
              expect(lease.signal.aborted).toBe(false)
              leases.push({ lease, host: at })
            },
            (error: { code?: string; message: string }) => {
              if (error.message !== 'gone') expect(error.code, String(error)).toMatch(REFUSED)
            },
          )
          pending.push(
            settled.finally(() => {
              unsettled -= 1
              expect(clock.monotonicMs() - beganAtMs).toBeLessThanOrEqual(timeoutMs)
            }),
          )
        }

        for (const now of schedule) {
          const at = 'host' in now ? now.host : 0
          const chosen = hosts[at]
          const held = 'lease' in now ? leases.at(-1 - now.lease) : undefined
          if (chosen === undefined) continue
          const { pool, driver } = chosen
          const runnable = { runnableType: 'workflow_run', runnableId: `wr_${pending.length}` }
          const quiet = (work: Promise<unknown> | undefined) => {
            others += 1
            pending.push((work ?? Promise.resolve()).catch(() => {}).finally(() => (others -= 1)))
          }
          if (now.do === 'acquire') {
            const { organization: organizationId, priority, affinityKey, kind, abortAfterMs } = now
            const abort = new AbortController()
            const spec = kind === 0 ? {} : { viewport: { width: 800, height: 600 } }
            const params = { organizationId, priority, affinityKey, spec, ...runnable, signal: abort.signal }
            watch(pool.acquire(params), at, TIMEOUT_MS)
            if (abortAfterMs !== undefined) clock.setTimer(() => abort.abort(new Error('gone')), abortAfterMs)
          }
          if (now.do === 'create') quiet(pool.create({ organizationId: now.organization }))
          if (now.do === 'occupy' && held !== undefined) {
            const { organizationId, browserSessionId } = held.lease.session
            watch(pool.occupy({ organizationId, browserSessionId, ...runnable, wait: { timeoutMs: 10_000 } }), at, 10_000)
          }
          if (now.do === 'release') quiet(held?.lease.release())
          if (now.do === 'taint') quiet(held?.lease.release({ outcome: 'tainted' }))
          if (now.do === 'close' && held !== undefined) {
            const { organizationId, browserSessionId } = held.lease.session
            quiet(hosts[held.host]?.pool.close({ organizationId, browserSessionId, force: true }))
          }
          if (now.do === 'crash') driver.handles.findLast(({ isAlive }) => isAlive)?.crash()
          if (now.do === 'slow') driver.scriptLaunch({ delayMs: 2_000 })
          if (now.do === 'failing') driver.scriptLaunch({ fails: 'crashed' }, { delayMs: 9_000 })
          if (now.do === 'late') driver.scriptLaunch({ delayMs: 12_000, ignoresDeadline: true })
          await clock.advance(now.do === 'advance' ? now.ms : 0)
          await check()
        }
        await clock.advance(TIMEOUT_MS)
        expect(unsettled).toBe(0)
        while (others > 0) await clock.advance(1_000) // launches that the disk has kept
        await Promise.all(pending)
        await check()
        // whoever is told that he has none leaves nothing held: all that is held is in somebody's hands
        for (const [at, { pool }] of hosts.entries()) {
          expect(pool.stats().held).toBe(leases.filter((one) => one.host === at && one.lease.isHeld && !one.lease.signal.aborted).length)
          expect(pool.stats().waiting).toBe(0)
        }
        await clock.advance(15_000) // the last late launch
        for (const { pool, driver } of hosts) {
          await pool.stop()
          while (driver.liveHandles > 0 || driver.pendingLaunches > 0) await clock.advance(1_000)
        }
        expect(await storage.count('browser_sessions', { status: { in: ['created', 'running'] } })).toBe(0)
        expect(await storage.count('browser_sessions', { organizationSlot: { isNull: false } })).toBe(0)
        // the disk has its own time: a removal that the fake clock overtook goes on
        while (world.directories().length > 0) await new Promise((resolve) => setImmediate(resolve))
        await clock.advance(0)
        expect(clock.pendingTimers).toBe(0)
      }),
      { numRuns: 60, endOnFailure: true }, // each run takes a while: no shrinking
    )
  }, 90_000)
})
