import { describe, expect, it } from 'vitest'
import type { RunTaskParams, WorkflowEngineOptions } from '../../../src/engine/index.js'
import { type FakeSite, scriptedAgent } from '../../../src/testing/index.js'
import { blockRows, failure, gate, runRow, settle, startHost, types, until } from './kit.js'

const site: FakeSite = {
  'https://a.test/': {
    title: 'A',
    elements: [
      { css: '#go', role: 'button', name: 'Go', onClick: 'https://a.test/next' },
      { css: '#name', label: 'Name' },
      { css: '.total', text: '12' },
    ],
  },
  'https://a.test/next': { title: 'Next', elements: [{ css: '.total', text: '34' }] },
}
const url = 'https://a.test/'
const click = { type: 'click' as const, target: { css: '#go' } }
const selectors = { total: { css: '.total', type: 'number' as const } }

async function host(engine: Partial<WorkflowEngineOptions> = {}) {
  const started = await startHost({ driver: { site }, engine })
  const run = async (params: RunTaskParams) => settle((await started.engine.runTask(params)).result(), started.clock)
  return { ...started, run }
}

describe('a task', () => {
  it('is a run of one block, of a workflow that no caller has made', async () => {
    const { run, memory, engine } = await host()
    const result = await run({ title: 'Go on', url, steps: [click], runMetadata: { who: 'Ada' }, priority: 3 })
    expect(result).toMatchObject({ status: 'completed', runType: 'task', workflowTitle: 'Go on', stepCount: 2, actionCount: 2 })
    expect((await blockRows(memory)).map(({ label, type }) => [label, type])).toEqual([['task', 'task']])
    expect(await runRow(memory)).toMatchObject({ runType: 'task', priority: 3, runMetadata: { who: 'Ada' }, stepCount: 2, dryRun: false })
    expect(await memory.find({ table: 'workflows' })).toMatchObject([{ status: 'auto_generated', title: 'Go on' }])
    expect(await memory.find({ table: 'tasks' })).toMatchObject([{ url, status: 'completed' }])
    const { workflowPermanentId } = await runRow(memory)
    expect((await failure(engine.startRun({ workflowPermanentId }))).code).toBe('WORKFLOW_NOT_FOUND')
    expect((await engine.getRun({ workflowRunId: 'wr_1' })).runType).toBe('task')
    expect((await engine.listRuns()).map(({ workflowRunId }) => workflowRunId)).toEqual(['wr_1'])
  })

  it('takes its workflow with it when it is pruned, and no other', async () => {
    const { run, start, engine, memory, clock } = await host()
    await run({ url, steps: [click] })
    const handle = await start({ blocks: [{ type: 'goto_url', label: 'open', url }] })
    await settle(handle.result(), clock)
    expect(await memory.count('workflows')).toBe(2)
    await clock.advance(1_000)
    expect(await engine.prune({ olderThan: clock.now() })).toMatchObject({ runs: 2, workflows: 1 })
    expect(await memory.find({ table: 'workflows' })).toMatchObject([{ status: 'published' }])
    expect(await engine.prune({ olderThan: clock.now() })).toMatchObject({ runs: 0, workflows: 0 })
  })

  it('is stored with its workflow by one commit, and once for one idempotency key', async () => {
    const { engine, memory, run } = await host()
    const first = await engine.runTask({ url, steps: [click], idempotencyKey: 'k' })
    const second = await engine.runTask({ url, steps: [click], idempotencyKey: 'k' })
    expect(second.workflowRunId).toBe(first.workflowRunId)
    expect([await memory.count('runs'), await memory.count('workflows')]).toEqual([1, 1])
    await run({ url, steps: [click], idempotencyKey: 'k' })
  })

  it('reads at its end, in the same block', async () => {
    const { run, memory } = await host()
    const result = await run({ url, steps: [click], extraction: { selectors, schema: { type: 'object', required: ['total'] } } })
    expect(result).toMatchObject({ status: 'completed', extractedInformation: [{ total: 34 }] })
    expect(await blockRows(memory)).toHaveLength(1)
  })

  it('fails when what it reads does not fit, or is not there', async () => {
    const { run } = await host()
    const schema = { type: 'object', properties: { total: { type: 'number', maximum: 20 } } }
    expect(await run({ url, steps: [click], extraction: { selectors, schema } })).toMatchObject({
      status: 'failed',
      errorCode: 'SCHEMA_MISMATCH',
    })
    expect(await run({ url, steps: [click], extraction: { selectors: { x: '#no' } } })).toMatchObject({
      status: 'failed',
      errorCode: 'EXTRACTION_FAILED',
    })
    expect(await run({ url, steps: [{ type: 'extract', selectors: { total: '.total' } }], extraction: { schema } })).toMatchObject({
      errorCode: 'SCHEMA_MISMATCH',
    })
  })

  it('that only reads is an extraction', async () => {
    const { run, memory } = await host()
    expect(await run({ url, extraction: { selectors } })).toMatchObject({ status: 'completed', extractedInformation: [{ total: 12 }] })
    expect((await blockRows(memory)).map(({ type }) => type)).toEqual(['extraction'])
  })

  it('gives its steps’ codes their meaning', async () => {
    const { run } = await host()
    const steps = [{ type: 'terminate' as const, errorCode: 'SOLD_OUT' }]
    expect(await run({ steps, errorCodeMapping: { SOLD_OUT: 'it is sold out' } })).toMatchObject({
      status: 'terminated',
      errorCode: 'SOLD_OUT',
      failureReason: expect.stringContaining('it is sold out'),
    })
  })

  it('only checks with dryRun', async () => {
    const { run, memory, pool, driver } = await host()
    const { browserSessionId } = await pool.create({ url })
    const result = await run({
      browserSessionId,
      steps: [click, { type: 'input_text', target: { css: '#name' }, value: 'Ada' }],
      dryRun: true,
    })
    expect(result.status).toBe('completed')
    expect(driver.handles[0]?.pages()[0]?.elements()[1]?.value).toBe('')
    expect((await memory.find({ table: 'actions' })).map(({ dryRun }) => dryRun)).toEqual([true, true])
    expect((await runRow(memory)).dryRun).toBe(true)
  })

  it('occupies its session as a task', async () => {
    const { run, pool } = await host()
    const { browserSessionId } = await pool.create({ url })
    const seen: unknown[] = []
    pool.on('session.occupied', ({ runnableType, runnableId }) => seen.push([runnableType, runnableId]))
    expect((await run({ browserSessionId, steps: [click] })).status).toBe('completed')
    expect(seen).toEqual([['task', 'wr_1']])
  })

  it.each([
    [{}, 'steps'],
    [{ url: 'chrome://settings', steps: [click] }, 'url'],
    [{ steps: [click], browserSessionId: 'a', browserAddress: 'http://127.0.0.1:1' }, 'browserAddress'],
    [{ steps: 'click' }, 'steps'],
    [{ steps: [click], maxSteps: 0 }, 'maxSteps'],
    [{ steps: [click], nonsense: 1 }, 'nonsense'],
  ])('refuses what it cannot use: %j', async (params, path) => {
    const { engine, memory } = await host()
    const error = await failure(engine.runTask(params as never))
    expect(error.code).toBe('INVALID_ARGUMENT')
    expect(error.details.path).toBe(path)
    expect(await memory.count('runs')).toBe(0)
  })

  it('names every broken rule of its steps', async () => {
    const { engine, memory } = await host()
    const error = await failure(engine.runTask({ steps: [{ type: 'clack' } as never, { type: 'click' } as never] }))
    expect(error.code).toBe('INVALID_DEFINITION')
    expect(JSON.stringify(error.details.issues)).toContain('UNKNOWN_ACTION_TYPE')
    expect(await memory.count('workflows')).toBe(0)
  })
})

describe('a goal', () => {
  it.each([{ navigationGoal: 'buy' }, { extraction: { dataExtractionGoal: 'prices' } }, { extraction: { schema: {} } }])(
    'without steps needs an agent: %j',
    async (params) => {
      const { engine, memory } = await host()
      expect((await failure(engine.runTask(params))).code).toBe('AGENT_REQUIRED')
      expect(await memory.count('runs')).toBe(0)
    },
  )

  it('goes to the agent: its page is open, its steps are recorded, what it used is summed up', async () => {
    const agent = scriptedAgent(async (page, { tools }) => {
      tools.reportUsage({ tokens: 10, calls: 1 })
      return page.title === 'Next' ? { status: 'completed', output: { total: 34 } } : click
    })
    const { run, memory } = await host({ agent })
    const result = await run({
      url,
      navigationGoal: 'go on',
      navigationPayload: { who: ['Ada'] },
      completeCriterion: 'it shows Next',
      terminateCriterion: 'it never will',
      errorCodeMapping: { NEVER: 'never' },
      maxSteps: 4,
    })
    expect(result).toMatchObject({ status: 'completed', stepCount: 2, actionCount: 2, extractedInformation: [{ total: 34 }] })
    expect(agent.tasks).toEqual([
      {
        goal: 'go on',
        payload: { who: ['Ada'] },
        url,
        completeCriterion: 'it shows Next',
        terminateCriterion: 'it never will',
        schema: null,
        errorCodeMapping: { NEVER: 'never' },
        budget: { maxSteps: 4 },
      },
    ])
    expect((result.outputs.task_output as { usage: unknown }).usage).toEqual({ tokens: 20, calls: 2 })
    const steps = await memory.find({ table: 'steps', orderBy: [{ column: 'order' }] })
    expect(steps.map(({ order, status, tokens }) => [order, status, tokens])).toEqual([
      [0, 'completed', null],
      [1, 'completed', 10],
    ])
    expect(await memory.find({ table: 'tasks' })).toMatchObject([{ goal: 'go on', url, status: 'completed' }])
  })

  it('whose answer does not fit its schema fails', async () => {
    const agent = scriptedAgent([{ status: 'completed', output: 'many' }])
    const { run } = await host({ agent })
    const params = { url, navigationGoal: 'count', extraction: { schema: { type: 'number' } } }
    expect(await run(params)).toMatchObject({ status: 'failed', errorCode: 'SCHEMA_MISMATCH' })
    expect(agent.tasks[0]?.schema).toEqual({ type: 'number' })
    expect(await run({ url, extraction: { dataExtractionGoal: 'the total', schema: { type: 'string' } } })).toMatchObject({
      status: 'completed',
      extractedInformation: ['many'],
    })
  })

  it('is read by selectors when the agent has reached it', async () => {
    const { run } = await host({ agent: scriptedAgent([click]) })
    expect(await run({ url, navigationGoal: 'go on', extraction: { selectors } })).toMatchObject({
      status: 'completed',
      extractedInformation: [{ total: 34 }],
    })
  })

  it('that the agent gives up on, fails at, or spends its budget on, ends so', async () => {
    const agent = scriptedAgent((_page, { task }) => {
      if (task.goal === 'budget') return { type: 'hover', target: { css: '#go' } }
      if (task.goal === 'throw') throw new Error('no model')
      return task.goal === 'fail' ? { status: 'failed', reason: 'no way' } : { status: 'terminated', errorCode: 'SOLD_OUT' }
    })
    const { run } = await host({ agent })
    const errorCodeMapping = { SOLD_OUT: 'it is sold out' }
    expect(await run({ url, navigationGoal: 'end', errorCodeMapping })).toMatchObject({ status: 'terminated', errorCode: 'SOLD_OUT' })
    expect(await run({ url, navigationGoal: 'fail' })).toMatchObject({ status: 'failed', errorCode: 'AGENT_FAILED' })
    expect(await run({ url, navigationGoal: 'throw' })).toMatchObject({ status: 'failed', errorCode: 'AGENT_FAILED' })
    expect(await run({ url, navigationGoal: 'budget', maxSteps: 2 })).toMatchObject({
      status: 'failed',
      errorCode: 'MAX_STEPS',
      stepCount: 3,
    })
  })

  it('is canceled within a quarter of a second', async () => {
    const begun = gate()
    const agent = {
      run: () => {
        begun.open()
        return new Promise<never>(() => {})
      },
    }
    const { engine, clock, memory, events } = await host({ agent })
    const handle = await engine.runTask({ url, navigationGoal: 'wait' })
    await begun.passed
    await handle.cancel()
    expect((await settle(handle.result(), clock)).status).toBe('canceled')
    const { cancelRequestedAt } = await runRow(memory)
    const [block] = await blockRows(memory)
    expect(Number(block?.finishedAt) - Number(cancelRequestedAt)).toBeLessThanOrEqual(250)
    expect(await memory.find({ table: 'tasks' })).toMatchObject([{ status: 'canceled' }])
    expect(types(events)).toContain('run.canceled')
  })
})

describe('secrets and the agent', () => {
  const definition = {
    parameters: [
      { kind: 'secret' as const, key: 'SHOP', provider: 'vault', name: 'shop' },
      { kind: 'secret' as const, key: 'BANK', provider: 'vault', name: 'bank' },
    ],
    blocks: [
      {
        type: 'login' as const,
        label: 'sign_in',
        url,
        navigationGoal: 'sign in as {{ SHOP.username }} with {{ SHOP.password }}',
        credentialKey: 'SHOP',
        parameterKeys: ['SHOP'],
      },
    ],
  }
  const vault = { get: async () => ({ username: 'ada@a.test', password: 'hunter2-hunter2' }) }

  it('it is shown placeholders, types those of its block, and no others', async () => {
    const agent = scriptedAgent([
      { type: 'input_text', target: { css: '#name' }, value: '{{ SHOP.password }}' },
      { type: 'input_text', target: { css: '#name' }, value: '{{ BANK.password }} {{ 1 + 1 }}' },
    ])
    const { start, clock, memory, driver, pool } = await host({ agent, credentials: { vault } as never })
    const { browserSessionId } = await pool.create()
    const typed: string[] = []
    const handle = await start(definition as never, { browserSessionId })
    const result = await settle(handle.result(), clock)
    for (const event of driver.handles[0]?.pages()[0]?.log ?? []) if (event.type === 'input_text') typed.push(event.value)
    expect(result).toMatchObject({ status: 'completed' })
    expect(typed).toEqual(['hunter2-hunter2', '{{ BANK.password }} {{ 1 + 1 }}'])
    expect(agent.tasks[0]?.goal).toBe('sign in as {{ SHOP.username }} with {{ SHOP.password }}')
    expect(JSON.stringify([agent.results, await memory.find({ table: 'actions' }), await memory.find({ table: 'steps' })])).not.toContain(
      'hunter2',
    )
  })
})

describe('a step that fails', () => {
  it('is handed over to the agent, with its own goal, and the list goes on', async () => {
    const agent = scriptedAgent([{ type: 'click', target: { role: 'button', name: 'Go' } }])
    const { run, memory } = await host({ agent })
    const result = await run({
      url,
      steps: [
        { action: { type: 'click', target: { css: '#gone' }, intention: 'go on', timeoutMs: 200 }, onFailure: 'agent', retries: 0 },
        { type: 'assert', url: 'https://a.test/next' },
      ],
    })
    expect(result).toMatchObject({ status: 'completed', stepCount: 4 })
    expect(agent.tasks).toMatchObject([{ goal: 'go on', payload: { action: { type: 'click' } }, budget: { maxSteps: 10 } }])
    const steps = await memory.find({ table: 'steps', orderBy: [{ column: 'order' }, { column: 'retryIndex' }] })
    expect(steps.map(({ order, retryIndex, status, recovery }) => [order, retryIndex, status, recovery])).toEqual([
      [0, 0, 'completed', null],
      [1, 0, 'failed', null],
      [1, 1, 'completed', 'agent'],
      [2, 0, 'completed', null],
    ])
    const actions = await memory.find({ table: 'actions' })
    expect(actions.filter(({ recovery }) => recovery === 'agent')).toMatchObject([{ type: 'click', stepId: steps[2]?.stepId }])
    expect((result.outputs.task_output as { usage: unknown }).usage).toEqual({ tokens: 0, calls: 0 })
  })

  it('fails when the agent does not do it either', async () => {
    const agent = scriptedAgent([{ status: 'failed', reason: 'cannot see it' }])
    const { run } = await host({ agent })
    const steps = [
      { action: { type: 'click' as const, target: { css: '#gone' }, timeoutMs: 200 }, onFailure: 'agent' as const, retries: 0 },
    ]
    const result = await run({ url, steps })
    expect(result).toMatchObject({ status: 'failed', errorCode: 'AGENT_FAILED', failureReason: expect.stringContaining('cannot see it') })
  })
})

describe('a browser that somebody else has started', () => {
  const browserAddress = 'http://127.0.0.1:9222'

  it('is attached to for the run, and only let go of at its end', async () => {
    const { run, engine, start, clock, driver, memory } = await host()
    const result = await run({ url, steps: [click], browserAddress })
    expect(result.status).toBe('completed')
    expect(driver.connections).toMatchObject([{ browserAddress }])
    expect(driver.specs).toEqual([])
    expect(driver.handles[0]?.calls).toMatchObject({ close: 1, kill: 0 })
    expect(await runRow(memory)).toMatchObject({ browserAddress, ownsSession: true })
    expect(await memory.find({ table: 'browser_sessions' })).toMatchObject([
      { private: true, browserAddress, displayBackend: null, pid: null, status: 'completed', guarded: false },
    ])
    const handle = await start({ blocks: [{ type: 'goto_url', label: 'a', url }] }, { browserAddress })
    expect((await settle(handle.result(), clock)).status).toBe('completed')
    expect(await settle(engine.runAction({ url, action: click, browserAddress }), clock)).toMatchObject({ status: 'completed' })
    expect(driver.connections).toHaveLength(3)
  })

  it('that cannot be had fails the run before its first block', async () => {
    const { run, driver, memory } = await host()
    driver.scriptLaunch({ fails: 'timeout' })
    expect(await run({ steps: [{ type: 'wait', waitSec: 1 }], browserAddress })).toMatchObject({
      status: 'failed',
      errorCode: 'BROWSER_LAUNCH_FAILED',
    })
    expect(await memory.count('run_blocks')).toBe(0)
  })

  it('that a driver cannot attach to fails the run, and says why', async () => {
    const { run, driver } = await host()
    Object.assign(driver, { connect: undefined })
    const result = await run({ steps: [{ type: 'wait', waitSec: 1 }], browserAddress })
    expect(result).toMatchObject({ status: 'failed', failureReason: expect.stringContaining('cannot attach') })
  })

  it('and that crashes fails the run with SESSION_LOST', async () => {
    const { engine, driver, clock } = await host()
    const handle = await engine.runTask({ url, steps: [{ type: 'wait', waitSec: 600 }], browserAddress })
    await until(() => driver.handles[0]?.pages()[0]?.url() === url)
    driver.handles[0]?.crash('disconnected')
    expect(await settle(handle.result(), clock, 5_000)).toMatchObject({ status: 'failed', errorCode: 'SESSION_LOST' })
  })

  it('excludes a session, for every kind of run, and needs a pool', async () => {
    const { engine } = await host()
    const both = { browserSessionId: 'bs_1', browserAddress }
    for (const work of [
      engine.startRun({ workflowPermanentId: 'wpid_1', ...both }),
      engine.runTask({ steps: [click], ...both }),
      engine.runAction({ action: click, ...both }),
    ]) {
      expect(await failure(work)).toMatchObject({ code: 'INVALID_ARGUMENT', details: { path: 'browserAddress' } })
    }
  })
})
