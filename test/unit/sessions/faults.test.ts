import { describe, expect, it } from 'vitest'
import { type FaultyStorageOptions, faultyStorage } from '../../../src/testing/index.js'
import { createWorld, RUN_1, RUN_2, startPool } from './kit.js'

const MINUTE = 60_000

/** One life of a session; each step goes on whatever the one before came to. */
async function life(fault: FaultyStorageOptions) {
  const world = createWorld()
  const storage = faultyStorage(world.storage)
  const { pool, driver, clock } = await startPool({ storage }, world)
  storage.reset(fault)
  const failures: unknown[] = []
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      failures.push(error)
      return undefined
    }
  }
  const session = await attempt(() => pool.create())
  if (session !== undefined) {
    const { browserSessionId } = session
    const lease = await attempt(() => pool.occupy({ browserSessionId, ...RUN_1, requestId: 'req_1' }))
    await attempt(async () => lease?.release())
    await attempt(() => pool.renew({ browserSessionId, minutes: 100 }))
    await attempt(() => pool.close({ browserSessionId }))
  }
  const { calls } = storage
  storage.reset()
  return { pool, driver, clock, world, session, failures, calls }
}

describe('a storage that fails at one call', () => {
  it.each(['before', 'after'] as const)('(%s doing its work) leaves no browser, no folder and no stuck session', async (when) => {
    const total = (await life({})).calls
    expect(total).toBeGreaterThan(5)
    for (let failAtCall = 1; failAtCall <= total; failAtCall += 1) {
      const { pool, driver, clock, world, session, failures } = await life({ failAtCall, when })
      expect(failures.length, `call ${failAtCall}`).toBeGreaterThan(0)
      if (session === undefined) {
        expect([driver.liveHandles, world.directories()], `call ${failAtCall}`).toEqual([0, []])
      } else {
        await clock.advance(2 * MINUTE) // what nobody renews lapses
        const { browserSessionId } = session
        const now = await pool.get({ browserSessionId })
        if (now.status === 'running') {
          const lease = await pool.occupy({ browserSessionId, ...RUN_2 })
          await lease.release()
          await pool.close({ browserSessionId })
        }
        while (world.directories().length > 0) await clock.advance(1_000)
        expect(driver.liveHandles, `call ${failAtCall}`).toBe(0)
      }
      await clock.advance(2 * MINUTE)
      expect(await world.storage.count('browser_sessions', { status: { in: ['created', 'running'] } }), `call ${failAtCall}`).toBe(0)
      await pool.stop()
      expect(clock.pendingTimers, `call ${failAtCall}`).toBe(0)
    }
  })

  it('for good leaves nothing behind after stop', async () => {
    const total = (await life({})).calls
    for (let failAtCall = 1; failAtCall <= total; failAtCall += 1) {
      const { pool, driver, world } = await life({ failAtCall, fails: 'onwards' })
      world.storage.commit = async () => {
        throw new Error('gone for good')
      }
      await pool.stop()
      expect([driver.liveHandles, world.directories(), world.clock.pendingTimers], `call ${failAtCall}`).toEqual([0, [], 0])
    }
  })

  it('gives the asker its own lease back when the answer to its occupation was lost', async () => {
    const world = createWorld()
    const storage = faultyStorage(world.storage)
    const { pool } = await startPool({ storage }, world)
    const { browserSessionId } = await pool.create()
    storage.reset({ failAtCall: 1, when: 'after' })
    const request = { browserSessionId, ...RUN_1, requestId: 'req_1' }
    await expect(pool.occupy(request)).rejects.toThrow()
    const lease = await pool.occupy(request)
    expect([lease.fence, lease.isHeld]).toEqual([1, true])
    await lease.release()
    expect((await pool.occupy({ browserSessionId, ...RUN_2 })).fence).toBe(2)
  })

  it('lets a release be repeated', async () => {
    for (const when of ['before', 'after'] as const) {
      const world = createWorld()
      const storage = faultyStorage(world.storage)
      const { pool } = await startPool({ storage }, world)
      const lease = await pool.createOccupied({ runnable: RUN_1 })
      storage.reset({ failAtCall: 1, when })
      await expect(lease.release()).rejects.toThrow()
      const again = await lease.release().then(
        () => 'released',
        (error) => error.code,
      )
      expect(again).toBe('released')
      expect(lease.signal.aborted).toBe(false)
      expect((await pool.occupy({ browserSessionId: lease.browserSessionId, ...RUN_2 })).fence).toBe(2)
    }
  })
})
