import { describe, expect, it } from 'vitest'
import type { PauseNotice } from '../../../src/engine/run-ports.js'
import {
  begun,
  blockRows,
  code,
  createWorld,
  failure,
  finals,
  runRow,
  settle,
  startEngine,
  startHost,
  streamOf,
  types,
  until,
} from './kit.js'
import { asking } from './people-kit.js'

type Host = Awaited<ReturnType<typeof startEngine>>
const isPaused = ({ memory }: Pick<Host, 'memory'>, id = 'wr_1') =>
  until(async () => (await memory.get('runs', id))?.status === 'paused', 'the pause')

describe('a run that waits for somebody', () => {
  it('is paused: no lease, no worker, and what is asked is shown; approving it completes the block, and the run goes on', async () => {
    const host = await startEngine({ concurrency: 1 })
    const { engine, memory, clock, start } = host
    const handle = await start(asking({ recipients: ['ada@acme.test'] }))
    await isPaused(host)
    expect(await runRow(memory)).toMatchObject({ leaseHolder: null, leaseExpiresAt: null, pausedAt: expect.any(Date) })
    const { pause, ...run } = await engine.getRun(handle)
    expect(pause).toMatchObject({
      ...{ label: 'ask', instructions: 'Is it right?', positiveDescriptor: 'Approve', negativeDescriptor: 'Reject' },
      ...{ recipients: ['ada@acme.test'], resumeToken: expect.any(String), expiresAt: expect.any(Date) },
    })
    for (const internal of ['leaseFence', 'pauseDecision', 'pauseExpiresAt', 'isParked', 'sequentialLane', 'awaitedByRunBlockId'])
      expect(run).not.toHaveProperty(internal)
    const other = await start({ blocks: [code('other')] })
    expect(await settle(other.result(), clock)).toMatchObject({ status: 'completed' }) // the only worker is free

    await clock.advance(60_000)
    const resumed = await handle.resume({ decision: 'approve', data: { amount: 7 }, by: 'Ada', resumeToken: pause?.resumeToken ?? '' })
    expect(resumed).toMatchObject({ pause: null, pausedAt: null })
    const result = await settle(handle.result(), clock)
    expect(result).toMatchObject({
      status: 'completed',
      attempt: 1,
      outputs: { ask_output: { decision: 'approve', data: { amount: 7 }, by: 'Ada', at: expect.any(String) }, after_output: null },
    })
    expect(types(await streamOf(memory))).toEqual([
      ...['run.created', 'run.queued', 'run.started', 'block.started', 'run.paused', 'run.resumed', 'block.completed'],
      ...['block.started', 'block.completed', 'run.completed'],
    ])
    expect(await blockRows(memory)).toMatchObject([{ label: 'ask', attempt: 1, status: 'completed' }, { label: 'after' }])
    expect(await runRow(memory)).toMatchObject({ pause: null, pauseDecision: null })
    const { blocks } = await engine.getTimeline(handle)
    expect(blocks.map(({ label, attempts }) => [label, attempts.length])).toEqual([
      ['ask', 1],
      ['after', 1],
    ])
    expect(clock.pendingTimers).toBe(0)
  })

  it('fails when it is rejected, with what was said kept', async () => {
    const host = await startEngine()
    const handle = await host.start(asking())
    await isPaused(host)
    await handle.resume({ decision: 'reject', data: 'the sum is wrong', by: 'Ada' })
    expect(await settle(handle.result(), host.clock)).toMatchObject({
      ...{ status: 'failed', errorCode: 'REJECTED', errors: [{ blockLabel: 'ask', code: 'REJECTED', reason: 'rejected by Ada' }] },
    })
    expect(await blockRows(host.memory)).toMatchObject([{ status: 'failed', output: { decision: 'reject', data: 'the sum is wrong' } }])
    expect(begun(host.events)).toEqual(['ask'])
  })

  it('fails when nobody decides in time, and no deadline of blocks ends it before', async () => {
    const host = await startEngine({ blockTimeoutSeconds: 5 })
    const handle = await host.start(asking({ timeoutSeconds: 30 }))
    await isPaused(host)
    await host.clock.advance(29_000)
    expect(await runRow(host.memory)).toMatchObject({ status: 'paused' })
    expect(await settle(handle.result(), host.clock)).toMatchObject({ status: 'failed', errorCode: 'HUMAN_INTERACTION_TIMED_OUT' })
    expect(await blockRows(host.memory)).toMatchObject([{ status: 'timed_out', output: { decision: 'timeout' } }])
    expect(host.clock.pendingTimers).toBe(0)
  })

  it('asks again when it is told to: each time a new pause with a token of its own', async () => {
    const host = await startEngine()
    const handle = await host.start(asking({ maxRetries: 1 }))
    await isPaused(host)
    const first = (await host.engine.getRun(handle)).pause?.resumeToken ?? ''
    await handle.resume({ decision: 'reject', resumeToken: first })
    await settle(isPaused(host), host.clock)
    const second = (await host.engine.getRun(handle)).pause?.resumeToken ?? ''
    expect(second).not.toBe(first)
    expect(await failure(handle.resume({ decision: 'approve', resumeToken: first }))).toMatchObject({ code: 'RESUME_TOKEN_MISMATCH' })
    expect(await handle.resume({ decision: 'reject', resumeToken: first })).toMatchObject({ status: 'paused' })
    await handle.resume({ decision: 'approve', resumeToken: second })
    expect(await settle(handle.result(), host.clock)).toMatchObject({ status: 'completed' })
    expect(begun(host.events)).toEqual(['ask', 'ask#2', 'after'])
  })

  it('keeps its place in a loop, outputs of earlier blocks, and runs nothing twice', async () => {
    let calls = 0
    const host = await startEngine({ handlers: { count: () => ++calls, rows: () => [1, 2], noop: () => null } })
    const ask = { type: 'human_interaction' as const, label: 'ask', instructions: '{{ current_value }} after {{ first_output }}' }
    const handle = await host.start({
      blocks: [
        code('first', 'count'),
        code('rows', 'rows'),
        {
          type: 'for_loop',
          label: 'loop',
          loopVariableReference: 'rows_output',
          loopBlocks: [code('before', 'count'), ask, code('then', 'count')],
        },
      ],
    })
    for (const current of ['1 after 1', '2 after 1']) {
      await isPaused(host)
      expect((await host.engine.getRun(handle)).pause?.instructions).toBe(current)
      await handle.resume({ decision: 'approve', data: current })
      await until(async () => (await runRow(host.memory)).pauseDecision === null, 'the run going on')
    }
    const result = await settle(handle.result(), host.clock)
    expect(result.status).toBe('completed')
    expect(calls).toBe(5)
    expect(begun(host.events)).toEqual(['first', 'rows', 'loop', 'before', 'ask', 'then', 'before', 'ask', 'then'])
    const loop = (result.outputs as Record<string, { label: string; status: string }[][]>).loop_output
    expect(loop?.map((iteration) => iteration.map(({ label, status }) => `${label} ${status}`))).toEqual([
      ['before completed', 'ask completed', 'then completed'],
      ['before completed', 'ask completed', 'then completed'],
    ])
  })

  it('tells the notifier, whose failure is not its own', async () => {
    const notices: PauseNotice[] = []
    const notify = async (notice: PauseNotice) => {
      notices.push(notice)
      throw new Error('no mail')
    }
    const host = await startEngine({ notifier: { notify } })
    const handle = await host.start(asking())
    await isPaused(host)
    const { resumeToken } = notices[0] as PauseNotice
    await handle.resume({ decision: 'approve', resumeToken })
    expect(await settle(handle.result(), host.clock)).toMatchObject({ status: 'completed' })
    expect(notices).toHaveLength(1)
  })

  it('is ended at once by a cancel, with its open block', async () => {
    const host = await startEngine()
    const handle = await host.start(asking())
    await isPaused(host)
    expect(await handle.cancel({ by: 'Bob' })).toMatchObject({ status: 'canceled', pause: null })
    expect(await handle.result()).toMatchObject({ status: 'canceled' })
    expect(await blockRows(host.memory)).toMatchObject([{ status: 'canceled' }])
    expect(await failure(handle.resume({ decision: 'approve' }))).toMatchObject({ code: 'RUN_NOT_PAUSED', details: { status: 'canceled' } })
    expect(finals(await streamOf(host.memory))).toHaveLength(1)
    expect(host.clock.pendingTimers).toBe(0)
  })

  it('goes on in another process after a restart', async () => {
    const world = createWorld()
    const first = await startEngine({}, world)
    const handle = await first.start(asking())
    await isPaused(first)
    await settle(first.engine.stop(), world.clock)
    expect(await runRow(world.memory)).toMatchObject({ status: 'paused' })
    const second = await startEngine({}, world)
    await second.engine.resume({ workflowRunId: handle.workflowRunId, decision: 'approve' })
    expect(await settle(second.engine.waitForRun(handle), world.clock)).toMatchObject({ status: 'completed', attempt: 1 })
  })

  it('keeps its browser meanwhile', async () => {
    const host = await startHost({ driver: { site: { 'https://a.test/': { title: 'A' } } } })
    const { memory, clock, driver } = host
    const go = { type: 'goto_url' as const, url: 'https://a.test/' }
    const handle = await host.start({
      blocks: [
        { ...go, label: 'one' },
        { type: 'human_interaction', label: 'ask', instructions: 'Look' },
        { ...go, label: 'two' },
      ],
    })
    await settle(isPaused(host), clock)
    expect(driver.liveHandles).toBe(1)
    const { browserSessionId } = await runRow(memory)
    expect(await host.engine.getLastRunForSession({ browserSessionId: browserSessionId ?? '' })).toMatchObject({ status: 'paused' })
    await handle.resume({ decision: 'approve' })
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'completed', browserSessionId })
    expect(driver.handles).toHaveLength(1)
    expect(driver.liveHandles).toBe(0)
  })

  it('and a browser is ended by the host of that when it is canceled', async () => {
    const host = await startHost({ driver: { site: {} } })
    const handle = await host.start(asking())
    await settle(isPaused(host), host.clock)
    expect(host.driver.liveHandles).toBe(1)
    await handle.cancel()
    expect(await settle(handle.result(), host.clock)).toMatchObject({ status: 'canceled' })
    expect(host.driver.liveHandles).toBe(0)
    expect(await blockRows(host.memory)).toMatchObject([{ status: 'canceled' }])
  })
})
