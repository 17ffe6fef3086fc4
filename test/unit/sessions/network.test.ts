import { describe, expect, it } from 'vitest'
import type { GuardedNetwork, NetworkGuard, NetworkPolicy, ProcessIdentity } from '../../../src/sessions/index.js'
import { FakeBrowserDriver } from '../../../src/testing/index.js'
import { failure, RUN_1, RUN_2, row, startPool } from './kit.js'

const policy = (): NetworkPolicy => ({ check: () => null, onBlocked: () => {} })

/** A guard of air; `log` says what it was asked for. */
function fakeGuard(log: string[] = []) {
  const networks: (GuardedNetwork & { readonly policies: (NetworkPolicy | null)[]; readonly admitted: ProcessIdentity[] })[] = []
  const guard: NetworkGuard = {
    open: async ({ browserSessionId }) => {
      log.push(`open ${browserSessionId}`)
      const network = {
        port: 4_000 + networks.length,
        launchArgs: [`--proxy-server=${4_000 + networks.length}`],
        policies: [] as (NetworkPolicy | null)[],
        admitted: [] as ProcessIdentity[],
        admit: (process: ProcessIdentity) => {
          log.push('admit')
          network.admitted.push(process)
        },
        apply: (next: NetworkPolicy | null) => {
          log.push(next === null ? 'apply nothing' : 'apply')
          network.policies.push(next)
        },
        close: async () => void log.push('close'),
      }
      networks.push(network)
      return network
    },
  }
  return { guard, networks, log }
}

/** A driver that notes its launches among the guard's calls. */
class NotingDriver extends FakeBrowserDriver {
  readonly log: string[] = []
  override launch(...params: Parameters<FakeBrowserDriver['launch']>) {
    this.log.push('launch')
    return super.launch(...params)
  }
}

describe('a guarded session', () => {
  it('has its network before its browser, and the browser goes through it', async () => {
    const driver = new NotingDriver()
    const { guard, networks } = fakeGuard(driver.log)
    const { pool, storage } = await startPool({ networkGuard: guard, driver })
    const first = policy()
    const lease = await pool.createOccupied({ runnable: RUN_1, guarded: true, networkPolicy: first })
    expect(driver.log).toEqual([`open ${lease.browserSessionId}`, 'apply', 'launch', 'admit'])
    expect(networks[0]?.policies).toEqual([first])
    expect(networks[0]?.admitted).toEqual([driver.handles[0]?.process])
    expect(driver.specs[0]?.launchArgs).toEqual(['--proxy-server=4000'])
    expect(await row(storage, lease.browserSessionId)).toMatchObject({ guarded: true, scopeProxyPort: 4_000 })
    await pool.close({ browserSessionId: lease.browserSessionId, lease })
    expect(driver.log.at(-1)).toBe('close')
  })

  it('is under the policy of its present lease, and between leases under the last one', async () => {
    const { guard, networks } = fakeGuard()
    const { pool } = await startPool({ networkGuard: guard })
    const { browserSessionId } = await pool.create({ guarded: true })
    const [first, second] = [policy(), policy()]
    const lease = await pool.occupy({ browserSessionId, ...RUN_1, networkPolicy: first })
    await lease.release()
    expect(networks[0]?.policies).toEqual([null, first])
    const next = await pool.occupy({ browserSessionId, ...RUN_2, networkPolicy: second })
    await next.release()
    await pool.occupy({ browserSessionId, ...RUN_1 })
    expect(networks[0]?.policies).toEqual([null, first, second, null])
  })

  it('gives its network back when its launch fails', async () => {
    const { guard, log } = fakeGuard()
    const { pool, driver } = await startPool({ networkGuard: guard })
    driver.scriptLaunch({ fails: new Error('no browser') }, { fails: new Error('no browser') }, { fails: new Error('no browser') })
    expect(await failure(pool.create({ guarded: true }))).toMatchObject({ code: 'BROWSER_LAUNCH_FAILED' })
    expect(log.filter((call) => call.startsWith('open')).length).toBe(log.filter((call) => call === 'close').length)
  })

  it('needs a guard: the first that comes', async () => {
    const { pool, driver, storage } = await startPool()
    expect(await failure(pool.create({ guarded: true }))).toMatchObject({ code: 'SCOPE_NOT_ENFORCEABLE' })
    expect(await storage.find({ table: 'browser_sessions' })).toEqual([])
    const [first, second] = [fakeGuard(), fakeGuard()]
    pool.useNetworkGuard(first.guard)
    pool.useNetworkGuard(second.guard)
    await pool.create({ guarded: true })
    expect([first.networks.length, second.networks.length]).toEqual([1, 0])
    expect(driver.specs).toHaveLength(1)
  })
})

describe('a browser that somebody else has started', () => {
  /** One that can judge its requests itself, when it is asked to. */
  class AttachingDriver extends FakeBrowserDriver {
    readonly policies: (NetworkPolicy | null)[] = []
    fails = false
    override async connect(...params: Parameters<FakeBrowserDriver['connect']>) {
      const guardRequests = async (next: NetworkPolicy | null) => {
        if (this.fails) throw new Error('it does not answer')
        this.policies.push(next)
      }
      return Object.assign(await super.connect(...params), { guardRequests })
    }
  }
  const browserAddress = 'http://127.0.0.1:9222'

  it('judges its requests itself, for as long as a lease with a policy lasts', async () => {
    const driver = new AttachingDriver()
    const { pool } = await startPool({ driver })
    const [first, second] = [policy(), policy()]
    const lease = await pool.createOccupied({ runnable: RUN_1, browserAddress, networkPolicy: first })
    expect(driver.policies).toEqual([first])
    await lease.release()
    const { browserSessionId } = lease
    const next = await pool.occupy({ browserSessionId, ...RUN_2, networkPolicy: second })
    await next.release()
    const last = await pool.occupy({ browserSessionId, ...RUN_1 })
    await last.release()
    expect(driver.policies).toEqual([first, null, second, null])
    driver.fails = true
    expect(await failure(pool.occupy({ browserSessionId, ...RUN_2, networkPolicy: second }))).toMatchObject({
      message: 'it does not answer',
    })
    driver.fails = false
    await pool.occupy({ browserSessionId, ...RUN_2 }) // the lease was given back
  })

  it('cannot be held to a policy when it cannot do that', async () => {
    const { pool } = await startPool()
    const refused = pool.createOccupied({ runnable: RUN_1, browserAddress, networkPolicy: policy() })
    expect(await failure(refused)).toMatchObject({ code: 'SCOPE_NOT_ENFORCEABLE' })
    expect(await failure(pool.createOccupied({ runnable: RUN_1, browserAddress, guarded: true }))).toMatchObject({
      code: 'SCOPE_NOT_ENFORCEABLE',
    })
  })
})

describe('a policy', () => {
  it('is refused on a session that is not guarded, before anything is written', async () => {
    const { pool, storage, events } = await startPool({ networkGuard: fakeGuard().guard })
    const { browserSessionId } = await pool.create()
    const before = [await row(storage, browserSessionId), events.length]
    const refused = await failure(pool.occupy({ browserSessionId, ...RUN_1, networkPolicy: policy() }))
    expect(refused).toMatchObject({ code: 'SCOPE_NOT_ENFORCEABLE', details: { browserSessionId } })
    expect([await row(storage, browserSessionId), events.length]).toEqual(before)
    const unguarded = pool.createOccupied({ runnable: RUN_1, networkPolicy: policy() })
    expect(await failure(unguarded)).toMatchObject({ code: 'SCOPE_NOT_ENFORCEABLE' })
    await pool.occupy({ browserSessionId, ...RUN_1 })
  })
})
