import { describe, expect, it } from 'vitest'
import { EventFactory } from '../../../src/engine/event-factory.js'
import { canTransition, isFinalStatus, RUN_TRANSITIONS } from '../../../src/engine/index.js'
import { RunLeases } from '../../../src/engine/run-leases.js'
import { sourcesOf } from '../../../src/engine/run-status.js'
import type { AnyEvent } from '../../../src/events/index.js'
import { silentLogger } from '../../../src/runtime/index.js'
import type { RunStatus } from '../../../src/storage/index.js'
import {
  begun,
  blockRows,
  code,
  createWorld,
  finals,
  gate,
  handlers,
  runRow,
  settle,
  startEngine,
  startHost,
  streamOf,
  types,
  until,
} from './kit.js'

describe('the status table', () => {
  const statuses = Object.keys(RUN_TRANSITIONS) as RunStatus[]
  const allowed: Record<RunStatus, string> = {
    created: 'queued failed canceled',
    queued: 'running failed canceled',
    running: 'paused completed failed terminated canceled timed_out',
    paused: 'running failed canceled timed_out',
    completed: '',
    failed: '',
    terminated: '',
    canceled: '',
    timed_out: '',
  }
  const pairs = statuses.flatMap((from) => statuses.map((to) => [from, to] as const))

  it.each(pairs)('%s → %s', (from, to) => {
    expect(canTransition(from, to)).toBe(allowed[from].split(' ').includes(to))
    expect(sourcesOf(to).includes(from)).toBe(canTransition(from, to))
  })

  it('has five final statuses, which nothing leaves', () => {
    expect(statuses.filter(isFinalStatus)).toEqual(['completed', 'failed', 'terminated', 'canceled', 'timed_out'])
  })
})

describe('a claim', () => {
  /** Many hosts on one storage, and a run that waits. */
  async function race(hosts: number) {
    const world = createWorld()
    const host = await startEngine({ concurrency: 1, handlers: { wait: () => new Promise(() => {}), ...handlers } }, world)
    await host.start({ blocks: [code('block_it', 'wait')] }) // takes the only worker
    const { workflowRunId } = await host.start({ blocks: [code('a')] })
    const emitted: AnyEvent[] = []
    const leases = Array.from({ length: hosts }, (_, index) => {
      const { clock, storage, ids } = world
      const emit = (event: AnyEvent) => emitted.push(event)
      return new RunLeases({
        storage,
        clock,
        logger: silentLogger,
        events: new EventFactory(ids),
        emit,
        hostId: `host_${index}`,
        ttlMs: 30_000,
      })
    })
    return { ...host, leases, workflowRunId, emitted }
  }

  it('has one winner of fifty; the others lose silently', async () => {
    const { leases, workflowRunId, memory, emitted } = await race(50)
    const claims = await Promise.all(leases.map((lease) => lease.claim(workflowRunId)))
    const won = claims.filter((claim) => claim !== null)
    expect(won).toHaveLength(1)
    expect(won[0]?.run).toMatchObject({ status: 'running', leaseFence: 1, attempt: 1, leaseHolder: expect.stringMatching(/^host_/) })
    const started = (await streamOf(memory, workflowRunId)).filter(({ type }) => type === 'run.started')
    expect(started).toHaveLength(1)
    expect(started[0]?.payload).toMatchObject({ leaseHolder: won[0]?.run.leaseHolder, leaseFence: 1, attempt: 1 })
    expect(types(emitted)).toEqual(['run.started'])
  })

  it('is not to be had of a run that runs, is final, or does not exist', async () => {
    const { leases, workflowRunId, engine } = await race(2)
    await engine.cancel({ workflowRunId })
    expect(await leases[0]?.claim(workflowRunId)).toBeNull()
    expect(await leases[0]?.claim('wr_1')).toBeNull()
    expect(await leases[0]?.claim('nobody')).toBeNull()
  })

  it('sets holder, fence, expiry by the storage’s clock, and startedAt', async () => {
    const { leases, workflowRunId, clock } = await race(1)
    await clock.advance(5_000)
    const run = (await leases[0]?.claim(workflowRunId))?.run
    expect(run?.startedAt).toEqual(clock.now())
    expect(run?.leaseExpiresAt).toEqual(new Date(clock.now().getTime() + 30_000))
    expect(run?.queuedAt?.getTime()).toBeLessThan(run?.startedAt?.getTime() ?? 0)
  })

  it('of a run that is dispatched twice leaves the first execution as it is', async () => {
    const passed = gate()
    const { engine, start, world, memory, clock } = await startEngine({ handlers: { wait: () => passed.passed as never } })
    const handle = await start({ blocks: [code('a', 'wait')] })
    await until(async () => (await blockRows(memory)).length === 1)
    await startEngine({ handlers: {} }, world) // its start finds nothing queued
    const { dispatched } = await redispatch(world, handle.workflowRunId)
    expect(dispatched).toBe(true)
    await clock.advance(60_000) // the lease is still renewed
    expect((await runRow(memory)).leaseExpiresAt?.getTime()).toBeGreaterThan(clock.now().getTime())
    await engine.cancel({ workflowRunId: handle.workflowRunId })
    expect((await settle(handle.result(), clock)).status).toBe('canceled')
  })

  it('of a double call in one host keeps heartbeat and cancel', async () => {
    const handlersByRun: ((workflowRunId: string, signal: AbortSignal) => Promise<void>)[] = []
    const executions: Promise<void>[] = []
    const dispatcher = {
      start: async (handler: (typeof handlersByRun)[number]) => void handlersByRun.push(handler),
      dispatch: async (workflowRunId: string) => {
        const handler = handlersByRun[0]
        if (handler !== undefined)
          executions.push(handler(workflowRunId, new AbortController().signal), handler(workflowRunId, new AbortController().signal))
      },
      stop: async () => void (await Promise.all(executions)),
    }
    const hangs = ({ signal }: { signal: AbortSignal }) =>
      new Promise<null>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const { start, events, memory, clock } = await startEngine({ dispatcher, handlers: { hangs } })
    const handle = await start({ blocks: [code('a', 'hangs')] })
    await until(() => begun(events).length === 1)
    await clock.advance(60_000)
    expect((await runRow(memory)).leaseExpiresAt?.getTime()).toBeGreaterThan(clock.now().getTime())
    await handle.cancel()
    expect((await settle(handle.result(), clock)).status).toBe('canceled')
    expect(clock.monotonicMs()).toBeLessThan(60_500)
  })
})

/** Another engine's dispatcher calls for a run that somebody executes already. */
async function redispatch(world: ReturnType<typeof createWorld>, workflowRunId: string) {
  const { clock, storage, ids } = world
  const leases = new RunLeases({
    storage,
    clock,
    logger: silentLogger,
    events: new EventFactory(ids),
    emit: () => {},
    hostId: 'other',
    ttlMs: 30_000,
  })
  return { dispatched: (await leases.claim(workflowRunId)) === null }
}

describe('the fence', () => {
  it('is in every commit: an execution whose row has a newer one writes nothing more and lets its session go', async () => {
    const passed = gate()
    const { start, pool, memory, events, clock } = await startHost({
      engine: { handlers: { ...handlers, wait: () => passed.passed as never } },
    })
    const session = await pool.create()
    await start({ blocks: [code('a', 'wait'), code('b')], finallyBlockLabel: 'b' }, { browserSessionId: session.browserSessionId })
    await until(() => begun(events).length === 1)
    await memory.commit([{ op: 'update', table: 'runs', id: 'wr_1', set: { leaseFence: 2, leaseHolder: 'somebody' } }])
    const before = memory.snapshot()
    passed.open()
    await until(async () => (await memory.get('browser_sessions', session.browserSessionId))?.leaseToken === null)
    const { tables, streams } = memory.snapshot()
    expect(tables.runs).toEqual(before.tables.runs)
    expect(tables.run_blocks).toEqual(before.tables.run_blocks)
    expect(streams['run:wr_1']).toEqual(before.streams['run:wr_1'])
    expect(begun(events)).toEqual(['a'])
    await clock.advance(0)
    expect(finals(events)).toEqual([])
  })

  it('stops a loop too, whatever its children may swallow', async () => {
    const passed = gate()
    const { start, memory, events } = await startEngine({ handlers: { ...handlers, wait: () => passed.passed as never } })
    const parameters = [{ kind: 'workflow' as const, key: 'list', type: 'json' as const, default: [1, 2, 3] }]
    const children = [code('a', 'wait', { continueOnFailure: true })]
    await start({
      parameters,
      blocks: [{ type: 'for_loop', label: 'loop', loopOverParameterKey: 'list', loopBlocks: children, continueOnFailure: true }, code('b')],
    })
    await until(() => begun(events).length === 2)
    await memory.commit([{ op: 'update', table: 'runs', id: 'wr_1', set: { leaseFence: 2 } }])
    const before = memory.snapshot()
    passed.open()
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(memory.snapshot()).toEqual(before)
  })
})
