import { describe, expect, it } from 'vitest'
import { closeOnSignals, WorkflowEngine } from '../../../src/engine/index.js'
import { faultyStorage } from '../../../src/testing/index.js'
import { begun, blockRows, code, createWorld, failure, gate, handlers, runRow, settle, startEngine, startHost, until } from './kit.js'

const hangs = ({ signal }: { signal: AbortSignal }) =>
  new Promise<null>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

describe('start', () => {
  it('called several times at once is one start, told to one caller', async () => {
    const { clock, storage, ids } = createWorld()
    const engine = new WorkflowEngine({ storage, clock, ids, organizationId: 'acme' })
    expect((await Promise.all([engine.start(), engine.start(), engine.start()])).sort()).toEqual([false, false, true])
    await engine.stop()
    await engine.stop()
    expect(clock.pendingTimers).toBe(0)
  })

  it('starts a pool that nobody has started, and stop stops only that', async () => {
    const { pool, clock, storage, ids, driver } = await startHost()
    await pool.stop()
    const own = new WorkflowEngine({ storage, clock, ids, organizationId: 'acme', sessions: pool })
    await own.start()
    await pool.create()
    expect(driver.liveHandles).toBe(1)
    await settle(own.stop(), clock)
    expect(driver.liveHandles).toBe(0)
    await pool.start()
    await own.start()
    await pool.create()
    await settle(own.stop(), clock)
    expect(driver.liveHandles).toBe(1)
  })

  it('that fails leaves nothing started, and may be tried again', async () => {
    const { pool, clock, ids, memory } = await startHost()
    await pool.stop()
    const storage = faultyStorage(memory, { failAtCall: 1, calls: ['find'] })
    const engine = new WorkflowEngine({ storage, clock, ids, organizationId: 'acme', sessions: pool })
    expect((await failure(settle(engine.start(), clock))).code).toBe('STORAGE_FAILED')
    expect((await failure(pool.create())).code).toBe('NOT_RUNNING')
    expect((await failure(engine.startRun({ workflowPermanentId: 'x' }))).code).toBe('NOT_RUNNING')
    expect(clock.pendingTimers).toBe(0)
    expect(await engine.start()).toBe(true)
    await settle(engine.stop(), clock)
  })

  it('picks up what was queued, higher priorities first', async () => {
    const world = createWorld()
    const first = await startEngine({ concurrency: 1, handlers: { ...handlers, hangs } }, world)
    await first.start({ blocks: [code('a', 'hangs')] })
    for (const priority of [0, 7]) await first.start({ blocks: [code('b')] }, { priority })
    await settle(first.engine.destroy(), world.clock)
    expect((await runRow(world.memory, 'wr_1')).status).toBe('failed')
    expect((await runRow(world.memory, 'wr_2')).status).toBe('queued')
    const second = await startEngine({ concurrency: 1 }, world)
    await settle(second.engine.waitForRun({ workflowRunId: 'wr_2' }), world.clock)
    const started = second.events.flatMap((event) =>
      event.type === 'run.started' ? [(event.payload as { workflowRunId: string }).workflowRunId] : [],
    )
    expect(started).toEqual(['wr_3', 'wr_2'])
  })
})

describe('before start and after stop', () => {
  it('no run can be started', async () => {
    const { clock, storage, ids } = createWorld()
    const engine = new WorkflowEngine({ storage, clock, ids, organizationId: 'acme' })
    expect((await failure(engine.startRun({ workflowPermanentId: 'x' }))).code).toBe('NOT_RUNNING')
    await engine.start()
    await engine.stop()
    expect((await failure(engine.startRun({ workflowPermanentId: 'x' }))).code).toBe('NOT_RUNNING')
  })

  it('an option that does not fit is refused with its path', async () => {
    const { storage } = createWorld()
    expect(() => new WorkflowEngine({ storage, concurrency: 0 })).toThrow(/concurrency/)
    expect(() => new WorkflowEngine({ storage: {} as never })).toThrow(/a Storage/)
    expect(() => new WorkflowEngine({ storage, concurency: 1 } as never)).toThrow(/concurency/)
  })
})

describe('stop', () => {
  it('lets running runs finish, begins no more, and keeps queued ones queued', async () => {
    const { start, engine, clock, memory } = await startEngine({ concurrency: 1 })
    const pause = { blocks: [{ type: 'wait' as const, label: 'pause', waitSec: 10 }] }
    await start(pause)
    await start(pause)
    await until(async () => (await blockRows(memory)).length === 1)
    await settle(engine.stop(), clock)
    expect([(await runRow(memory, 'wr_1')).status, (await runRow(memory, 'wr_2')).status]).toEqual(['completed', 'queued'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('ends what runs when the time is over: its host was lost to it', async () => {
    const { start, engine, clock, memory } = await startEngine({ handlers: { hangs } })
    await start({ blocks: [code('a', 'hangs')] })
    await until(async () => (await blockRows(memory)).length === 1)
    await settle(engine.stop({ timeoutMs: 5_000 }), clock)
    expect(await runRow(memory)).toMatchObject({ status: 'failed', errorCode: 'HOST_LOST', cancelRequestedAt: null })
    expect(clock.monotonicMs()).toBe(5_000)
    expect(clock.pendingTimers).toBe(0)
  })

  it('gives the finally block of what it ends ten seconds', async () => {
    const { start, engine, clock, memory, events } = await startEngine({ handlers: { ...handlers, hangs } })
    await start({ finallyBlockLabel: 'tidy', blocks: [code('a', 'hangs'), code('tidy')] })
    await until(async () => (await blockRows(memory)).length === 1)
    await settle(engine.destroy(), clock)
    expect(await runRow(memory)).toMatchObject({ status: 'failed', errorCode: 'HOST_LOST' })
    expect(begun(events)).toEqual(['a', 'tidy'])
    expect((await blockRows(memory)).map(({ status }) => status)).toEqual(['failed', 'completed'])
    expect(clock.monotonicMs()).toBeLessThan(1_000)
    expect(clock.pendingTimers).toBe(0)
  })

  it('ends a finally block that takes longer than that', async () => {
    const { start, engine, clock, memory } = await startEngine({ handlers: { hangs } })
    await start({ finallyBlockLabel: 'tidy', blocks: [code('a', 'hangs'), code('tidy', 'hangs')] })
    await until(async () => (await blockRows(memory)).length === 1)
    await settle(engine.destroy(), clock)
    expect(await runRow(memory)).toMatchObject({ status: 'failed', errorCode: 'HOST_LOST' })
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(10_000)
    expect(clock.monotonicMs()).toBeLessThan(11_000)
    expect(clock.pendingTimers).toBe(0)
  })

  it('hands a run over to the next start, also on a storage of this process alone', async () => {
    const world = createWorld()
    const { start, engine, clock, memory } = await startEngine({ handlers: { hangs } }, world)
    await start({ blocks: [code('a', 'hangs')] }, { workflow: { onHostLost: 'resume' } })
    await until(async () => (await blockRows(memory)).length === 1)
    await settle(engine.destroy(), clock)
    expect(await runRow(memory)).toMatchObject({ status: 'running', leaseHolder: null })
    const next = await startEngine({ handlers: { hangs: () => 'done' } }, world)
    const result = await settle(next.engine.waitForRun({ workflowRunId: 'wr_1' }), clock)
    expect(result).toMatchObject({ status: 'completed', attempt: 2, outputs: { a_output: 'done' } })
  })

  it('is hurried by destroy', async () => {
    const { start, engine, clock, memory } = await startEngine({ handlers: { hangs } })
    await start({ blocks: [code('a', 'hangs')] })
    await until(async () => (await blockRows(memory)).length === 1)
    const stopping = engine.stop()
    await clock.advance(1_000)
    await engine.destroy()
    await stopping
    expect(await runRow(memory)).toMatchObject({ status: 'failed', errorCode: 'HOST_LOST' })
    expect(clock.monotonicMs()).toBe(1_000)
  })

  it('ends a run too that was just being claimed', async () => {
    const claimed = gate()
    const { start, engine, clock, memory } = await startEngine(
      { handlers: { hangs } },
      createWorld((inner) =>
        Object.assign(Object.create(inner), {
          capabilities: inner.capabilities,
          open: () => inner.open(),
          close: () => inner.close(),
          now: () => inner.now(),
          get: inner.get.bind(inner),
          find: inner.find.bind(inner),
          count: inner.count.bind(inner),
          readEvents: inner.readEvents.bind(inner),
          subscribe: inner.subscribe.bind(inner),
          commit: async (batch: Parameters<typeof inner.commit>[0]) => {
            const result = await inner.commit(batch)
            if (batch.some((write) => write.op === 'update' && write.table === 'runs' && write.set.status === 'running'))
              await claimed.passed
            return result
          },
        }),
      ),
    )
    await start({ blocks: [code('a', 'hangs')] })
    await until(async () => (await runRow(memory)).status === 'running')
    const stopped = engine.destroy()
    await clock.advance(0)
    claimed.open()
    await settle(stopped, clock)
    expect(await runRow(memory)).toMatchObject({ status: 'failed', errorCode: 'HOST_LOST' })
    expect(clock.monotonicMs()).toBeLessThan(1_000)
  })

  it('waits for a start in flight', async () => {
    const { clock, storage, ids } = createWorld()
    const engine = new WorkflowEngine({ storage, clock, ids, organizationId: 'acme' })
    const starting = engine.start()
    await engine.stop()
    expect(await starting).toBe(true)
    expect((await failure(engine.startRun({ workflowPermanentId: 'x' }))).code).toBe('NOT_RUNNING')
  })

  it('may be followed by another start', async () => {
    const { engine, run } = await startEngine()
    await engine.stop()
    await engine.start()
    expect((await run({ blocks: [code('a')] })).status).toBe('completed')
  })

  it('leaves no browser, timer or listener behind, with runs in every state', async () => {
    const { start, engine, pool, driver, clock, memory, events } = await startHost({
      engine: { concurrency: 2, handlers: { ...handlers, hangs } },
    })
    const { browserSessionId } = await pool.create()
    await start({ blocks: [code('a', 'hangs')] }, { browserSessionId })
    await start({ blocks: [{ type: 'goto_url', label: 'open', url: 'https://a.test/' }, code('b', 'hangs')] })
    await start({ blocks: [code('c')] })
    await until(() => begun(events).includes('b'))
    await settle(engine.destroy(), clock)
    expect((await memory.get('browser_sessions', browserSessionId))?.leaseToken).toBeNull()
    expect(driver.liveHandles).toBe(1)
    await settle(pool.stop(), clock)
    expect(driver.liveHandles).toBe(0)
    expect(driver.handles.map(({ listenerCount }) => listenerCount)).toEqual([0, 0])
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('closeOnSignals', () => {
  it('destroys the engine once, however often it is asked, and takes its handlers back', async () => {
    const calls: string[] = []
    const before = process.listenerCount('SIGUSR2')
    const done = gate<string>()
    const off = closeOnSignals(
      { destroy: async () => void calls.push('destroy') },
      { signals: ['SIGUSR2'], onClosed: (signal) => done.open(signal) },
    )
    process.emit('SIGUSR2', 'SIGUSR2')
    process.emit('SIGUSR2', 'SIGUSR2')
    expect(await done.passed).toBe('SIGUSR2')
    expect(calls).toEqual(['destroy'])
    off()
    expect(process.listenerCount('SIGUSR2')).toBe(before)
  })
})
