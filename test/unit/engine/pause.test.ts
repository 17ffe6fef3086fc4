import { describe, expect, it } from 'vitest'
import { begun, blockRows, code, failure, handlers, runRow, settle, startEngine, startHost, streamOf, types, until } from './kit.js'
import { expectSound, twoHosts } from './takeover-kit.js'

const ask = (more: object = {}) => ({
  type: 'human_interaction' as const,
  label: 'ask',
  instructions: 'Look',
  timeoutSeconds: 3_600,
  ...more,
})
const site = { 'https://a.test/': { title: 'A', elements: [{ css: '#go' }] } }
const visit = (label: string) => ({ type: 'goto_url' as const, label, url: 'https://a.test/' })
const paused = async (memory: Parameters<typeof runRow>[0]) => (await runRow(memory)).status === 'paused'

describe('a pause', () => {
  it('takes the lease and the worker away, writes nothing more, and goes on with the decision where it stood', async () => {
    let calls = 0
    const host = await startEngine({ concurrency: 1, handlers: { ...handlers, count: () => ++calls } })
    const { memory, clock, engine, events } = host
    const handle = await host.start({
      blocks: [
        code('a', 'count'),
        {
          type: 'for_loop',
          label: 'loop',
          loopOverParameterKey: 'list',
          loopBlocks: [code('x', 'count'), ask()],
        },
        code('z', 'count'),
      ],
      parameters: [{ kind: 'workflow', key: 'list', type: 'json', default: [1, 2] }],
    })
    await until(() => paused(memory))
    const row = await runRow(memory)
    expect(row).toMatchObject({ leaseHolder: null, leaseExpiresAt: null, leaseFence: 1, pauseDecision: null })
    expect(row.pauseExpiresAt?.getTime()).toBe((row.pausedAt?.getTime() ?? 0) + 3_600_000)
    expect(row.pause).toMatchObject({ label: 'ask', instructions: 'Look', timeoutMs: 3_600_000 })
    expect(String(row.pause?.resumeToken).length).toBeGreaterThan(20)
    const told = (await streamOf(memory)).length
    await clock.advance(60_000)
    expect((await streamOf(memory)).length).toBe(told)
    // the only worker is free
    expect((await host.run({ blocks: [code('b')] })).status).toBe('completed')
    for (const data of ['one', 'two']) {
      await until(() => paused(memory))
      const { pause } = await runRow(memory)
      await engine.resume({ workflowRunId: 'wr_1', resumeToken: String(pause?.resumeToken), decision: 'approve', data, by: 'ada' })
    }
    const result = await settle(handle.result(), clock)
    expect(result).toMatchObject({ status: 'completed', attempt: 1 })
    expect(calls).toBe(4)
    const outputs = result.outputs.loop_output as unknown as { label: string; output: { data: string } }[][]
    expect(outputs.map((iteration) => iteration[1]?.output.data)).toEqual(['one', 'two'])
    expect(begun(events.filter(({ stream }) => stream === 'run:wr_1'))).toEqual(['a', 'loop', 'x', 'ask', 'x', 'ask', 'z'])
    const { events: stream } = await expectSound(memory, 'pause')
    expect(types(stream).filter((type) => type.startsWith('run.'))).toEqual(
      'run.created run.queued run.started run.paused run.resumed run.paused run.resumed run.completed'.split(' '),
    )
  })

  it('keeps the browser, and the run goes on in it', async () => {
    const { start, engine, memory, clock, pool, driver } = await startHost({ driver: { site } })
    const handle = await start({ blocks: [visit('before'), ask(), visit('after')] })
    await until(() => paused(memory))
    const { browserSessionId, ownsSession } = await runRow(memory)
    expect(ownsSession).toBe(true)
    await clock.advance(120_000)
    expect(pool.stats().held).toBe(1)
    await engine.resume({ workflowRunId: 'wr_1', decision: 'approve' })
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'completed', browserSessionId })
    expect(driver.handles).toHaveLength(1)
    expect(driver.liveHandles).toBe(0)
    expect(await memory.get('browser_sessions', browserSessionId ?? '')).toMatchObject({ leaseFence: 1, status: 'completed' })
    await expectSound(memory, 'pause with a browser')
  })

  it('keeps a named session held, which is free after the end', async () => {
    const { start, engine, memory, clock, pool } = await startHost({ driver: { site } })
    const { browserSessionId } = await pool.create()
    const handle = await start({ blocks: [visit('before'), ask(), visit('after')] }, { browserSessionId })
    await until(() => paused(memory))
    await clock.advance(120_000)
    const occupied = await failure(pool.occupy({ browserSessionId, runnableType: 'x', runnableId: 'y' }))
    expect(occupied.code).toBe('SESSION_OCCUPIED')
    await engine.resume({ workflowRunId: 'wr_1', decision: 'approve' })
    expect((await settle(handle.result(), clock)).status).toBe('completed')
    expect((await pool.get({ browserSessionId })).runnableId).toBeNull()
  })

  it('is ended by a cancel: with a session by its host, without one in that write', async () => {
    for (const withPage of [true, false]) {
      const { start, engine, memory, clock, driver } = await startHost({
        driver: { site },
        engine: withPage ? {} : { sessions: undefined },
      })
      const handle = await start({ blocks: [...(withPage ? [visit('before')] : []), code('a'), ask(), code('z')] })
      await until(() => paused(memory))
      const answer = await engine.cancel({ workflowRunId: 'wr_1', by: 'ada' })
      expect(answer.status).toBe(withPage ? 'paused' : 'canceled')
      const result = await settle(handle.result(), clock)
      expect(result).toMatchObject({ status: 'canceled', failureReason: 'canceled by ada' })
      expect(result.errors.map(({ blockLabel }) => blockLabel)).toEqual(['ask'])
      expect(result.outputs).toMatchObject({ a_output: null })
      expect(driver.liveHandles).toBe(0)
      await expectSound(memory, `cancel ${withPage}`)
    }
  })

  it('does not count against the elapsed limit, unless the workflow says so', async () => {
    for (const pauseCounts of [false, true]) {
      const { start, engine, memory, clock } = await startEngine()
      const handle = await start(
        { blocks: [ask({ timeoutSeconds: 3_600 }), code('z')] },
        { workflow: { maxElapsedTimeMinutes: 10, pauseCounts } },
      )
      await until(() => paused(memory))
      const { pauseExpiresAt, pausedAt } = await runRow(memory)
      expect((pauseExpiresAt?.getTime() ?? 0) - (pausedAt?.getTime() ?? 0)).toBe(pauseCounts ? 600_000 : 3_600_000)
      if (!pauseCounts) {
        await clock.advance(1_800_000)
        await engine.resume({ workflowRunId: 'wr_1', decision: 'approve' })
      }
      const result = await settle(handle.result(), clock)
      expect(result.status).toBe(pauseCounts ? 'timed_out' : 'completed')
    }
  })

  it('survives its host: another goes on, with the decision, in a new browser', async () => {
    const { one, startOther, die, memory, clock } = await twoHosts({ pool: 'own' })
    await one.start({ blocks: [visit('before'), ask(), visit('after')] })
    await until(() => paused(memory))
    const { browserSessionId } = await runRow(memory)
    die()
    const other = await startOther()
    await settle(new Promise<void>((resolve) => clock.setTimer(resolve, 60_000)), clock)
    await other.engine.resume({ workflowRunId: 'wr_1', decision: 'approve', data: 7 })
    const result = await settle(other.engine.waitForRun({ workflowRunId: 'wr_1' }), clock)
    expect(result).toMatchObject({ status: 'completed', outputs: { ask_output: { data: 7 } } })
    expect(result.browserSessionId).not.toBe(browserSessionId)
    const { rows } = await expectSound(memory, 'pause over a loss')
    expect(rows.map(({ label, attempt }) => [label, attempt])).toEqual([
      ['before', 1],
      ['ask', 1],
      ['after', 1],
    ])
  })

  it('that is canceled while it is written is none', async () => {
    const { start, engine, memory, clock } = await startEngine({
      handlers: { ...handlers, cancel: async () => void (await engine.cancel({ workflowRunId: 'wr_1' })) },
    })
    const handle = await start({ blocks: [code('a', 'cancel'), ask()] })
    expect((await settle(handle.result(), clock)).status).toBe('canceled')
    const { events } = await expectSound(memory, 'canceled')
    expect(types(events)).not.toContain('run.paused')
    expect((await blockRows(memory)).map(({ label }) => label)).toEqual(['a'])
  })
})

it('a run that cannot be set up again keeps what it had done, for its finally block and its result', async () => {
  const seen: unknown[] = []
  const host = await startHost({
    engine: { handlers: { order: () => ({ orderId: 17 }), undo: ({ outputs }) => seen.push(outputs) && null } },
  })
  const { memory, clock, engine, pool } = host
  const { browserSessionId } = await settle(pool.create({}), clock)
  const handle = await host.start(
    { finallyBlockLabel: 'undo', blocks: [code('one', 'order'), ask(), code('undo', 'undo')] },
    { browserSessionId },
  )
  await until(() => paused(memory))
  await settle(pool.close({ browserSessionId, force: true }), clock)
  await engine.resume({ workflowRunId: handle.workflowRunId, decision: 'approve' })
  const result = await settle(handle.result(), clock)
  expect(result.status).toBe('failed')
  expect(result.outputs).toMatchObject({ one_output: { orderId: 17 } })
  expect(seen).toEqual([{ one: { orderId: 17 } }])
})
