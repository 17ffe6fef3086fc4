import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WorkflowEngine } from '../../../src/engine/index.js'
import { MemoryStorage } from '../../../src/storage/index.js'
import { FakeClock, sequentialIds } from '../../../src/testing/index.js'
import {
  begun,
  blockRows,
  code,
  failure,
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
const own = { handlers: { ...handlers, hangs, deaf: () => new Promise<null>(() => {}) } }

describe('a cancel', () => {
  it('of a queued run ends it in that write; nothing of it is executed', async () => {
    const { start, engine, memory, events, clock } = await startEngine({ ...own, concurrency: 1 })
    await start({ blocks: [code('a', 'hangs')] })
    const handle = await start({ blocks: [code('b')] })
    const canceled = await handle.cancel({ by: 'Ada' })
    expect(canceled).toMatchObject({
      status: 'canceled',
      cancelRequestedBy: 'Ada',
      failureReason: 'canceled by Ada',
      errorCode: 'RUN_CANCELED',
    })
    expect(await handle.result()).toMatchObject({ status: 'canceled', startedAt: null, durationSeconds: 0 })
    await engine.cancel({ workflowRunId: 'wr_1' })
    await clock.advance(1_000)
    expect(begun(events)).toEqual(['a'])
    expect(finals(await streamOf(memory, 'wr_2'))).toHaveLength(1)
    expect((await runRow(memory, 'wr_2')).finishedAt).toEqual(canceled.finishedAt)
  })

  it('of a running run aborts its signal with the reason; the outcome is canceled', async () => {
    let reason: unknown
    const { start, events, memory, clock } = await startEngine({
      handlers: {
        look: async (params) => {
          await hangs(params).catch((error: unknown) => (reason = error))
          throw reason
        },
      },
    })
    const handle = await start({ blocks: [code('a', 'look', { continueOnFailure: true, maxRetries: 3 }), code('b', 'look')] })
    await until(() => begun(events).length === 1)
    expect(await handle.cancel({ by: 'Ada' })).toMatchObject({ status: 'running', cancelRequestedBy: 'Ada' })
    const result = await settle(handle.result(), clock)
    expect(result).toMatchObject({ status: 'canceled', failureReason: 'canceled by Ada' })
    expect(reason).toMatchObject({ code: 'RUN_CANCELED' })
    expect(await blockRows(memory)).toMatchObject([{ status: 'canceled', errorCode: 'RUN_CANCELED' }])
    expect(clock.monotonicMs()).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })

  it('stops a deaf block within a quarter of a second', async () => {
    const { start, events, clock } = await startEngine(own)
    const handle = await start({ blocks: [code('a', 'deaf')] })
    await until(() => begun(events).length === 1)
    await handle.cancel()
    await settle(handle.result(), clock)
    expect(clock.monotonicMs()).toBeLessThanOrEqual(250)
  })

  it('reaches a wait, and an action that waits for an element', async () => {
    const { start, events, clock, memory, driver } = await startHost({ driver: { site: { 'https://a.test/': { elements: [] } } } })
    const wait = await start({ blocks: [{ type: 'wait', label: 'pause', waitSec: 1_800 }] })
    await until(() => begun(events).length === 1)
    await wait.cancel()
    expect((await settle(wait.result(), clock)).status).toBe('canceled')
    const steps = [{ type: 'click' as const, target: { css: '#never' } }]
    const action = await start({ blocks: [{ type: 'action', label: 'click', url: 'https://a.test/', steps }] })
    await until(() => driver.handles.some((handle) => handle.pages()[0]?.url() === 'https://a.test/'))
    await action.cancel()
    expect((await settle(action.result(), clock)).status).toBe('canceled')
    const rows = await memory.find({ table: 'run_blocks' })
    expect(rows.map(({ status, durationMs }) => [status, durationMs])).toEqual([
      ['canceled', 0],
      ['canceled', 0],
    ])
    expect(driver.liveHandles).toBe(0)
    const [, click] = await memory.find({ table: 'actions' })
    expect(click).toMatchObject({ type: 'click', status: 'canceled' })
  })

  it('in the midst of a loop cancels the loop and keeps the iterations begun', async () => {
    let calls = 0
    const { start, events, memory, clock } = await startEngine({
      handlers: { third: (params) => (++calls === 3 ? hangs(params) : null) },
    })
    const condition = { type: 'jinja2_template' as const, expression: 'yes' }
    const handle = await start({
      blocks: [
        {
          type: 'while_loop',
          label: 'loop',
          condition,
          nextLoopOnFailure: true,
          loopBlocks: [code('x', 'third', { continueOnFailure: true })],
        },
      ],
    })
    await until(() => begun(events).length === 4)
    await handle.cancel()
    await settle(handle.result(), clock)
    const [loop] = await blockRows(memory)
    expect(loop).toMatchObject({
      status: 'canceled',
      output: [[{ status: 'completed' }], [{ status: 'completed' }], [{ status: 'canceled' }]],
    })
  })

  it('wins against a block that completes at the same moment', async () => {
    let finish: ((value: null) => void) | undefined
    const { start, memory, clock } = await startEngine({
      handlers: { wait: () => new Promise<null>((resolve) => (finish = resolve)) },
    })
    const handle = await start({ blocks: [code('a', 'wait')] })
    await until(() => finish !== undefined)
    const canceled = handle.cancel()
    finish?.(null)
    await canceled
    expect((await settle(handle.result(), clock)).status).toBe('canceled')
    expect(finals(await streamOf(memory))).toHaveLength(1)
  })

  it('of a final run gives it back as it is, and does nothing more', async () => {
    const { start, memory, clock } = await startEngine()
    const handle = await start({ blocks: [code('a')] })
    await settle(handle.result(), clock)
    const before = memory.snapshot()
    expect(await handle.cancel()).toMatchObject({ status: 'completed', cancelRequestedAt: null })
    expect(memory.snapshot()).toEqual(before)
  })

  it('asked for twice is one, by the first who asked', async () => {
    const { start, events, memory, clock } = await startEngine(own)
    const handle = await start({ blocks: [code('a', 'hangs')] })
    await until(() => begun(events).length === 1)
    await Promise.all([handle.cancel({ by: 'first' }), handle.cancel({ by: 'second' })])
    expect((await settle(handle.result(), clock)).failureReason).toBe('canceled by first')
    expect(finals(await streamOf(memory))).toHaveLength(1)
  })

  it('needs a run of the organisation', async () => {
    const { start, engine } = await startEngine(own)
    const handle = await start({ blocks: [code('a')] })
    expect((await failure(engine.cancel({ workflowRunId: 'nobody' }))).code).toBe('RUN_NOT_FOUND')
    const other = engine.forOrganization('other')
    expect((await failure(other.cancel({ workflowRunId: handle.workflowRunId }))).code).toBe('RUN_NOT_FOUND')
    expect((await failure(other.getRun({ workflowRunId: handle.workflowRunId }))).code).toBe('RUN_NOT_FOUND')
    expect((await failure(other.waitForRun({ workflowRunId: handle.workflowRunId }))).code).toBe('RUN_NOT_FOUND')
  })

  it('while credentials are asked for does not wait for the answer', async () => {
    const asked: string[] = []
    const get = ({ name }: { name: string }) => {
      asked.push(name)
      return new Promise<never>(() => {})
    }
    const { start, clock } = await startEngine({ credentials: { vault: { get } } })
    const handle = await start({ parameters: [{ kind: 'secret', key: 'KEY', provider: 'vault', name: 'x' }], blocks: [code('a')] })
    await until(() => asked.length === 1)
    await handle.cancel()
    expect((await settle(handle.result(), clock)).status).toBe('canceled')
    expect(clock.monotonicMs()).toBe(0)
  })

  it('while a private browser is on its way leaves none behind', async () => {
    const { start, clock, driver, memory } = await startHost({ driver: { launch: { delayMs: 5_000 } } })
    const handle = await start({ blocks: [{ type: 'goto_url', label: 'open', url: 'https://a.test/' }] })
    await until(() => driver.pendingLaunches === 1)
    await handle.cancel()
    expect((await settle(handle.result(), clock)).status).toBe('canceled')
    expect(driver.liveHandles + driver.pendingLaunches).toBe(0)
    expect((await memory.find({ table: 'browser_sessions' })).map(({ status, leaseToken }) => [status, leaseToken])).toEqual([
      ['failed', null],
    ])
  })
})

describe('a cancel that races the end', () => {
  it('comes to one final event, in whatever order things happen', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.nat({ max: 3 }), fc.integer({ min: 1, max: 3 }), async (scheduler, cancels, blocks) => {
        const clock = new FakeClock()
        const memory = new MemoryStorage({ clock })
        const { storage, watched } = watchedStorage(memory)
        const engine = new WorkflowEngine({ storage, clock, ids: sequentialIds(), organizationId: 'acme', handlers })
        await engine.start()
        const { workflowPermanentId } = await engine.createWorkflow({
          title: 'A race',
          definition: { blocks: Array.from({ length: blocks }, (_, index) => code(`b${index}`)) },
        })
        watched.before = () => scheduler.schedule(Promise.resolve(), 'commit')
        const started = engine.startRun({ workflowPermanentId })
        const racing = started.then(async (run) => {
          await Promise.all(Array.from({ length: cancels }, () => scheduler.schedule(Promise.resolve(), 'cancel').then(() => run.cancel())))
          return run.result()
        })
        const result = await scheduler.waitFor(racing)
        await scheduler.waitFor(engine.stop())
        const row = await runRow(memory)
        const events = await streamOf(memory)
        expect(finals(events)).toHaveLength(1)
        expect(events.at(-1)).toMatchObject({ type: `run.${row.status}`, payload: result })
        expect((await blockRows(memory)).filter(({ status }) => status === 'running')).toEqual([])
        if (cancels === 0) expect(row.status).toBe('completed')
        else expect(row.status === 'canceled').toBe(row.cancelRequestedAt !== null)
        expect(clock.pendingTimers).toBe(0)
      }),
      { numRuns: 100 },
    )
  }, 60_000)
})
