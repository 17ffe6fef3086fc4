import fc from 'fast-check'

const host = fc.nat(1)
const session = fc.nat(4)
const lease = fc.nat(4)
const organization = fc.constantFrom('a', 'b')

const make = {
  create: fc.record({
    do: fc.constant('create' as const),
    host,
    organization,
    isHeld: fc.boolean(),
    isRelaunched: fc.boolean(),
    isIdling: fc.boolean(),
    isAttachable: fc.boolean(),
  }),
  acquire: fc.record({
    do: fc.constant('acquire' as const),
    host,
    organization,
    priority: fc.nat(1),
    kind: fc.nat(1),
    affinityKey: fc.option(fc.constantFrom('k1', 'k2'), { nil: undefined }),
    timeoutMs: fc.constantFrom(3_000, 20_000),
    abortAfterMs: fc.option(fc.integer({ min: 0, max: 3_000 }), { nil: undefined, freq: 3 }),
  }),
  occupy: fc.record({
    do: fc.constant('occupy' as const),
    host,
    session,
    waitMs: fc.option(fc.constantFrom(2_000, 10_000), { nil: undefined }),
    by: fc.constantFrom('stranger' as const, 'stranger' as const, 'again' as const, 'newer' as const),
  }),
  attach: fc.record({
    do: fc.constant('attach' as const),
    host,
    session,
    by: fc.constantFrom('stranger' as const, 'stranger' as const, 'again' as const, 'newer' as const),
  }),
  release: fc.record({
    do: fc.constant('release' as const),
    lease,
    how: fc.constantFrom('ok' as const, 'ok' as const, 'ok' as const, 'tainted' as const, 'broken' as const, 'sanitize' as const),
  }),
  commit: fc.record({ do: fc.constant('commit' as const), lease, isApplied: fc.boolean() }),
  renew: fc.record({ do: fc.constantFrom('renew' as const, 'touch' as const, 'closeOwn' as const), lease }),
  renewSession: fc.record({
    do: fc.constantFrom('renewSession' as const, 'renewOrClose' as const),
    host,
    session,
    minutes: fc.integer({ min: 1, max: 10 }),
  }),
  end: fc.record({
    do: fc.constantFrom('close' as const, 'close' as const, 'force' as const, 'retire' as const, 'forceRelease' as const),
    host,
    session,
  }),
  closeAll: fc.record({ do: fc.constant('closeAll' as const), host, organization, timeoutMs: fc.constantFrom(0, 5_000) }),
  crash: fc.record({
    do: fc.constantFrom('crash' as const, 'disconnect' as const),
    host,
    browser: fc.nat(3),
    afterMs: fc.constantFrom(0, 0, 7, 900, 2_500),
  }),
  hang: fc.record({
    do: fc.constant('hang' as const),
    host,
    browser: fc.nat(3),
    what: fc.uniqueArray(fc.constantFrom('probe' as const, 'close' as const, 'kill' as const, 'sanitize' as const), { minLength: 1 }),
  }),
  launches: fc.record({ do: fc.constantFrom('slow' as const, 'failing' as const, 'stuck' as const, 'late' as const), host }),
  weather: fc.record({
    do: fc.constant('weather' as const),
    host,
    latencyMs: fc.constantFrom(0, 0, 10, 800, 4_000),
    fault: fc.constantFrom('none' as const, 'down' as const, 'before' as const, 'after' as const),
  }),
  recover: fc.record({ do: fc.constant('recover' as const), host }),
  skewHost: fc.record({ do: fc.constant('skewHost' as const), host, ms: fc.integer({ min: -7_200_000, max: 7_200_000 }) }),
  skewStorage: fc.record({
    do: fc.constant('skewStorage' as const),
    ms: fc.constantFrom(-3_600_000, -40_000, -5_000, 1_500, 40_000, 3_600_000),
  }),
  host: fc.record({ do: fc.constantFrom('die' as const, 'restart' as const), host }),
  advance: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 9_000 }) }),
  wait: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 20_000, max: 400_000 }) }),
}

/** One thing that happens; the hosts, sessions, leases and browsers are picked by number among those that there are. */
export type Step = { [K in keyof typeof make]: (typeof make)[K] extends fc.Arbitrary<infer T> ? T : never }[keyof typeof make]
type Weights = Partial<Record<keyof typeof make, number>>

function schedules(weights: Weights): fc.Arbitrary<Step[]> {
  const arbitraries = Object.entries(weights).map(([name, weight]) => ({ weight, arbitrary: make[name as keyof typeof make] }))
  return fc.array(fc.oneof(...(arbitraries as { weight: number; arbitrary: fc.Arbitrary<Step> }[])), {
    minLength: 6,
    maxLength: 40,
    size: 'max',
  })
}

const USE: Weights = { occupy: 14, attach: 8, release: 14, commit: 2, renew: 6, renewSession: 2, end: 6, advance: 12 }

/** Many who want a session, few sessions: launches of every kind, crashes, aborts; no fault of the storage. */
export const crowded = schedules({ ...USE, acquire: 24, create: 4, crash: 6, hang: 2, launches: 8, closeAll: 1, skewHost: 1, host: 1 })

/** Whatever can fail: storages that are slow, down, or lose answers; clocks that jump; hosts that die. */
export const faulty = schedules({
  ...USE,
  acquire: 6,
  create: 12,
  crash: 6,
  hang: 6,
  launches: 4,
  weather: 8,
  recover: 6,
  skewHost: 1,
  skewStorage: 2,
  host: 2,
  wait: 1,
})
