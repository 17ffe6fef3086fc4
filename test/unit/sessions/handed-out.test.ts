import { describe, expect, it } from 'vitest'
import { sleep } from '../../../src/runtime/index.js'
import type { LaunchSpec, PageOperationOptions } from '../../../src/sessions/ports.js'
import type { Storage } from '../../../src/storage/index.js'
import { FakeBrowserDriver, type FakeBrowserHandle, faultyStorage } from '../../../src/testing/index.js'
import { createWorld, failure, RUN_1, RUN_2, row, startPool } from './kit.js'

describe('a session whose browser dies, or whose storage fails, at the wrong moment', () => {
  it('is not handed out when it dies while it is written down as running', async () => {
    const world = createWorld()
    let isSlow = false
    const storage: Storage = {
      ...faultyStorage(world.storage),
      commit: async (batch) => {
        if (isSlow) await sleep(world.clock, 500)
        return world.storage.commit(batch)
      },
    }
    const afterLaunch = () => {
      isSlow = true
    }
    const { pool, driver, clock } = await startPool({ storage, hooks: { afterLaunch } }, world)
    const refused = failure(pool.acquire({ ...RUN_1 }))
    while (driver.handles.length === 0 || !isSlow) await new Promise((resolve) => setImmediate(resolve))
    driver.handles[0]?.crash()
    await clock.advance(2_000)
    expect(await refused).toMatchObject({ code: 'BROWSER_LAUNCH_FAILED', category: 'crashed', retryable: true })
    const browserSessionId = driver.handles[0]?.spec.browserSessionId ?? ''
    expect(await row(world.storage, browserSessionId)).toMatchObject({ status: 'failed', closeReason: 'crashed', leaseToken: null })
    expect(pool.stats()).toMatchObject({ running: 0, held: 0 })
  })

  it('leaves no browser behind when it comes up in the very moment of the abort', async () => {
    const world = createWorld()
    const abort = new AbortController()
    class Driver extends FakeBrowserDriver {
      override async launch(spec: LaunchSpec, options: PageOperationOptions): Promise<FakeBrowserHandle> {
        const browser = await super.launch(spec, options)
        abort.abort(new Error('gone'))
        return browser
      }
    }
    const driver = new Driver({ clock: world.clock })
    const { pool, clock, directories } = await startPool({ driver }, world)
    await expect(pool.create({ signal: abort.signal })).rejects.toThrow('gone')
    await clock.advance(1_000)
    expect([driver.handles.length, driver.liveHandles]).toEqual([1, 0])
    while (directories().length + pool.stats().starting > 0) await new Promise((resolve) => setImmediate(resolve))
  })

  it('is given out again although the answer to its release was lost', async () => {
    const world = createWorld()
    const storage = faultyStorage(world.storage)
    const { pool, clock } = await startPool({ storage }, world)
    const lease = await pool.acquire({ ...RUN_1 })
    storage.reset({ failAtCall: 1, when: 'after', calls: ['commit'] })
    expect((await failure(lease.release())).code).toBe('STORAGE_FAILED')
    await clock.advance(40_000)
    expect([lease.isHeld, lease.signal.aborted, pool.stats().held]).toEqual([false, false, 0])
    const next = await pool.acquire({ ...RUN_2 })
    expect([next.browserSessionId, next.fence]).toEqual([lease.browserSessionId, 2])
  })
})
