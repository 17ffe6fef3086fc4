import { describe, expect, it } from 'vitest'
import type { Write } from '../../../src/storage/index.js'
import {
  begun,
  code,
  createWorld,
  finals,
  handlers,
  runRow,
  settle,
  startEngine,
  startHost,
  streamOf,
  until,
  watchedStorage,
} from './kit.js'

const hangs = ({ signal }: { signal: AbortSignal }) =>
  new Promise<null>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

function watchedWorld() {
  let watched!: ReturnType<typeof watchedStorage>['watched']
  const world = createWorld((memory) => {
    const wrapped = watchedStorage(memory)
    watched = wrapped.watched
    return wrapped.storage
  })
  return { world, watched }
}

const isRenewal = (batch: readonly Write[]) => batch.some((write) => write.op === 'updateAll' && write.table === 'runs')

describe('the heartbeat', () => {
  it('renews many runs with one statement, every third of the TTL', async () => {
    const { world, watched } = watchedWorld()
    const { start, events, clock, memory, engine } = await startEngine({ handlers: { hangs }, concurrency: 50 }, world)
    for (let count = 0; count < 50; count++) await start({ blocks: [code('a', 'hangs')] })
    await until(() => begun(events).length === 50)
    watched.commits.length = 0
    await clock.advance(30_000)
    expect(watched.commits.filter(isRenewal)).toHaveLength(3)
    expect(watched.commits).toHaveLength(3)
    for (const { leaseExpiresAt } of await memory.find({ table: 'runs' }))
      expect(leaseExpiresAt).toEqual(new Date(clock.now().getTime() + 30_000))
    await settle(engine.destroy(), clock)
    expect(clock.pendingTimers).toBe(0)
  })

  it('rests while nothing runs', async () => {
    const { run, clock } = await startEngine()
    await run({ blocks: [code('a')] })
    expect(clock.pendingTimers).toBe(0)
  })

  it('brings back a cancel that was asked of another engine', async () => {
    const world = createWorld()
    const first = await startEngine({ handlers: { hangs } }, world)
    const second = await startEngine({}, world)
    const handle = await first.start({ blocks: [code('a', 'hangs')] })
    await until(() => begun(first.events).length === 1)
    await second.engine.cancel({ workflowRunId: handle.workflowRunId, by: 'the other' })
    const result = await settle(second.engine.waitForRun({ workflowRunId: handle.workflowRunId }), world.clock)
    expect(result).toMatchObject({ status: 'canceled', failureReason: 'canceled by the other' })
    expect(world.clock.monotonicMs()).toBeLessThanOrEqual(10_000)
    expect(finals(second.events)).toEqual([])
  })

  it('notices a takeover: the run is abandoned here', async () => {
    const { start, events, clock, memory } = await startEngine({ handlers: { hangs } })
    await start({ blocks: [code('a', 'hangs')] })
    await until(() => begun(events).length === 1)
    await memory.commit([{ op: 'update', table: 'runs', id: 'wr_1', set: { leaseFence: 2, leaseHolder: 'another' } }])
    await clock.advance(10_000)
    expect(clock.pendingTimers).toBe(0)
    expect(await runRow(memory)).toMatchObject({ status: 'running', leaseFence: 2, leaseHolder: 'another' })
    expect(finals(await streamOf(memory))).toEqual([])
  })

  it.each(['throws', 'hangs'] as const)(
    'on a storage that %s: the host stops the run before its lease ends, and lets its session go',
    async (how) => {
      const { world, watched } = watchedWorld()
      let stoppedAtMs = -1
      const { start, events, clock, memory, pool, driver } = await startHost({
        world,
        engine: {
          handlers: { watch: (params) => hangs(params).finally(() => (stoppedAtMs = world.clock.monotonicMs())) },
        },
      })
      const { browserSessionId } = await pool.create()
      await clock.advance(3_000)
      await start({ blocks: [code('a', 'watch')] }, { browserSessionId })
      await until(() => begun(events).length === 1)
      const claimedAtMs = clock.monotonicMs()
      await clock.advance(12_000) // one heartbeat succeeds
      const expiresAt = (await runRow(memory)).leaseExpiresAt?.getTime() ?? 0
      watched.before = (batch) => {
        if (!batch.some((write) => 'table' in write && write.table === 'runs')) return
        if (how === 'throws') throw new Error('the storage is gone')
        return new Promise<void>(() => {})
      }
      await clock.advance(40_000)
      expect(stoppedAtMs).toBeGreaterThan(claimedAtMs + 12_000)
      expect(stoppedAtMs).toBeLessThan(expiresAt - Date.parse('2026-01-01T00:00:00.000Z'))
      watched.before = undefined
      expect(finals(await streamOf(memory))).toEqual([])
      await until(async () => (await memory.get('browser_sessions', browserSessionId))?.leaseToken === null)
      expect(driver.liveHandles).toBe(1)
    },
  )

  it('that fails once is made up for by the next', async () => {
    const { world, watched } = watchedWorld()
    const { start, events, clock, memory } = await startEngine({ handlers: { ...handlers, hangs } }, world)
    const handle = await start({ blocks: [code('a', 'hangs', { timeoutSeconds: 60, continueOnFailure: true }), code('b')] })
    await until(() => begun(events).length === 1)
    let failures = 0
    watched.before = (batch) => {
      if (isRenewal(batch) && failures++ === 0) throw new Error('not now')
    }
    expect((await settle(handle.result(), clock)).status).toBe('completed')
    expect(failures).toBeGreaterThan(1)
    expect((await runRow(memory)).attempt).toBe(1)
  })
})
