import { describe, expect, it } from 'vitest'
import { BrowserLaunchError } from '../../../src/errors/index.js'
import { LaunchBreaker } from '../../../src/sessions/launch-breaker.js'
import { LaunchQueue } from '../../../src/sessions/launch-queue.js'
import { FakeClock } from '../../../src/testing/index.js'
import { failure, RUN_1, startPool } from './kit.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))
const caught = (work: () => unknown) => {
  try {
    work()
  } catch (error) {
    return error as { code: string; retryAfterMs: number }
  }
  throw new Error('it did not fail')
}
const opened = (clock: FakeClock) => {
  const breaker = new LaunchBreaker({ clock })
  for (let time = 0; time < 5; time += 1) breaker.admit().failed()
  return breaker
}

describe('the breaker', () => {
  it('opens at the fifth failure in a row, for ten seconds', async () => {
    const clock = new FakeClock()
    const breaker = new LaunchBreaker({ clock })
    for (let time = 0; time < 4; time += 1) breaker.admit().failed()
    breaker.admit().succeeded()
    for (let time = 0; time < 4; time += 1) breaker.admit().failed()
    expect(breaker.state).toBe('closed')
    breaker.admit().failed()
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['open', 10_000])
    expect(caught(() => breaker.admit())).toMatchObject({ code: 'BREAKER_OPEN', retryable: true, retryAfterMs: 10_000 })
    await clock.advance(4_000)
    expect(caught(() => breaker.admit()).retryAfterMs).toBe(6_000)
  })

  it('does not count what says nothing about launches', () => {
    const breaker = new LaunchBreaker({ clock: new FakeClock() })
    for (let time = 0; time < 20; time += 1) breaker.admit().dismissed()
    expect(breaker.state).toBe('closed')
  })

  it('tries one launch after the back-off, and closes when that succeeds', async () => {
    const clock = new FakeClock()
    const breaker = opened(clock)
    await clock.advance(10_000)
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['half_open', 0])
    const trial = breaker.admit()
    expect(caught(() => breaker.admit()).code).toBe('BREAKER_OPEN')
    trial.succeeded()
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['closed', 0])
    for (let time = 0; time < 4; time += 1) breaker.admit().failed()
    expect(breaker.state).toBe('closed')
  })

  it('doubles the back-off with each failed trial, up to two minutes, and begins anew after a success', async () => {
    const clock = new FakeClock()
    const breaker = opened(clock)
    const backoffs: number[] = []
    for (let trial = 0; trial < 6; trial += 1) {
      backoffs.push(breaker.retryAfterMs)
      await clock.advance(breaker.retryAfterMs)
      breaker.admit().failed()
    }
    expect(backoffs).toEqual([10_000, 20_000, 40_000, 80_000, 120_000, 120_000])
    await clock.advance(120_000)
    breaker.admit().succeeded()
    for (let time = 0; time < 5; time += 1) breaker.admit().failed()
    expect(breaker.retryAfterMs).toBe(10_000)
  })

  it('never stays latched by a trial that nobody ends well: the next one is tried at once', async () => {
    const clock = new FakeClock()
    const breaker = opened(clock)
    await clock.advance(10_000)
    breaker.admit().dismissed()
    expect(breaker.state).toBe('half_open')
    breaker.admit().succeeded()
    expect(breaker.state).toBe('closed')
  })

  it('hears nothing of launches that were begun before it opened', async () => {
    const clock = new FakeClock()
    const breaker = new LaunchBreaker({ clock })
    const permits = Array.from({ length: 8 }, () => breaker.admit())
    for (const permit of permits.slice(0, 7)) permit.failed()
    expect(breaker.retryAfterMs).toBe(10_000)
    await clock.advance(10_000)
    const trial = breaker.admit()
    permits[7]?.failed()
    permits[7]?.succeeded()
    expect(breaker.state).toBe('half_open')
    trial.succeeded()
    expect(breaker.state).toBe('closed')
  })
})

describe('the launch queue', () => {
  const setUp = (launchConcurrency: number) => {
    const clock = new FakeClock()
    const queue = new LaunchQueue({ clock, launchConcurrency })
    const begun: string[] = []
    const ends = new Map<string, { resolve(): void; reject(error: Error): void }>()
    const run = (name: string, priority = 0, signal = new AbortController().signal) =>
      queue.run({
        permit: queue.admit(),
        priority,
        signal,
        launch: () => {
          begun.push(name)
          return new Promise<string>((resolve, reject) => ends.set(name, { resolve: () => resolve(name), reject }))
        },
      })
    return { clock, queue, begun, ends, run }
  }

  it('lets so many begin at once, the others by priority and then in order', async () => {
    const { queue, begun, ends, run } = setUp(2)
    const all = ['a', 'b', 'c'].map((name) => run(name))
    all.push(run('urgent', 5))
    expect([begun, queue.waiting, queue.running]).toEqual([['a', 'b'], 2, 2])
    ends.get('a')?.resolve()
    await turn()
    ends.get('b')?.resolve()
    await turn()
    expect(begun).toEqual(['a', 'b', 'urgent', 'c'])
    for (const end of ends.values()) end.resolve()
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'urgent'])
  })

  it('lets go of who gives up while it waits, at once', async () => {
    const { queue, begun, ends, run } = setUp(1)
    const first = run('a')
    const abort = new AbortController()
    const second = failure(run('b', 0, abort.signal))
    abort.abort(new Error('never mind'))
    expect(await second).toMatchObject({ message: 'never mind' })
    expect(queue.waiting).toBe(0)
    ends.get('a')?.resolve()
    await first
    expect(begun).toEqual(['a'])
  })

  it('refuses what still waits when the breaker opens', async () => {
    const { begun, ends, run, queue } = setUp(5)
    const failing = Array.from({ length: 5 }, (_, index) => failure(run(`f${index}`)))
    const waiting = failure(run('late'))
    for (const end of ends.values()) end.reject(new BrowserLaunchError('it crashed', { category: 'crashed' }))
    await Promise.all(failing)
    expect(await waiting).toMatchObject({ code: 'BREAKER_OPEN' })
    expect([begun, queue.breaker.state]).toEqual([['f0', 'f1', 'f2', 'f3', 'f4'], 'open'])
  })

  it('counts failures of browsers, not of what they were asked for, nor aborted ones', async () => {
    const { ends, run, queue } = setUp(1)
    for (const category of ['executable_missing', 'profile_locked', 'aborted'] as const) {
      for (let time = 0; time < 6; time += 1) {
        const launch = failure(run('x'))
        ends.get('x')?.reject(new BrowserLaunchError('no', { category }))
        await launch
      }
    }
    for (let time = 0; time < 6; time += 1) {
      const abort = new AbortController()
      const launch = failure(run('x', 0, abort.signal))
      abort.abort(new Error('never mind'))
      ends.get('x')?.reject(new BrowserLaunchError('crashed', { category: 'crashed' }))
      await launch
    }
    expect(queue.breaker.state).toBe('closed')
  })

  it('measures how long launches take, the wait for their turn apart', async () => {
    const { clock, ends, run, queue } = setUp(1)
    const [first, second] = [run('a'), run('b')]
    await clock.advance(300)
    ends.get('a')?.resolve()
    await first
    await turn()
    await clock.advance(100)
    ends.get('b')?.resolve()
    await second
    expect(queue.launchTimes).toEqual({ count: 2, p50Ms: 100, p95Ms: 300 })
  })
})

describe('a pool whose browsers do not start', () => {
  it('refuses at once after five failures, without a row, and comes back', async () => {
    const { pool, driver, clock, storage } = await startPool()
    driver.scriptLaunch(...Array(5).fill({ fails: 'crashed' }))
    for (let time = 0; time < 5; time += 1) expect((await failure(pool.create())).code).toBe('BROWSER_LAUNCH_FAILED')
    expect([pool.stats().breaker, pool.health().status]).toEqual(['open', 'degraded'])
    const refused = await failure(pool.create())
    expect(refused).toMatchObject({ code: 'BREAKER_OPEN', retryable: true, retryAfterMs: 10_000 })
    expect(await failure(pool.acquire({ ...RUN_1 }))).toMatchObject({ code: 'BREAKER_OPEN' })
    expect([await storage.count('browser_sessions'), driver.specs.length]).toEqual([5, 5])
    await clock.advance(10_000)
    expect(await pool.create()).toMatchObject({ status: 'running' })
    expect([pool.stats().breaker, pool.health().status]).toEqual(['closed', 'ok'])
  })

  it('tries one launch after the back-off: while it goes on the others are refused, and its abort leaves no latch', async () => {
    const { pool, driver, clock } = await startPool()
    driver.scriptLaunch(...Array(5).fill({ fails: 'timeout' }), { delayMs: 60_000 })
    for (let time = 0; time < 5; time += 1) await failure(pool.create())
    await clock.advance(10_000)
    const abort = new AbortController()
    const trial = failure(pool.create({ signal: abort.signal }))
    while (driver.pendingLaunches === 0) await turn()
    expect(await failure(pool.create())).toMatchObject({ code: 'BREAKER_OPEN' })
    abort.abort(new Error('never mind'))
    expect(await trial).toMatchObject({ message: 'never mind' })
    expect(await pool.create()).toMatchObject({ status: 'running' })
  })

  it('rejects plainly, however often, where no browser is installed', async () => {
    const { pool, driver } = await startPool()
    driver.scriptLaunch(...Array(8).fill({ fails: 'executable_missing' }))
    for (let time = 0; time < 8; time += 1) expect((await failure(pool.create())).code).toBe('BROWSER_NOT_FOUND')
    expect(pool.stats().breaker).toBe('closed')
  })

  it('lets an acquire wait for a session that may come free, and gives it that', async () => {
    const { pool, driver, clock } = await startPool()
    const held = await pool.acquire({ ...RUN_1 })
    driver.scriptLaunch(...Array(5).fill({ fails: 'crashed' }))
    for (let time = 0; time < 5; time += 1) await failure(pool.create())
    const acquiring = pool.acquire({ runnableType: 'workflow_run', runnableId: 'wr_2' })
    await clock.advance(100)
    expect(pool.stats().waiting).toBe(1)
    await held.release()
    expect((await acquiring).browserSessionId).toBe(held.browserSessionId)
  })
})
