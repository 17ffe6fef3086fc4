import { describe, expect, it } from 'vitest'
import { ActionError, RunCanceledError } from '../../../src/errors/index.js'
import type { PageDriver } from '../../../src/sessions/index.js'
import { openBrowser } from './kit.js'

const site = {
  'https://a.test/': {
    title: 'A',
    elements: [
      { css: '#go', onClick: 'https://a.test/next' },
      { css: '#name' },
      { css: '#off', disabled: true },
      { css: '.row', text: 'one' },
      { css: '.row', text: 'two' },
      { css: '#bad', fails: new ActionError('it is covered', { code: 'TARGET_NOT_ACTIONABLE', retryable: true }) },
      { css: '#worse', fails: new Error('the driver broke') },
    ],
  },
  'https://a.test/next': { title: 'Next' },
  'https://slow.test/': { hangs: true },
}
const open = { type: 'goto_url' as const, url: 'https://a.test/' }
const click = (css: string, more: object = {}) => ({ type: 'click' as const, target: { css }, ...more })

describe('the router', () => {
  it('gives what an action came to, and where the page is then', async () => {
    const { act } = await openBrowser(site)
    expect(await act(open)).toEqual({
      actionId: 'act_1',
      element: null,
      dialogs: [],
      recoveryUsed: null,
      verdict: 'ok',
      dryRun: false,
      type: 'goto_url',
      status: 'completed',
      value: { url: 'https://a.test/', title: 'A', httpStatus: 200 },
      error: null,
      ending: null,
      url: 'https://a.test/',
      durationMs: 0,
    })
    expect(await act(click('#go'))).toMatchObject({ status: 'completed', value: null, url: 'https://a.test/next' })
  })

  it('asks the stop gate first: nothing happens after an abort', async () => {
    const { act, control, page, records } = await openBrowser(site)
    await act(open)
    control.abort(new RunCanceledError('wr_1', 'Ada'))
    expect(await act(click('#go'))).toMatchObject({
      status: 'canceled',
      error: { code: 'ACTION_FAILED', message: expect.stringContaining('canceled by Ada') },
    })
    expect(page().log).toHaveLength(1)
    expect(records.at(-1)?.status).toBe('canceled')
  })

  it('does the steps in order: bind, reveal, browser, page, perform, settle, record', async () => {
    const order: string[] = []
    const { act, context, page } = await openBrowser(site)
    await act(open)
    const note = <T>(what: string, value: T): T => {
      order.push(what)
      return value
    }
    const real = page()
    const watched = {
      perform: (...params: Parameters<PageDriver['perform']>) => note('perform', real.perform(...params)),
      settle: (...params: Parameters<PageDriver['settle']>) => note('settle', real.settle(...params)),
      url: () => real.url(),
      isClosed: () => real.isClosed(),
      answerDialogs: () => {},
      takeDialogs: () => [],
    }
    Object.assign(context, {
      texts: {
        ...context.texts,
        render: (text: string) => note(`bind ${text}`, text),
        reveal: async (value: never) => note('reveal', value),
      },
      browser: async () => note('browser', { activePage: async () => note('page', watched), setBlinders: async () => {} }),
      record: () => note('record', undefined),
    })
    await act(click('#go'))
    expect(order).toEqual(['bind #go', 'reveal', 'browser', 'page', 'perform', 'page', 'settle', 'record'])
  })

  it('follows to a page that a click has opened', async () => {
    const { act, page } = await openBrowser({
      'https://a.test/': { elements: [{ css: '#pop', onClick: (from) => void from.openPopup('https://a.test/pop') }] },
      'https://a.test/pop': { elements: [{ css: '#in_pop' }] },
    })
    await act(open)
    expect(await act(click('#pop'))).toMatchObject({ url: 'https://a.test/pop' })
    expect(await act(click('#in_pop'))).toMatchObject({ status: 'completed' })
    expect(page().url()).toBe('https://a.test/pop')
  })

  it.each([
    ['matches nothing', '#nobody', 'TARGET_NOT_FOUND'],
    ['is never ready', '#off', 'TARGET_NOT_ACTIONABLE'],
  ])('waits its deadline for an element that %s', async (_, css, code) => {
    const { act, clock } = await openBrowser(site)
    await act(open)
    const acting = act(click(css))
    await clock.advance(14_999)
    await clock.advance(1)
    const result = await acting
    expect(result).toMatchObject({ status: 'failed', durationMs: 15_000, error: { code, retryable: true } })
    expect(result.error?.message).toContain(`click css "${css}": `)
    expect(result.error?.details).toMatchObject({ target: { css } })
    expect(clock.pendingTimers).toBe(0)
  })

  it('waits for an element that comes later', async () => {
    const { act, clock } = await openBrowser({ 'https://a.test/': { elements: [{ css: '#late', appearsAfterMs: 3_000 }] } })
    await act(open)
    const acting = act(click('#late'))
    await clock.advance(3_000)
    expect(await acting).toMatchObject({ status: 'completed', durationMs: 3_000 })
  })

  it('keeps the deadline that the action names, and a longer one for addresses', async () => {
    const { act, clock } = await openBrowser(site)
    await act(open)
    const short = act(click('#nobody', { timeoutMs: 200 }))
    await clock.advance(200)
    expect((await short).durationMs).toBe(200)
    const slow = act({ type: 'goto_url', url: 'https://slow.test/' })
    await clock.advance(30_000)
    expect(await slow).toMatchObject({ status: 'failed', durationMs: 30_000, error: { code: 'ACTION_TIMEOUT' } })
  })

  it('leaves a driver behind that does not keep the deadline', async () => {
    const { act, context, clock } = await openBrowser(site)
    const isDeaf = { activePage: () => new Promise<never>(() => {}) }
    Object.assign(context, { browser: async () => isDeaf })
    const acting = act(click('#go', { timeoutMs: 500 }))
    await clock.advance(1_500)
    expect(await acting).toMatchObject({ status: 'failed', error: { code: 'ACTION_TIMEOUT' } })
    expect(clock.pendingTimers).toBe(0)
  })

  it.each([
    ['more than one match', '.row', 'TARGET_AMBIGUOUS', false],
    ['an error of the port', '#bad', 'TARGET_NOT_ACTIONABLE', true],
    ['any other error', '#worse', 'ACTION_FAILED', false],
  ])('makes a failed result of %s, with its cause', async (_, css, code, retryable) => {
    const { act, records } = await openBrowser(site)
    await act(open)
    const result = await act(click(css))
    expect(result).toMatchObject({ status: 'failed', error: { code, retryable } })
    expect(result.error?.cause).toBeInstanceOf(Error)
    expect(records.at(-1)).toMatchObject({ status: 'failed', error: { code, message: result.error?.message } })
  })

  it('makes a failed result of a template that cannot be rendered, and of a browser that does not start', async () => {
    const { act, context } = await openBrowser(site)
    const refuse = (message: string) => () => {
      throw new Error(message)
    }
    const { browser, texts } = context
    Object.assign(context, { texts: { ...texts, render: refuse('no such variable') } })
    expect(await act(open)).toMatchObject({
      status: 'failed',
      url: null,
      error: { code: 'ACTION_FAILED', message: expect.stringContaining('no such variable') },
    })
    Object.assign(context, { texts, browser: refuse('no browser') })
    expect(await act(open)).toMatchObject({ status: 'failed', url: null })
    Object.assign(context, { browser })
    expect((await act(open)).status).toBe('completed')
  })

  it('says canceled of an action that an abort has ended', async () => {
    const { act, control, clock } = await openBrowser(site)
    await act(open)
    const acting = act(click('#nobody'))
    await clock.advance(100)
    control.abort(new RunCanceledError('wr_1', 'Ada'))
    expect(await acting).toMatchObject({ status: 'canceled', durationMs: 100 })
    expect(clock.pendingTimers).toBe(0)
  })

  it('records one row an action: bound, with references in the place of secrets', async () => {
    const { act, records, page } = await openBrowser(site)
    await act(open)
    await act({ type: 'input_text', target: { css: '#name' }, value: '{{ name }}: {{ KEY }}', intention: 'say {{ name }}' }, 7)
    expect(page().log.at(-1)).toMatchObject({ value: 'Ada: hunter2' })
    expect(records.at(-1)).toEqual({
      actionId: 'act_2',
      workflowRunId: 'wr_1',
      workflowPermanentId: 'wpid_1',
      stepId: null,
      targetKey: expect.any(String),
      element: { tag: 'fake', role: null, name: null, targets: [{ css: '#name' }] },
      sourceParameter: null,
      dialogs: null,
      recovery: null,
      dryRun: false,
      runBlockId: 'rb_1',
      blockLabel: 'a',
      stepIndex: 7,
      type: 'input_text',
      target: { css: '#name' },
      intention: 'say {{ name }}',
      value: 'Ada: {{ KEY }}',
      status: 'completed',
      error: null,
      url: 'https://a.test/',
      screenshotArtifactId: null,
      durationMs: 0,
    })
  })

  it('keeps secrets out of failures, where a driver puts them into its message', async () => {
    const { act } = await openBrowser(site)
    const result = await act({ type: 'goto_url', url: 'https://nowhere.test/?key={{ KEY }}' })
    expect(result.error?.message).toContain('https://nowhere.test/?key={{ KEY }}')
    expect(JSON.stringify(result.error)).not.toContain('hunter2')
  })

  it('lets a recorder that throws change nothing', async () => {
    const refuse = () => {
      throw new Error('the disk is full')
    }
    const { act, actAll } = await openBrowser(site, { record: refuse })
    expect(await act(open)).toMatchObject({ status: 'completed', error: null })
    expect(await actAll([open, click('#go')])).toMatchObject({ failure: null, results: [{ status: 'completed' }, { status: 'completed' }] })
  })
})

describe('a list of actions', () => {
  it('is performed in order, and stops at the first failure', async () => {
    const { actAll, records } = await openBrowser(site)
    const { results, failure, ending } = await actAll([open, click('#worse'), click('#go')])
    expect(results.map(({ status }) => status)).toEqual(['completed', 'failed'])
    expect(failure).toMatchObject({ stepIndex: 1, error: { code: 'ACTION_FAILED' } })
    expect(ending).toBeNull()
    expect(records.map(({ stepIndex }) => stepIndex)).toEqual([0, 1])
  })

  it('goes on after a step that may fail', async () => {
    const { actAll } = await openBrowser(site)
    const { results, failure } = await actAll([open, click('#worse', { onFailure: 'continue' }), click('#go')])
    expect(results.map(({ status }) => status)).toEqual(['completed', 'failed', 'completed'])
    expect(failure).toBeNull()
  })

  it('does not go on after an abort, whatever a step says', async () => {
    const { actAll, control, clock } = await openBrowser(site)
    const acting = actAll([open, click('#nobody', { onFailure: 'continue' }), click('#go')])
    await clock.advance(100)
    control.abort(new RunCanceledError('wr_1', 'Ada'))
    const { results, failure } = await acting
    expect(results.map(({ status }) => status)).toEqual(['completed', 'canceled'])
    expect(failure).not.toBeNull()
  })

  it.each([
    [{ type: 'complete' as const }, { kind: 'complete' }],
    [
      { type: 'terminate' as const, reason: 'for {{ name }}', errorCode: 'SOLD_OUT' },
      { kind: 'terminate', reason: 'for Ada', errorCode: 'SOLD_OUT' },
    ],
    [{ type: 'terminate' as const }, { kind: 'terminate', reason: null, errorCode: null }],
  ])('ends where a step says so: %j', async (step, ending) => {
    const { actAll } = await openBrowser(site)
    const result = await actAll([open, step, click('#go')])
    expect(result).toMatchObject({ failure: null, ending })
    expect(result.results).toHaveLength(2)
  })
})
