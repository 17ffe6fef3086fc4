import type { NetworkPolicy } from 'runwright'
import { FakeBrowserDriver } from 'runwright/testing'
import type { BenchContext } from '../lib/area.js'
import { type HeldRun, holdRun } from '../lib/held-block.js'
import { startHost } from '../lib/host.js'
import { median } from '../lib/statistics.js'
import { timedMs } from '../lib/timed.js'
import { medianDifference, takeTurns } from '../lib/turns.js'

const US = 1_000
const PAGE = 'https://app.example.com/'
const POLICY = { allowedDomains: ['example.com', 'example.org'], blockedDomains: ['ads.example.com'] }

/**
 * What a policy adds to an action: clicks on a scripted page in a run with a policy, beside the same in a run without one. Nothing but
 * the checks differs, as the page answers at once and no request is sent.
 */
export async function measureScopeCheck(context: BenchContext): Promise<Record<string, number>> {
  const [turns, clicks] = context.isQuick ? [10, 20] : [200, 100]
  context.progress(`scope checks, ${turns} turns of ${clicks} clicks`)
  const policies: NetworkPolicy[] = []
  const elements = [
    { css: '#a', role: 'button', name: 'A' },
    { css: '#b', role: 'button', name: 'B' },
  ]
  const driver = new FakeBrowserDriver({ site: { [PAGE]: { title: 'Shop', elements } } })
  const host = await startHost({ driver, pool: { networkGuard: listening(policies) } })
  try {
    const [guarded, plain] = [await holdRun(host.engine, { scopePolicy: POLICY }), await holdRun(host.engine)]
    for (const { context } of [guarded, plain]) await context.page.goto(PAGE)
    const times = await takeTurns(turns, {
      guarded: () => clickMany(guarded, clicks),
      plain: () => clickMany(plain, clicks),
    })
    for (const [side, ms] of Object.entries(times)) context.sample(`action on a scripted page, ${side}, µs`, perClick(ms, clicks))
    for (const run of [guarded, plain]) await run.end()
    return {
      scopeCheckUs: (medianDifference(times.guarded, times.plain) * US) / clicks,
      scriptedActionUs: (median(times.plain) * US) / clicks,
      networkCheckUs: checkUs(policies.at(-1), context.isQuick ? 1_000 : 100_000),
    }
  } finally {
    await host.stop()
  }
}

const perClick = (ms: readonly number[], clicks: number) => ms.map((value) => (value * US) / clicks)

function clickMany({ context }: HeldRun, clicks: number): Promise<number> {
  return timedMs(async () => {
    for (let index = 0; index < clicks; index++) await context.page.click(index % 2 === 0 ? '#a' : '#b')
  })
}

/** Opens no way to the network, as nothing would use it, and keeps the policies that it is given. */
function listening(policies: NetworkPolicy[]) {
  return {
    open: async () => ({
      port: 9,
      launchArgs: [],
      admit() {},
      apply(policy: NetworkPolicy | null) {
        if (policy !== null) policies.push(policy)
      },
      async close() {},
    }),
  }
}

/** What the proxy asks about a connection: the name, then the address that it came to. */
function checkUs(policy: NetworkPolicy | undefined, count: number): number {
  if (policy === undefined) throw new Error('The run with a policy gave none to its network')
  const ask = (rounds: number) => {
    let refused = 0
    for (let index = 0; index < rounds; index++) {
      const host = `host-${index % 50}.example.com`
      if (policy.check({ host, port: 443 }) !== null) refused++
      if (policy.check({ host, port: 443, address: '93.184.216.34' }) !== null) refused++
    }
    return refused
  }
  ask(count) // warms up
  const startedAt = performance.now()
  const refused = ask(count)
  if (refused > 0) throw new Error(`The policy refused ${refused} connections that it admits`)
  return ((performance.now() - startedAt) * US) / count
}
