import { afterEach, describe, expect, it } from 'vitest'
import { signalHost } from '../../../src/engine/dispatch/host-signals.js'
import { createFleet } from './dispatch-kit.js'
import { begun, code, failure, finals, gate, handlers, runRow, settle, startEngine, startHost, streamOf, until } from './kit.js'

let fleet: ReturnType<typeof createFleet> | undefined
afterEach(async () => {
  await fleet?.stop()
  fleet = undefined
})

const definition = { blocks: [code('a')] }

describe('a run that depends on another', () => {
  it('begins when that one has completed, along a chain, and takes no worker meanwhile', async () => {
    const passed = gate()
    const { engine, start, clock, memory, events } = await startEngine({
      concurrency: 1,
      handlers: { ...handlers, wait: () => passed.passed as never },
    })
    const first = await start({ blocks: [code('first', 'wait')] })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition })
    const second = await engine.startRun({ workflowPermanentId, dependsOnWorkflowRunId: first.workflowRunId })
    const third = await engine.startRun({ workflowPermanentId, dependsOnWorkflowRunId: second.workflowRunId })
    await clock.advance(5_000)
    expect(await runRow(memory, second.workflowRunId)).toMatchObject({ status: 'queued', isParked: true, hasDependents: true })
    expect(await runRow(memory, first.workflowRunId)).toMatchObject({ hasDependents: true })
    expect(begun(events)).toEqual(['first'])
    passed.open()
    expect((await settle(third.result(), clock)).status).toBe('completed')
    expect(begun(events)).toEqual(['first', 'a', 'a'])
    const late = await engine.startRun({ workflowPermanentId, dependsOnWorkflowRunId: first.workflowRunId })
    expect((await settle(late.result(), clock)).status).toBe('completed')
  })

  it('fails with DEPENDENCY_FAILED when that one ended otherwise, and so does what depends on it', async () => {
    const passed = gate()
    const { engine, start, clock, memory } = await startEngine({
      handlers: { ...handlers, fail: () => passed.passed.then(handlers.fail) },
    })
    const first = await start({ blocks: [code('first', 'fail')] })
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition })
    const second = await engine.startRun({ workflowPermanentId, dependsOnWorkflowRunId: first.workflowRunId })
    const third = await engine.startRun({ workflowPermanentId, dependsOnWorkflowRunId: second.workflowRunId })
    passed.open()
    for (const run of [second, third]) {
      const result = await settle(run.result(), clock)
      expect(result).toMatchObject({ status: 'failed', errorCode: 'DEPENDENCY_FAILED', startedAt: null })
      expect(finals(await streamOf(memory, run.workflowRunId))).toHaveLength(1)
    }
    const late = await engine.startRun({ workflowPermanentId, dependsOnWorkflowRunId: first.workflowRunId })
    expect((await settle(late.result(), clock)).errorCode).toBe('DEPENDENCY_FAILED')
  })

  it('must name one of its organisation: nothing is written else', async () => {
    const { engine, start, clock, memory } = await startEngine()
    const first = await start(definition)
    await settle(first.result(), clock)
    const { workflowPermanentId } = await engine.createWorkflow({ title: 'T', definition, organizationId: 'other' })
    for (const dependsOnWorkflowRunId of ['unknown', first.workflowRunId]) {
      const error = await failure(engine.startRun({ workflowPermanentId, organizationId: 'other', dependsOnWorkflowRunId }))
      expect(error.code).toBe('RUN_NOT_FOUND')
    }
    expect(await memory.count('runs')).toBe(1)
  })
})

describe('the wait for a session', () => {
  it('ends with SESSION_OCCUPIED on time, for a run that is parked in the lane of the session', async () => {
    const passed = gate()
    const { start, pool, clock, memory, events } = await startHost({
      engine: { handlers: { ...handlers, wait: () => passed.passed as never } },
    })
    const { browserSessionId } = await pool.create()
    const first = await start({ blocks: [code('a', 'wait')] }, { browserSessionId, wait: { timeoutMs: 1_000 } })
    await until(() => begun(events).length === 1)
    const second = await start({ blocks: [code('b')] }, { browserSessionId, wait: { timeoutMs: 20_000 } })
    await until(async () => (await runRow(memory, second.workflowRunId)).isParked)
    expect(pool.stats().waiting).toBe(0) // it takes neither a worker nor a place in the line
    await clock.advance(19_000)
    expect((await runRow(memory, second.workflowRunId)).status).toBe('queued')
    await clock.advance(2_000)
    const result = await settle(second.result(), clock)
    expect(result).toMatchObject({ status: 'failed', errorCode: 'SESSION_OCCUPIED' })
    expect(result.failureReason).toContain('20000 ms')
    passed.open()
    expect((await settle(first.result(), clock)).status).toBe('completed')
  })
})

describe('a fleet of engines', () => {
  it('hears of runs that a busy host has queued, by priority, without a sweep', async () => {
    fleet = createFleet()
    const { clock, host } = fleet
    const order: string[] = []
    const hangs = () => new Promise<never>(() => {})
    const busy = await host('busy', { concurrency: 1, handlers: { work: hangs } })
    const { workflowPermanentId } = await busy.createWorkflow({ title: 'T', definition: { blocks: [code('a', 'work')] } })
    await busy.startRun({ workflowPermanentId })
    await clock.advance(10)
    const work = async ({ signal: _ }: { signal: AbortSignal }) => null
    const idle = await host('idle', { concurrency: 1, handlers: { work } })
    idle.on('run.started', ({ workflowRunId }) => order.push(workflowRunId))
    const runs = []
    for (const priority of [0, 5, 9]) runs.push(await busy.startRun({ workflowPermanentId, priority }))
    await clock.advance(100)
    expect(order).toEqual(runs.map(({ workflowRunId }) => workflowRunId).reverse())
    await clock.advance(30_000) // nothing comes twice
    expect(order).toHaveLength(3)
  })

  it('reaches a run on another host with a cancel long before the next heartbeat, and host rows come and go with their engines', async () => {
    fleet = createFleet()
    const { clock, host, memory } = fleet
    const hangs = ({ signal }: { signal: AbortSignal }) =>
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    const one = await host('one', { handlers: { hangs } })
    const { workflowPermanentId } = await one.createWorkflow({ title: 'T', definition: { blocks: [code('a', 'hangs')] } })
    const run = await one.startRun({ workflowPermanentId })
    await clock.advance(10)
    const two = await host('two', { handlers: { hangs } })
    expect((await memory.find({ table: 'hosts' })).map(({ hostId }) => hostId)).toEqual(['one', 'two'])
    await two.cancel({ workflowRunId: run.workflowRunId, by: 'the other' })
    await clock.advance(50)
    expect(await runRow(memory, run.workflowRunId)).toMatchObject({ status: 'canceled', cancelRequestedBy: 'the other' })
    expect(await memory.get('hosts', 'one')).toMatchObject({ signals: 1 })
    expect(await memory.commit([signalHost('nobody')])).toMatchObject({ ok: true })
    await memory.commit([
      {
        op: 'insert',
        table: 'hosts',
        row: { hostId: 'dead', organizationId: '', signals: 0, createdAt: new Date(0), modifiedAt: new Date(0) },
      },
    ])
    await clock.advance(5_000)
    expect(await memory.get('hosts', 'dead')).toBeUndefined()
    await fleet.stop()
    expect(await memory.count('hosts')).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })
})
