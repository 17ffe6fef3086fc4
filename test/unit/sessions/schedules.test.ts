import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SessionLease } from '../../../src/sessions/index.js'
import { faultyStorage } from '../../../src/testing/index.js'
import { createWorld, startPool } from './kit.js'

const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('create' as const), host: fc.nat(1), isRelaunched: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('occupy' as const), host: fc.nat(1), session: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'commit' as const, 'renew' as const), lease: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('close' as const, 'force' as const), host: fc.nat(1), session: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('crash' as const, 'hang' as const), host: fc.nat(1), session: fc.nat(3) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('retire' as const, 'forceRelease' as const), host: fc.nat(1), session: fc.nat(3) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('outage' as const, 'recover' as const), host: fc.nat(1) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 45_000 }) }) },
)

describe('any schedule of two hosts', () => {
  it('has at most one holder a session, rising fences, and ends with nothing left', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (schedule) => {
        const world = createWorld()
        const hosts = []
        for (const hostId of ['host_a', 'host_b']) {
          const storage = faultyStorage(world.storage)
          hosts.push({ ...(await startPool({ hostId, storage, maxSessions: 4 }, world)), storageFault: storage })
        }
        const sessions: string[] = []
        const leases: SessionLease[] = []
        const fences = new Map<string, number>()
        const check = () => {
          const holders = leases.filter((lease) => lease.isHeld && !lease.signal.aborted).map((lease) => lease.browserSessionId)
          expect(new Set(holders).size).toBe(holders.length)
        }
        const pending: Promise<unknown>[] = []
        for (const now of schedule) {
          const host = 'host' in now ? hosts[now.host] : hosts[0]
          const browserSessionId = ('session' in now ? sessions[now.session % Math.max(1, sessions.length)] : undefined) ?? 'none'
          const lease = 'lease' in now ? leases.at(-1 - now.lease) : undefined
          if (host === undefined) continue
          const ran = (async () => {
            if (now.do === 'create') {
              const { browserSessionId } = await host.pool.create({
                idleTimeoutMinutes: 1,
                onBrowserLost: now.isRelaunched ? 'relaunch' : 'fail',
              })
              sessions.push(browserSessionId)
            }
            if (now.do === 'occupy') {
              const taken = await host.pool.occupy({ browserSessionId, runnableType: 'workflow_run', runnableId: `wr_${leases.length}` })
              expect(taken.fence).toBeGreaterThan(fences.get(browserSessionId) ?? 0)
              fences.set(browserSessionId, taken.fence)
              leases.push(taken)
            }
            if (now.do === 'release') await lease?.release(now.lease % 2 === 0 ? {} : { sanitize: { tabs: true } })
            if (now.do === 'renew') await lease?.renew()
            if (now.do === 'commit' && lease !== undefined) {
              const writes = lease.releaseWrites()
              const result = writes.length === 0 ? undefined : await world.storage.commit(writes)
              lease.markReleased(result?.ok ?? false)
            }
            if (now.do === 'close' || now.do === 'force') await host.pool.close({ browserSessionId, force: now.do === 'force' })
            if (now.do === 'crash') host.driver.handleOf(browserSessionId)?.crash()
            if (now.do === 'hang') host.driver.handleOf(browserSessionId)?.hang('probe', 'close', 'sanitize')
            if (now.do === 'retire') await host.pool.retire({ browserSessionId })
            if (now.do === 'forceRelease') await host.pool.forceRelease({ browserSessionId })
            if (now.do === 'outage') host.storageFault.reset({ failAtCall: 1, fails: 'onwards' })
            if (now.do === 'recover') host.storageFault.reset()
          })()
          pending.push(ran.catch((error: { code?: string }) => expect(error.code, String(error)).toMatch(/^(SESSION|POOL|STALE|STORAGE)/)))
          await world.clock.advance(now.do === 'advance' ? now.ms : 0)
          check()
        }
        await world.clock.advance(20_000) // what a hanging browser is asked for has its limit
        await Promise.all(pending)
        for (const host of hosts) host.storageFault.reset()
        await world.clock.advance(90_000)
        check()
        for (const host of hosts) {
          await host.pool.stop()
          expect(host.driver.liveHandles).toBe(0)
        }
        expect(await world.storage.count('browser_sessions', { status: { in: ['created', 'running', 'retry'] } })).toBe(0)
        expect(world.clock.pendingTimers).toBe(0)
        // the disk has its own time: a removal that the fake clock overtook goes on
        while (world.directories().length > 0) await new Promise((resolve) => setImmediate(resolve))
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})
