import { describe, expect, it } from 'vitest'
import { faultyStorage } from '../../../src/testing/index.js'
import { createWorld, failure, RUN_1, RUN_2, row, startPool } from './kit.js'

/** An attachable session of one host, and another host. */
async function twoHosts() {
  const world = createWorld()
  const owner = await startPool({ hostId: 'host_a' }, world)
  const storage = faultyStorage(world.storage)
  const other = await startPool({ hostId: 'host_b', storage }, world)
  const { browserSessionId } = await owner.pool.create({ attachable: true })
  return { world, owner, other, storage, browserSessionId }
}

describe('attaching', () => {
  it('is given up on when the browser answers too late: what comes then is let go of, and the session is free', async () => {
    const { world, other, browserSessionId } = await twoHosts()
    other.driver.scriptLaunch({ delayMs: 60_000, ignoresDeadline: true })
    const failed = failure(other.pool.attach({ browserSessionId, ...RUN_1 }))
    while (other.driver.pendingLaunches === 0) await new Promise(setImmediate)
    await world.clock.advance(17_000)
    expect(await failed).toMatchObject({ code: 'BROWSER_LAUNCH_FAILED', details: { category: 'timeout' } })
    expect(await row(world.storage, browserSessionId)).toMatchObject({ leaseToken: null, status: 'running' })
    await world.clock.advance(60_000)
    expect(other.driver.liveHandles).toBe(0)
  })

  it('gives out no lease that was taken away while it connected', async () => {
    const { world, owner, other, browserSessionId } = await twoHosts()
    other.driver.scriptLaunch({ delayMs: 5_000 })
    const failed = failure(other.pool.attach({ browserSessionId, ...RUN_1 }))
    while (other.driver.pendingLaunches === 0) await new Promise(setImmediate)
    await owner.pool.forceRelease({ browserSessionId })
    const lease = await owner.pool.occupy({ browserSessionId, ...RUN_2 })
    await world.clock.advance(5_000)
    expect((await failed).code).toBe('STALE_LEASE')
    expect([lease.isHeld, other.driver.liveHandles]).toEqual([true, 0])
  })

  it('tells the former holder on the same host at once, when his runnable takes the session under a newer fence', async () => {
    const { other, browserSessionId } = await twoHosts()
    const former = await other.pool.attach({ browserSessionId, ...RUN_1, runnableFence: 1 })
    const lease = await other.pool.attach({ browserSessionId, ...RUN_1, runnableFence: 2 })
    expect([former.isHeld, former.signal.aborted, lease.isHeld, lease.fence]).toEqual([false, true, true, 2])
  })

  it('does not go on renewing a lease whose release as tainted could not be written', async () => {
    const { world, other, storage, browserSessionId } = await twoHosts()
    const lease = await other.pool.attach({ browserSessionId, ...RUN_1 })
    storage.reset({ failAtCall: 1, when: 'before' })
    await expect(lease.release({ outcome: 'tainted' })).rejects.toThrow()
    storage.reset()
    await world.clock.advance(60_000)
    expect(await row(world.storage, browserSessionId)).toMatchObject({ leaseToken: null, status: 'running' })
    expect(other.driver.liveHandles).toBe(0)
  })
})
