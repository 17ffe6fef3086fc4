import fc from 'fast-check'
import { KINDS } from './workflows.js'

const host = fc.nat(1)
const run = fc.nat(3)
/** Happens at once, or in the middle of so many commits to runs from now: the answer of the last is still on its way. */
const afterCommits = fc.oneof(fc.constant(0), fc.nat(14))

const make = {
  start: fc.record({
    do: fc.constant('start' as const),
    host,
    kind: fc.constantFrom(...KINDS),
    onHostLost: fc.constantFrom('resume' as const, 'fail' as const),
    isLane: fc.boolean(),
    /** Number of a named session, counted from the newest; with a time to wait for it, or not. */
    session: fc.option(fc.record({ number: fc.nat(1), waitMs: fc.option(fc.constantFrom(2_000, 30_000), { nil: undefined }) }), {
      nil: undefined,
      freq: 2,
    }),
    dependsOn: fc.option(run, { nil: undefined, freq: 5 }),
    hasWebhook: fc.boolean(),
    priority: fc.nat(1),
    ms: fc.constantFrom(0, 0, 40, 300, 1_500, 6_000),
  }),
  cancel: fc.record({ do: fc.constant('cancel' as const), host, run, afterCommits }),
  resume: fc.record({
    do: fc.constant('resume' as const),
    host,
    run,
    decision: fc.constantFrom('approve' as const, 'approve' as const, 'reject' as const),
  }),
  session: fc.record({ do: fc.constantFrom('createSession' as const, 'closeSession' as const), host, session: fc.nat(1) }),
  crash: fc.record({ do: fc.constant('crash' as const), host, browser: fc.nat(2) }),
  weather: fc.record({
    do: fc.constant('weather' as const),
    host,
    latencyMs: fc.constantFrom(0, 2, 10, 60, 700),
    afterCommits,
    fault: fc.constantFrom('none' as const, 'none' as const, 'down' as const, 'before' as const, 'after' as const, 'read' as const),
  }),
  recover: fc.record({ do: fc.constant('recover' as const), host }),
  die: fc.record({ do: fc.constant('die' as const), host, afterCommits }),
  freeze: fc.record({ do: fc.constant('freeze' as const), host, afterCommits }),
  stop: fc.record({
    do: fc.constant('stop' as const),
    host,
    timeoutMs: fc.option(fc.constantFrom(100, 2_000), { nil: undefined }),
    withPool: fc.boolean(),
    afterCommits,
    isRestarted: fc.boolean(),
  }),
  skew: fc.record({ do: fc.constant('skew' as const), host, ms: fc.integer({ min: -7_200_000, max: 7_200_000 }) }),
  moment: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 60 }) }),
  advance: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 60, max: 4_000 }) }),
  wait: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 4_000, max: 30_000 }) }),
}

/** One thing that happens; hosts, runs, sessions and browsers are picked by number, runs and sessions from the newest. */
export type Step = { [K in keyof typeof make]: (typeof make)[K] extends fc.Arbitrary<infer T> ? T : never }[keyof typeof make]
type Weights = Partial<Record<keyof typeof make, number>>

/** What happens, and what its chances are drawn from. */
export interface Schedule {
  readonly seed: number
  /** How long calls of the storage take at first. */
  readonly latencyMs: number
  readonly steps: readonly Step[]
}

function schedules(weights: Weights): fc.Arbitrary<Schedule> {
  const arbitraries = Object.entries(weights).map(([name, weight]) => ({ weight, arbitrary: make[name as keyof typeof make] }))
  return fc.record({
    seed: fc.nat(),
    latencyMs: fc.constantFrom(0, 3, 12, 40),
    steps: fc.array(fc.oneof(...(arbitraries as { weight: number; arbitrary: fc.Arbitrary<Step> }[])), {
      minLength: 4,
      maxLength: 24,
      size: 'max',
    }),
  })
}

const USE: Weights = { start: 22, cancel: 14, resume: 10, moment: 16, advance: 14, session: 2 }

/** Hosts that live, and a storage that works: what users do to each other. */
export const fair = schedules({ ...USE, crash: 2, wait: 2, stop: 3 })

/** Whatever can fail: storages that are slow, down, or lose answers; hosts that freeze, die and stop. */
export const faulty = schedules({ ...USE, crash: 2, wait: 2, stop: 4, weather: 8, recover: 4, die: 4, freeze: 3, skew: 1 })
