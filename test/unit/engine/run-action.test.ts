import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTemplates, literalTemplate } from '../../../src/definition/index.js'
import type { RunActionParams } from '../../../src/engine/index.js'
import { WorkflowEngine } from '../../../src/engine/index.js'
import { type FakeSite, scriptedAgent } from '../../../src/testing/index.js'
import { begun, blockRows, failure, gate, runRow, settle, startEngine, startHost, streamOf, types, until } from './kit.js'

const site: FakeSite = {
  'https://a.test/': {
    title: 'A',
    elements: [
      { css: '#go', role: 'button', name: 'Go', onClick: 'https://a.test/next' },
      { css: '#name', label: 'Name' },
      { css: '#ask', onClick: (page) => void (page as unknown as { dialog(type: string, text: string): void }).dialog('confirm', 'Sure?') },
      { css: '.row', text: 'one' },
      { css: '#kind', label: 'Kind' },
      { css: '#box', label: 'Box' },
    ],
  },
  'https://a.test/next': { title: 'Next' },
}
const url = 'https://a.test/'

async function host(options: Parameters<typeof startHost>[0] = {}) {
  const started = await startHost({ driver: { site }, ...options })
  const act = (params: RunActionParams) => settle(started.engine.runAction(params), started.clock)
  return { ...started, act }
}

describe('a single action', () => {
  it('has a run of its own, of a workflow that is stored with it and goes with it', async () => {
    const { act, engine, memory, driver, clock } = await host()
    const result = await act({ url, action: { type: 'click', target: { css: '#go' }, intention: 'go on' } })
    expect(result).toMatchObject({
      workflowRunId: 'wr_1',
      actionId: expect.stringMatching(/^act_/),
      type: 'click',
      status: 'completed',
      value: null,
      error: null,
      url: 'https://a.test/next',
      element: { targets: expect.arrayContaining([{ css: '#go' }]) },
      dialogs: [],
      dryRun: false,
    })
    expect(await runRow(memory)).toMatchObject({
      runType: 'action',
      status: 'completed',
      actionCount: 2,
      stepCount: 2,
      workflowTitle: 'click css "#go"',
    })
    const [workflow] = await memory.find({ table: 'workflows' })
    expect(workflow).toMatchObject({ status: 'auto_generated', version: 1, organizationId: 'acme' })
    expect(await memory.count('tasks')).toBe(1)
    expect(await memory.count('steps')).toBe(2)
    expect((await blockRows(memory)).map(({ label, type, status }) => [label, type, status])).toEqual([
      ['single_action', 'action', 'completed'],
    ])
    expect(driver.liveHandles).toBe(0)
    expect(types(await streamOf(memory)).filter((type) => type.startsWith('action.'))).toEqual(['action.performed', 'action.performed'])
    await clock.advance(3_600_000)
    expect(await engine.prune({ olderThan: clock.now() })).toMatchObject({ runs: 1, workflows: 1 })
    expect([await memory.count('workflows'), await memory.count('tasks'), await memory.count('steps')]).toEqual([0, 0, 0])
  })

  it.each([
    [
      { type: 'goto_url', url: 'https://a.test/next' },
      { url: 'https://a.test/next', title: 'Next', httpStatus: 200 },
    ],
    [{ type: 'extract', selectors: { row: '.row' } }, { row: 'one' }],
    [{ type: 'extract', selectors: { row: '.row' }, as: 'x' }, { x: { row: 'one' } }],
    [{ type: 'screenshot' }, expect.stringMatching(/^art_/)],
    [{ type: 'input_text', target: { css: '#name' }, value: 'Ada' }, null],
    [{ type: 'select_option', target: { css: '#kind' }, value: 'b' }, null],
    [{ type: 'check', target: { css: '#box' } }, null],
    [{ type: 'uncheck', target: { css: '#box' } }, null],
    [{ type: 'hover', target: { css: '#go' } }, null],
    [{ type: 'press_key', key: 'Enter' }, null],
    [{ type: 'upload_file', target: { css: '#name' }, file: 'data:,x' }, null],
    [{ type: 'drag_and_drop', target: { css: '#go' }, destination: { css: '#name' } }, null],
    [{ type: 'scroll' }, null],
    [{ type: 'reload' }, expect.objectContaining({ title: 'A' })],
    [{ type: 'new_tab' }, null],
    [{ type: 'switch_tab', index: 0 }, null],
    [{ type: 'close_tab' }, null],
    [{ type: 'wait', waitSec: 1 }, null],
    [{ type: 'wait_for', text: 'one' }, null],
    [{ type: 'assert', target: { css: '#go' } }, null],
    [{ type: 'complete' }, null],
    [{ type: 'terminate', reason: 'enough' }, null],
  ] as const)('of any deterministic type gives its value: %j', async (action, value) => {
    const { act } = await host()
    expect(await act({ url, action: action as never })).toMatchObject({ type: action.type, status: 'completed', error: null, value })
  })

  it('names an element, with the ways to find it again, and does not touch it', async () => {
    const { act, driver } = await host()
    const result = await act({ url, action: { type: 'locate_element', target: { role: 'button', name: 'go' } } })
    expect(result).toMatchObject({ status: 'completed', element: { role: 'button', name: 'Go', targets: expect.any(Array) } })
    expect(result.value).toEqual(result.element)
    expect(driver.handles[0]?.listenerCount).toBe(0)
  })

  it('that fails is a result, with what the page looked like', async () => {
    const { act, memory } = await host()
    const result = await act({ url, action: { type: 'click', target: { css: '#no' } }, timeoutMs: 500 })
    expect(result).toMatchObject({ status: 'failed', error: { code: 'TARGET_NOT_FOUND' }, element: null, url })
    expect(result.screenshotArtifactId).toMatch(/^art_/)
    expect(await runRow(memory)).toMatchObject({ status: 'failed', errorCode: 'TARGET_NOT_FOUND' })
  })

  it('whose page does not open is a result, too', async () => {
    const { act } = await host()
    const result = await act({ url: 'https://nowhere.test/', action: { type: 'click', target: { css: '#go' } } })
    expect(result).toMatchObject({ status: 'failed', actionId: null, error: { code: 'NAVIGATION_FAILED' } })
  })

  it('gives the dialogs that the page showed', async () => {
    const { act } = await host()
    const result = await act({ url, action: { type: 'click', target: { css: '#ask' }, dialog: { accept: true } } })
    expect(result.dialogs).toEqual([{ type: 'confirm', message: 'Sure?', accepted: true }])
  })

  it('types its texts as they are: they are no templates', async () => {
    const { act, pool, driver, memory } = await host()
    const { browserSessionId } = await pool.create({ url })
    const value = '{{ 1 + 1 }} {% if x %} {# no #} {{{'
    expect(await act({ browserSessionId, action: { type: 'input_text', target: { css: '#name' }, value } })).toMatchObject({
      status: 'completed',
    })
    expect(driver.handles[0]?.pages()[0]?.elements()[1]?.value).toBe(value)
    const [row] = await memory.find({ table: 'actions', where: { type: 'input_text' } })
    expect(row?.value).toBe(value)
  })

  it('occupies a session as an action, and gives it back; one that is held refuses it, naming the holder', async () => {
    const { act, pool, memory, events } = await host()
    const { browserSessionId } = await pool.create({ url })
    const seen: unknown[] = []
    pool.on('session.occupied', ({ runnableType, runnableId }) => seen.push([runnableType, runnableId]))
    expect((await act({ browserSessionId, action: { type: 'click', target: { css: '#go' } } })).status).toBe('completed')
    expect(seen).toEqual([['action', 'wr_1']])
    const lease = await pool.occupy({ browserSessionId, runnableType: 'person', runnableId: 'Ada' })
    const refused = await act({ browserSessionId, action: { type: 'reload' } })
    expect(refused).toMatchObject({ status: 'failed', actionId: null, error: { code: 'SESSION_OCCUPIED' } })
    expect(refused.error?.message).toContain('person Ada')
    await lease.release()
    expect(await memory.get('browser_sessions', browserSessionId)).toMatchObject({ status: 'running', leaseToken: null })
    expect(events.length).toBeGreaterThan(0)
  })

  it('only checks with dryRun: nothing is done', async () => {
    const { act, pool, driver, memory } = await host()
    const { browserSessionId } = await pool.create({ url })
    const result = await act({ browserSessionId, dryRun: true, action: { type: 'click', target: { css: '#go' } } })
    expect(result).toMatchObject({ status: 'completed', dryRun: true, element: { targets: expect.arrayContaining([{ css: '#go' }]) }, url })
    expect(driver.handles[0]?.pages()[0]?.log.filter(({ type }) => type === 'click')).toEqual([])
    expect(await memory.find({ table: 'actions' })).toMatchObject([{ dryRun: true, type: 'click' }])
    expect(await act({ browserSessionId, dryRun: true, action: { type: 'click', target: { css: '#no' }, timeoutMs: 200 } })).toMatchObject({
      status: 'failed',
      error: { code: 'TARGET_NOT_FOUND' },
    })
  })

  it('is held to its policy', async () => {
    const { act } = await host()
    const result = await act({ url, scopePolicy: { allowedActions: ['goto_url'] }, action: { type: 'click', target: { css: '#go' } } })
    expect(result).toMatchObject({ status: 'blocked', error: { code: 'ACTION_BLOCKED' } })
  })

  it('is canceled by its signal, promptly, and says so', async () => {
    const { engine, clock, memory, driver } = await host()
    const control = new AbortController()
    const acting = engine.runAction({ url, action: { type: 'click', target: { css: '#never' } }, signal: control.signal })
    await until(() => driver.handles[0]?.pages()[0]?.url() === url)
    control.abort(new Error('enough'))
    expect(await settle(acting, clock, 5_000)).toMatchObject({ status: 'canceled' })
    expect(await runRow(memory)).toMatchObject({ status: 'canceled', cancelRequestedBy: 'the caller of runAction' })
    expect(driver.liveHandles).toBe(0)
    const gone = AbortSignal.abort(new Error('before'))
    await expect(engine.runAction({ url, action: { type: 'reload' }, signal: gone })).rejects.toThrow('before')
    expect(await memory.count('runs')).toBe(1)
  })

  it.each([
    [{ action: { type: 'clack' } }, 'action.type'],
    [{ action: { type: 'click' } }, 'target'],
    [{ action: {} }, 'action'],
    [{ action: { type: 'reload' }, url: 'file:///etc/passwd' }, 'url'],
    [{ action: { type: 'reload' }, browserSessionId: 'bs_1', browserAddress: 'http://127.0.0.1:1' }, 'browserAddress'],
    [{ action: { type: 'reload' }, browserSessionId: 'bs_1', workflowRunId: 'wr_1' }, 'workflowRunId'],
    [{ action: { type: 'reload' }, browserAddress: 'ftp://x' }, 'browserAddress'],
    [{ action: { type: 'reload' }, workflowRunId: 'wr_1', scopePolicy: {} }, 'scopePolicy'],
    [{ action: { type: 'reload' }, timeoutMs: 0 }, 'timeoutMs'],
  ])('refuses what it cannot use: %j', async (params, path) => {
    const { engine, memory } = await host()
    const error = await failure(engine.runAction(params as never))
    expect(error.code).toBe('INVALID_ARGUMENT')
    expect(String(error.details.path)).toContain(path)
    expect(await memory.count('runs')).toBe(0)
  })

  it('refuses a session that does not exist, and an engine that does not run', async () => {
    const { engine } = await host()
    expect((await failure(engine.runAction({ browserSessionId: 'bs_x', action: { type: 'reload' } }))).code).toBe('SESSION_NOT_FOUND')
    const { memory, clock } = await startEngine()
    const idle = new WorkflowEngine({ storage: memory, clock, organizationId: 'acme' })
    expect((await failure(idle.runAction({ action: { type: 'reload' } }))).code).toBe('NOT_RUNNING')
  })
})

describe('a text as a template', () => {
  it('renders to itself, whatever it holds', () => {
    const { render } = createTemplates()
    const part = fc.constantFrom('{', '}', '{{', '}}', '{%', '%}', '{#', '#}', '"', "'", '\\', '\n', ' ', 'a', '-', 'raw', '{%- raw %}')
    const text = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''))
    fc.assert(fc.property(text, (value) => render(literalTemplate(value), () => undefined) === value))
  })
})

describe('in a run that goes on', () => {
  async function running() {
    const passed = gate()
    const started = await host({ engine: { handlers: { wait: ({ page }) => page.goto(url).then(() => passed.passed) } } })
    const handle = await started.start({ blocks: [{ type: 'code', label: 'hold', handler: 'wait' }] })
    await until(() => started.driver.handles[0]?.pages()[0]?.url() === url)
    return { ...started, handle, passed, workflowRunId: handle.workflowRunId }
  }

  it('it is performed on that run’s page and recorded in it', async () => {
    const { act, workflowRunId, memory, passed, handle, clock, driver } = await running()
    const result = await act({ workflowRunId, action: { type: 'input_text', target: { css: '#name' }, value: '{{ x }}' } })
    expect(result).toMatchObject({
      workflowRunId,
      status: 'completed',
      url,
      element: { targets: expect.arrayContaining([{ css: '#name' }]) },
    })
    expect(driver.handles).toHaveLength(1)
    expect(driver.handles[0]?.pages()[0]?.elements()[1]?.value).toBe('{{ x }}')
    expect(await act({ workflowRunId, action: { type: 'extract', selectors: { row: '.row' } } })).toMatchObject({ value: { row: 'one' } })
    expect(await act({ workflowRunId, dryRun: true, action: { type: 'click', target: { css: '#go' } } })).toMatchObject({
      dryRun: true,
      url,
    })
    passed.open()
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'completed', actionCount: 4 })
    const rows = await memory.find({ table: 'actions', where: { workflowRunId } })
    expect(rows.map(({ type, blockLabel, runBlockId }) => [type, blockLabel, runBlockId === rows[0]?.runBlockId])).toEqual([
      ['goto_url', 'hold', true],
      ['input_text', 'hold', true],
      ['extract', 'hold', true],
      ['click', 'hold', true],
    ])
    expect(await memory.count('runs')).toBe(1)
  })

  it('it is a result when it fails, and the run goes on', async () => {
    const { act, workflowRunId, passed, handle, clock } = await running()
    const result = await act({ workflowRunId, url: 'https://nowhere.test/', action: { type: 'reload' } })
    expect(result).toMatchObject({ type: 'reload', status: 'failed', actionId: null, error: { code: 'NAVIGATION_FAILED' } })
    const missing = await act({ workflowRunId, action: { type: 'click', target: { css: '#no' } }, timeoutMs: 300 })
    expect(missing).toMatchObject({ status: 'failed', error: { code: 'TARGET_NOT_FOUND' } })
    passed.open()
    expect((await settle(handle.result(), clock)).status).toBe('completed')
  })

  it('it is stopped by its signal alone, or with the run', async () => {
    const { engine, workflowRunId, passed, handle, clock, act } = await running()
    const control = new AbortController()
    const own = engine.runAction({ workflowRunId, action: { type: 'click', target: { css: '#never' } }, signal: control.signal })
    await clock.advance(100)
    control.abort(new Error('enough'))
    expect(await settle(own, clock, 1_000)).toMatchObject({ status: 'canceled' })
    expect((await act({ workflowRunId, action: { type: 'reload' } })).status).toBe('completed')
    const other = engine.runAction({ workflowRunId, action: { type: 'click', target: { css: '#never' } } })
    await clock.advance(100)
    passed.open()
    expect(await settle(other, clock, 1_000)).toMatchObject({ status: 'canceled' })
    expect((await settle(handle.result(), clock)).status).toBe('completed')
    expect((await failure(engine.runAction({ workflowRunId, action: { type: 'reload' } }))).code).toBe('RUN_NOT_RUNNING')
  })

  it('between two blocks it has a block attempt of its own', async () => {
    const tries = gate()
    let calls = 0
    const { start, events, engine, clock, memory } = await host({
      engine: {
        handlers: {
          flaky: async ({ page }) => {
            calls += 1
            await page.goto(url)
            if (calls === 1) throw new Error('again')
            await tries.passed
          },
        },
      },
    })
    const handle = await start({ blocks: [{ type: 'code', label: 'a', handler: 'flaky', maxRetries: 1 }] })
    await until(() => types(events).includes('block.retried'))
    const acting = engine.runAction({ workflowRunId: handle.workflowRunId, action: { type: 'click', target: { css: '#go' } } })
    await until(async () => (await memory.count('run_blocks')) === 2)
    const result = await acting
    expect(result).toMatchObject({ status: 'completed', url: 'https://a.test/next' })
    tries.open()
    expect((await settle(handle.result(), clock)).status).toBe('completed')
    expect((await blockRows(memory)).map(({ label, attempt, status }) => [label, attempt, status])).toEqual([
      ['a', 1, 'failed'],
      ['single_action', 1, 'completed'],
      ['a', 2, 'completed'],
    ])
    expect(begun(events)).toEqual(['a', 'single_action', 'a#2'])
  })

  it('it is refused by what the run is, with a code', async () => {
    const { engine, memory, clock, ids, storage } = await running()
    const action = { type: 'reload' as const }
    expect((await failure(engine.runAction({ workflowRunId: 'wr_x', action }))).code).toBe('RUN_NOT_FOUND')
    expect((await failure(engine.runAction({ organizationId: 'other', workflowRunId: 'wr_1', action }))).code).toBe('RUN_NOT_FOUND')
    const elsewhere = new WorkflowEngine({ storage, clock, ids, organizationId: 'acme', dispatcher: idle() })
    await elsewhere.start()
    const error = await failure(elsewhere.runAction({ workflowRunId: 'wr_1', action }))
    expect(error.code).toBe('RUN_ELSEWHERE')
    expect(error.details.leaseHolder).toBe((await memory.get('runs', 'wr_1'))?.leaseHolder)
    await settle(elsewhere.stop(), clock)
    const passed = gate()
    const pageless = await startEngine({ handlers: { wait: () => passed.passed as never } })
    const handle = await pageless.start({ blocks: [{ type: 'code', label: 'a', handler: 'wait' }] })
    await until(() => begun(pageless.events).length === 1)
    const { workflowRunId } = handle
    expect((await failure(pageless.engine.runAction({ workflowRunId, action }))).code).toBe('RUN_WITHOUT_BROWSER')
    passed.open()
  })
})

/** A dispatcher that begins nothing. */
const idle = () => ({ start: async () => {}, dispatch: async () => {}, stop: async () => {} }) as never

describe('an action for the agent', () => {
  it.each(['ai_click', 'ai_input_text', 'ai_select_option', 'ai_upload_file', 'ai_act', 'validate', 'prompt', 'extract', 'locate_element'])(
    '(%s) is refused without one',
    async (type) => {
      const { engine, memory } = await host()
      const action = {
        type,
        prompt: 'do it',
        ...(type === 'ai_upload_file' ? { file: 'art_1' } : {}),
        ...(/input|select/.test(type) ? { value: 'x' } : {}),
      }
      expect((await failure(engine.runAction({ action: action as never }))).code).toBe('AGENT_REQUIRED')
      expect(await memory.count('runs')).toBe(0)
    },
  )

  it('is handed to it, with a run of its own', async () => {
    const agent = scriptedAgent([
      { type: 'click', target: { css: '#go' } },
      { status: 'completed', output: null, usage: { tokens: 7, calls: 1 } },
    ])
    const { act, memory } = await host({ engine: { agent } })
    const result = await act({ url, action: { type: 'ai_click', prompt: 'the {{ green }} button', maxSteps: 3 } })
    expect(result).toMatchObject({ type: 'ai_click', status: 'completed', error: null })
    expect(agent.tasks).toMatchObject([{ goal: 'Click this element, once: the {{ green }} button', budget: { maxSteps: 3 }, url }])
    expect(await runRow(memory)).toMatchObject({ runType: 'action', actionCount: 2, stepCount: 2 })
  })

  it('gives what it answers, and why it did not', async () => {
    const agent = scriptedAgent((_page, { task }) =>
      task.goal.includes('impossible') ? { status: 'terminated', reason: 'no' } : { status: 'completed', output: true },
    )
    const { act } = await host({ engine: { agent } })
    expect(await act({ url, action: { type: 'validate', prompt: 'it is open' } })).toMatchObject({ status: 'completed', value: true })
    expect(await act({ url, action: { type: 'ai_act', prompt: 'the impossible' } })).toMatchObject({
      status: 'terminated',
      error: { message: expect.stringContaining('no') },
    })
  })

  it('acts in a run that goes on', async () => {
    const agent = scriptedAgent([{ type: 'click', target: { css: '#go' } }])
    const passed = gate()
    const { start, driver, act, clock } = await host({
      engine: { agent, handlers: { wait: ({ page }) => page.goto(url).then(() => passed.passed) } },
    })
    const handle = await start({ blocks: [{ type: 'code', label: 'hold', handler: 'wait' }] })
    await until(() => driver.handles[0]?.pages()[0]?.url() === url)
    const { workflowRunId } = handle
    expect(await act({ workflowRunId, action: { type: 'ai_click', prompt: 'go' } })).toMatchObject({ workflowRunId, status: 'completed' })
    passed.open()
    expect(await settle(handle.result(), clock)).toMatchObject({ status: 'completed', actionCount: 2 })
  })
})
