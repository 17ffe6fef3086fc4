import { describe, expect, it } from 'vitest'
import { begun, blockRows, code, failure, gate, handlers, runRow, settle, startEngine, startHost, streamOf, until } from './kit.js'

const site = { 'https://a.test/': { title: 'A', elements: [{ css: '#go' }] } }
const open = (label = 'open', more: object = {}) => ({ type: 'goto_url' as const, label, url: 'https://a.test/', ...more })

describe('a named session', () => {
  it('is occupied for the run, under its id, from before the first block to its end', async () => {
    const passed = gate()
    const { start, pool, memory, clock, events } = await startHost({ engine: { handlers: { wait: () => passed.passed as never } } })
    const { browserSessionId } = await pool.create()
    const handle = await start({ blocks: [code('a', 'wait')] }, { browserSessionId })
    await until(() => begun(events).length === 1)
    expect(await memory.get('browser_sessions', browserSessionId)).toMatchObject({
      runnableType: 'workflow_run',
      runnableId: 'wr_1',
      runnableFence: (await runRow(memory)).leaseFence,
      leaseFence: 1,
    })
    passed.open()
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'completed', browserSessionId })
    expect(await memory.get('browser_sessions', browserSessionId)).toMatchObject({ runnableId: null, leaseToken: null, status: 'running' })
    expect((await runRow(memory)).ownsSession).toBe(false)
  })

  it('serves one run after another, and keeps its pages', async () => {
    const { run, pool, driver } = await startHost({ driver: { site } })
    const { browserSessionId } = await pool.create()
    expect((await run({ blocks: [open()] }, { browserSessionId })).status).toBe('completed')
    const second = await run(
      { blocks: [{ type: 'action', label: 'go', steps: [{ type: 'click', target: { css: '#go' } }] }] },
      { browserSessionId },
    )
    expect(second.status).toBe('completed')
    expect(driver.handles).toHaveLength(1)
  })

  it('that is held fails a second run at the same time, naming the holder', async () => {
    const passed = gate()
    const { start, pool, clock, events, memory } = await startHost({
      engine: { handlers: { ...handlers, wait: () => passed.passed as never } },
    })
    const { browserSessionId } = await pool.create()
    const first = await start({ blocks: [code('a', 'wait')] }, { browserSessionId })
    await until(() => begun(events).length === 1)
    const second = await start({ blocks: [code('a')], finallyBlockLabel: null }, { browserSessionId })
    const refused = await settle(second.result(), clock)
    expect(refused).toMatchObject({ status: 'failed', errorCode: 'SESSION_OCCUPIED' })
    expect(refused.failureReason).toContain('workflow_run wr_1')
    expect(await blockRows(memory, 'wr_2')).toEqual([])
    expect(await memory.get('browser_sessions', browserSessionId)).toMatchObject({ runnableId: 'wr_1' })
    passed.open()
    expect((await settle(first.result(), clock)).status).toBe('completed')
  })

  it('that is held is waited for by a run that may wait, which then has it as the first left it', async () => {
    const passed = gate()
    const { start, pool, clock, events, memory } = await startHost({
      engine: { handlers: { ...handlers, wait: () => passed.passed as never } },
    })
    const { browserSessionId } = await pool.create()
    const first = await start({ blocks: [code('a', 'wait')] }, { browserSessionId })
    await until(() => begun(events).length === 1)
    const second = await start({ blocks: [code('b')] }, { browserSessionId, wait: { timeoutMs: 60_000 } })
    await until(() => pool.stats().waiting === 1)
    expect(await runRow(memory, 'wr_2')).toMatchObject({ status: 'running', waitTimeoutMs: 60_000 })
    await clock.advance(5_000)
    passed.open()
    expect((await settle(first.result(), clock)).status).toBe('completed')
    expect(await settle(second.result(), clock)).toMatchObject({ status: 'completed', browserSessionId })
    expect(begun(events)).toEqual(['a', 'b'])
    expect(await memory.get('browser_sessions', browserSessionId)).toMatchObject({ leaseFence: 2, leaseToken: null })
  })

  it('that stays held fails a run that has waited long enough, and one that is canceled waits no longer', async () => {
    const { start, pool, clock, engine, memory } = await startHost()
    const { browserSessionId } = await pool.create()
    const lease = await pool.occupy({ browserSessionId, runnableType: 'debug_session', runnableId: 'ds_1' })
    const request = { browserSessionId, wait: { timeoutMs: 20_000 } }
    const patient = await start({ blocks: [code('a')] }, request)
    const canceled = await start({ blocks: [code('a')] }, request)
    await until(async () => pool.stats().waiting === 1 && (await runRow(memory, canceled.workflowRunId)).isParked)
    await engine.cancel({ workflowRunId: canceled.workflowRunId })
    expect((await settle(canceled.result(), clock)).status).toBe('canceled')
    expect(pool.stats().waiting).toBe(1)
    await clock.advance(20_000)
    const result = await settle(patient.result(), clock)
    expect(result).toMatchObject({ status: 'failed', errorCode: 'SESSION_OCCUPIED' })
    expect(result.failureReason).toMatch(/debug_session ds_1.*waited 20000 ms/)
    expect(lease.isHeld).toBe(true)
  })

  it('must exist, in this organisation, before anything is written', async () => {
    const { start, pool, memory } = await startHost()
    expect((await failure(start({ blocks: [code('a')] }, { browserSessionId: 'nobody' }))).code).toBe('SESSION_NOT_FOUND')
    const foreign = await pool.create({ organizationId: 'other' })
    expect((await failure(start({ blocks: [code('a')] }, { browserSessionId: foreign.browserSessionId }))).code).toBe('SESSION_NOT_FOUND')
    expect(await memory.count('runs')).toBe(0)
  })

  it('that has ended fails the run', async () => {
    const { run, pool } = await startHost()
    const { browserSessionId } = await pool.create()
    await pool.close({ browserSessionId })
    expect(await run({ blocks: [code('a')] }, { browserSessionId })).toMatchObject({ status: 'failed', errorCode: 'SESSION_ENDED' })
  })

  it('whose browser crashes fails the run with SESSION_LOST, and is over', async () => {
    const { start, pool, driver, clock, events, memory } = await startHost({ engine: { handlers: { deaf: () => new Promise(() => {}) } } })
    const { browserSessionId } = await pool.create()
    const handle = await start(
      { blocks: [code('a', 'deaf', { maxRetries: 5, continueOnFailure: true }), code('b', 'deaf')] },
      { browserSessionId },
    )
    await until(() => begun(events).length === 1)
    driver.handles[0]?.crash('out of memory')
    const result = await settle(handle.result(), clock)
    expect(result).toMatchObject({ status: 'failed', errorCode: 'SESSION_LOST' })
    expect(result.failureReason).toContain('out of memory')
    expect(begun(events)).toEqual(['a'])
    expect((await streamOf(memory)).filter(({ type }) => type === 'block.retried')).toEqual([])
    await until(async () => (await memory.get('browser_sessions', browserSessionId))?.status === 'failed')
    expect(await memory.get('browser_sessions', browserSessionId)).toMatchObject({ leaseToken: null, closeReason: 'crashed' })
  })

  it('that is closed by force fails the run', async () => {
    const { start, pool, clock, events } = await startHost({ engine: { handlers: { deaf: () => new Promise(() => {}) } } })
    const { browserSessionId } = await pool.create()
    const handle = await start({ blocks: [code('a', 'deaf')] }, { browserSessionId })
    await until(() => begun(events).length === 1)
    await pool.close({ browserSessionId, force: true })
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'failed', errorCode: 'LEASE_LOST' })
  })

  it('that is lost before the finally block does not keep that from running; lost in it, it fails it', async () => {
    const steps = [{ type: 'wait' as const, waitSec: 60 }]
    const { start, pool, driver, clock, events } = await startHost({
      engine: { handlers: { ...handlers, deaf: () => new Promise(() => {}) } },
    })
    const first = await pool.create()
    const definition = { blocks: [code('a', 'deaf'), code('last')], finallyBlockLabel: 'last' }
    const lostEarly = await start(definition, { browserSessionId: first.browserSessionId })
    await until(() => begun(events).length === 1)
    driver.handles[0]?.crash()
    expect((await settle(lostEarly.result(), clock)).errorCode).toBe('SESSION_LOST')
    expect(begun(events)).toEqual(['a', 'last'])
    const second = await pool.create()
    const lostLate = await start(
      { blocks: [code('a'), { type: 'action', label: 'last', steps }], finallyBlockLabel: 'last' },
      { browserSessionId: second.browserSessionId },
    )
    await until(() => begun(events).length === 4)
    driver.handles[1]?.crash()
    expect(await settle(lostLate.result(), clock)).toMatchObject({ status: 'failed', errorCode: 'SESSION_LOST' })
  })
})

describe('a private browser', () => {
  it('is started when the first block needs it, and closed before the run’s end is written', async () => {
    const passed = gate()
    const { start, driver, clock, events, memory, engine } = await startHost({
      driver: { site },
      engine: { handlers: { wait: () => passed.passed as never } },
    })
    let liveAtEnd = -1
    engine.on('run.completed', () => (liveAtEnd = driver.liveHandles))
    const handle = await start({ blocks: [code('a', 'wait'), open()] })
    await until(() => begun(events).length === 1)
    expect(driver.specs).toEqual([])
    passed.open()
    const result = await settle(handle.result(), clock)
    expect(result.status).toBe('completed')
    expect(liveAtEnd).toBe(0)
    const [session] = await memory.find({ table: 'browser_sessions' })
    expect(session).toMatchObject({ private: true, status: 'completed', closeReason: 'released', leaseToken: null })
    expect(result.browserSessionId).toBe(session?.browserSessionId)
    expect(await runRow(memory)).toMatchObject({ browserSessionId: session?.browserSessionId, ownsSession: true })
  })

  it('is never started for a run that needs none', async () => {
    const { run, driver } = await startHost()
    await run({ blocks: [code('a')] })
    expect(driver.specs).toEqual([])
  })

  it('is one for the whole run', async () => {
    const { run, driver } = await startHost({ driver: { site } })
    await run({ blocks: [open('a'), open('b'), open('c')] })
    expect(driver.specs).toHaveLength(1)
  })

  it('starts when a handler first touches the page', async () => {
    const { run, driver } = await startHost({
      driver: { site },
      engine: { handlers: { look: async ({ page }) => (await page.goto('https://a.test/')).title } },
    })
    expect((await run({ blocks: [code('a', 'look')] })).outputs.a_output).toBe('A')
    expect(driver.specs).toHaveLength(1)
  })

  it('that does not start fails its block with the reason; a retry starts another', async () => {
    const { run, driver } = await startHost({ driver: { site } })
    driver.scriptLaunch({ fails: 'crashed' })
    expect(await run({ blocks: [open()] })).toMatchObject({ status: 'failed', errorCode: 'BROWSER_LAUNCH_FAILED' })
    driver.scriptLaunch({ fails: 'crashed' })
    expect((await run({ blocks: [open('open', { maxRetries: 1 })] })).status).toBe('completed')
    expect(driver.liveHandles).toBe(0)
  })

  it('that is still on its way at its block’s deadline is given up with the run', async () => {
    const { start, driver, clock, memory } = await startHost({ driver: { site, launch: { delayMs: 10_000 } } })
    const handle = await start({ blocks: [open('open', { timeoutSeconds: 1 })] })
    await until(() => driver.pendingLaunches === 1)
    const result = await settle(handle.result(), clock)
    expect(result).toMatchObject({ status: 'failed', errorCode: 'BLOCK_TIMED_OUT' })
    expect(await memory.find({ table: 'browser_sessions' })).toMatchObject([{ status: 'failed', closeReason: 'launch_failed' }])
    expect(driver.liveHandles + driver.pendingLaunches).toBe(0)
  })

  it('that crashes fails the run with SESSION_LOST', async () => {
    const { start, driver, clock, events } = await startHost({ driver: { site } })
    const handle = await start({ blocks: [open(), { type: 'wait', label: 'pause', waitSec: 60 }] })
    await until(() => begun(events).length === 2)
    driver.handles[0]?.crash()
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'failed', errorCode: 'SESSION_LOST' })
    expect(driver.liveHandles).toBe(0)
  })
})

describe('without a pool', () => {
  it('a run that needs a browser fails with SESSIONS_NOT_CONFIGURED', async () => {
    const { run } = await startEngine()
    expect(await run({ blocks: [code('a'), open()] })).toMatchObject({ status: 'failed', errorCode: 'SESSIONS_NOT_CONFIGURED' })
    expect(await run({ blocks: [code('a')] }, { browserSessionId: 'bs_1' })).toMatchObject({ errorCode: 'SESSIONS_NOT_CONFIGURED' })
  })
})

describe('a run that waits for people', () => {
  it('has its browser from the start, for as long as people may take and an hour more', async () => {
    const { start, memory, clock } = await startHost()
    const people = { type: 'human_interaction' as const, instructions: 'look' }
    const handle = await start({
      blocks: [
        { ...people, label: 'a', timeoutSeconds: 1_800 },
        { ...people, label: 'b' },
      ],
    })
    for (const label of ['a', 'b']) {
      const waits = async () => {
        const row = await memory.get('runs', handle.workflowRunId)
        return row?.status === 'paused' && row.pause?.label === label
      }
      await settle(until(waits), clock)
      await handle.resume({ decision: 'approve' })
    }
    const result = await settle(handle.result(), clock)
    expect(result.status).toBe('completed')
    const session = await memory.get('browser_sessions', result.browserSessionId ?? '')
    expect(session).toMatchObject({ private: true, timeoutMinutes: 30 + 120 + 60, status: 'completed' })
  })
})
