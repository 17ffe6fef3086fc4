import { describe, expect, it } from 'vitest'
import {
  type ActionContext,
  type PlaybookSource,
  SequenceExecutor,
  type SequenceOptions,
  type StepRecord,
} from '../../../src/actions/index.js'
import { type PlaybookInput, playbookSchema, type StepInput, stepSchema } from '../../../src/definition/index.js'
import { PlaybookError } from '../../../src/errors/index.js'
import type { FakeElement } from '../../../src/testing/index.js'
import { settle } from '../engine/kit.js'
import { openBrowser } from './kit.js'

const PAGE = 'https://shop.test/'
const click = (css: string) => ({ type: 'click' as const, target: { css } })
const call = (playbook: string, more: object = {}) => ({ playbook, ...more }) as StepInput

/** The executor at work on a page, with these playbooks; variables are rendered like `{{ name }}`. */
async function withPlaybooks(
  playbooks: Readonly<Record<string, Omit<PlaybookInput, 'name'>>>,
  elements: readonly FakeElement[] = [],
  overrides: Partial<ActionContext> = {},
) {
  const opened = await openBrowser({ [PAGE]: { elements } }, overrides)
  opened.page().goTo(PAGE)
  const { texts } = opened.context
  const asked: string[] = []
  const source: PlaybookSource = {
    find: async (name) => {
      asked.push(name)
      const playbook = playbooks[name]
      if (playbook === undefined) throw new PlaybookError(`no ${name}`, { code: 'PLAYBOOK_NOT_FOUND', details: { name } })
      return playbookSchema.parse({ ...playbook, name })
    },
    textsWith: ({ values }) => ({
      ...texts,
      render: (template) =>
        texts.render(
          template.replaceAll(/\{\{ (\w+) \}\}/g, (whole, key: string) => (Object.hasOwn(values, key) ? String(values[key]) : whole)),
        ),
    }),
  }
  const steps: StepRecord[] = []
  let ids = 0
  const recorder = { nextStepId: () => `stp_${++ids}`, record: (step: StepRecord) => void steps.push(step) }
  const run = (list: readonly StepInput[], options: SequenceOptions = {}) => {
    const parsed = list.map((step) => stepSchema.parse(step))
    const work = new SequenceExecutor(opened).execute(parsed, opened.context, { recorder, playbooks: source, ...options })
    return settle(work, opened.clock)
  }
  return { ...opened, run, steps, asked }
}

const text = (key: string, more: object = {}) => ({ kind: 'workflow' as const, key, type: 'string' as const, ...more })
const type = (value: string, css = '#field') => ({ type: 'input_text' as const, target: { css }, value })
const field = [{ css: '#field' }]

describe('a list of steps', () => {
  it('stops at the first failure, with its place, and is counted on by the next list', async () => {
    const { run } = await withPlaybooks({}, [{ css: '#a' }])
    const { results, failure, stepCount } = await run([click('#a'), click('#none'), click('#a')], { firstStep: 4 })
    expect(results.map(({ status }) => status)).toEqual(['completed', 'failed'])
    expect([failure?.stepIndex, failure?.listIndex, failure?.playbook, stepCount]).toEqual([5, 1, null, 2])
  })

  it('goes on past a step that says so, but never past a refusal', async () => {
    const scope = { checkAction: ({ type }: { type: string }) => (type === 'hover' ? { rule: 'r', reason: 'not this' } : null) }
    const { run, context } = await withPlaybooks({}, [{ css: '#a' }])
    expect((await run([{ ...click('#none'), onFailure: 'continue' }, click('#a')])).results.map(({ status }) => status)).toEqual([
      'failed',
      'completed',
    ])
    const hover = { action: { type: 'hover' as const, target: { css: '#a' } }, onFailure: 'continue' as const }
    const refused = await new SequenceExecutor(await withPlaybooks({})).execute([stepSchema.parse(hover)], {
      ...context,
      scope: scope as never,
    })
    expect(refused.failure?.error.code).toBe('ACTION_BLOCKED')
  })

  it('is held to the scope whole, playbooks too, before any of it is done', async () => {
    const scope = {
      checkAction: ({ type, url }: { type: string; url?: string }) =>
        type === 'reload' || url?.includes('evil') ? { rule: 'r', reason: 'not this' } : null,
    }
    const { run, records, page } = await withPlaybooks(
      {
        deep: { steps: [call('deeper')] },
        deeper: { steps: [{ type: 'reload' }] },
        late: { steps: [{ type: 'goto_url', url: '{{ site }}' }] },
      },
      [{ css: '#a' }],
      { scope: scope as never },
    )
    const { failure, results } = await run([click('#a'), call('deep')])
    expect(failure).toMatchObject({ playbook: 'deeper', listIndex: 0, error: { code: 'ACTION_BLOCKED' } })
    expect(results.map(({ status, type }) => [status, type])).toEqual([['blocked', 'reload']])
    expect(records.map(({ status }) => status)).toEqual(['blocked'])
    expect((await run([click('#a'), { type: 'goto_url', url: 'https://evil.test/{{ name }}' }])).failure?.listIndex).toBe(1)
    expect(page().log).toEqual([])
  })
})

describe('a call of a playbook', () => {
  const sign = { parameters: [text('who')], steps: [type('{{ who }}'), click('#field')] }

  it('performs its steps with its parameters, rendered and coerced, and counts them on', async () => {
    const { run, records, steps } = await withPlaybooks({ sign }, field)
    const { failure, stepCount } = await run([call('sign', { parameters: { who: '{{ name }}' } }), click('#field')])
    expect([failure, stepCount]).toEqual([null, 4])
    expect(records.map(({ type, value }) => [type, value])).toEqual([
      ['input_text', 'Ada'],
      ['click', null],
      ['click', null],
    ])
    expect(steps.map(({ order, playbook, status }) => [order, playbook, status])).toEqual([
      [1, 'sign', 'completed'],
      [2, 'sign', 'completed'],
      [0, null, 'completed'],
      [3, null, 'completed'],
    ])
  })

  it('shadows the variables around it, and restores them', async () => {
    const outer = {
      parameters: [text('who'), text('what', { default: 'outer what' })],
      steps: [call('inner', { parameters: { who: 'inner of {{ who }}' } }), type('{{ who }}')],
    }
    const inner = { parameters: [text('who')], steps: [type('{{ who }}, {{ what }}')] }
    const { run, records } = await withPlaybooks({ outer, inner }, field)
    await run([call('outer', { parameters: { who: 'Bea' } }), type('{{ name }}')])
    expect(records.map(({ value }) => value)).toEqual(['inner of Bea, outer what', 'Bea', 'Ada'])
  })

  it('tells which step in it failed', async () => {
    const { run, steps } = await withPlaybooks({ sign }, [])
    const { failure } = await run([call('sign', { parameters: { who: 'x' }, onFailure: 'retry' })])
    expect(failure).toMatchObject({ playbook: 'sign', listIndex: 0, stepIndex: 1, error: { code: 'TARGET_NOT_FOUND' } })
    expect(steps.map(({ order, retryIndex }) => [order, retryIndex])).toEqual([
      [1, 0],
      [0, 0],
    ])
  })

  it('is not made again, unless its author says that it may be', async () => {
    const lost = { steps: [click('#field'), { action: click('#none'), onFailure: 'abort' as const }] }
    const { run, page } = await withPlaybooks({ lost }, field)
    await run([call('lost', { retries: 3 })])
    expect(page().log).toHaveLength(1)
    await run([call('lost', { retries: 2, idempotent: true })])
    expect(page().log).toHaveLength(4)
  })

  it('asks what must hold after it', async () => {
    const { run, steps } = await withPlaybooks({ tap: { steps: [click('#field')] } }, field)
    const { failure } = await run([call('tap', { assert: { url: 'https://elsewhere.test/' }, retries: 1 })])
    expect(failure).toMatchObject({ stepIndex: 0, playbook: null, error: { code: 'ASSERTION_FAILED' } })
    expect(steps.map(({ order, status }) => [order, status])).toEqual([
      [1, 'completed'],
      [0, 'failed'],
      [0, 'failed'],
    ])
  })

  it('goes on past a failure in it where it says so, and ends with a step in it that ends the block', async () => {
    const { run, page } = await withPlaybooks({ bad: { steps: [{ ...click('#none') }] }, done: { steps: [{ type: 'complete' }] } }, field)
    const { failure, ending } = await run([call('bad', { onFailure: 'continue' }), click('#field'), call('done'), click('#field')])
    expect([failure, ending, page().log.length]).toEqual([null, { kind: 'complete' }, 1])
  })

  it.each<[string, object, string]>([
    ['unknown', { parameters: { who: 'x', whom: 'y' } }, 'UNKNOWN_PARAMETERS'],
    ['missing', {}, 'MISSING_PARAMETERS'],
  ])('finds %s parameters before anything is done', async (_, given, code) => {
    const { run, page } = await withPlaybooks({ sign }, field)
    const { failure, results } = await run([click('#field'), call('sign', given)])
    expect([failure?.error.code, failure?.listIndex, results, page().log]).toEqual([code, 1, [], []])
  })

  it('finds values that do not fit when they are known', async () => {
    const { run } = await withPlaybooks({ count: { parameters: [{ ...text('n'), type: 'integer' }], steps: [type('{{ n }}')] } }, field)
    expect((await run([call('count', { parameters: { n: '{{ name }}' } })])).failure?.error.code).toBe('INVALID_PARAMETERS')
    expect((await run([call('count', { parameters: { n: ' 12 ' } })])).failure).toBeNull()
  })

  it('fails before anything is done when there is no such playbook, at whatever depth', async () => {
    const { run, page } = await withPlaybooks({ a: { steps: [call('b')] } }, field)
    const { failure } = await run([click('#field'), call('a')])
    expect([failure?.error.code, failure?.listIndex, page().log]).toEqual(['PLAYBOOK_NOT_FOUND', 1, []])
  })

  it('goes 10 deep, and no deeper', async () => {
    const chain = (length: number) =>
      Object.fromEntries(
        Array.from({ length }, (_, at) => [`p${at + 1}`, { steps: at + 1 === length ? [click('#field')] : [call(`p${at + 2}`)] }]),
      )
    const ten = await withPlaybooks(chain(10), field)
    expect((await ten.run([call('p1')])).failure).toBeNull()
    expect(ten.page().log).toHaveLength(1)
    const eleven = await withPlaybooks(chain(11), field)
    expect((await eleven.run([call('p1')])).failure?.error.code).toBe('PLAYBOOK_TOO_DEEP')
    expect(eleven.page().log).toEqual([])
  })

  it('never calls itself, and finds that out at once however often it does', async () => {
    const wide = { steps: Array.from({ length: 40 }, () => call('b')) }
    const { run, asked } = await withPlaybooks({ a: wide, b: { steps: [click('#field'), ...wide.steps.map(() => call('a'))] } }, field)
    const { failure } = await run([call('a')])
    expect(failure?.error).toMatchObject({ code: 'PLAYBOOK_TOO_DEEP', details: { path: ['a', 'b', 'a'] } })
    expect(asked).toEqual(['a', 'b'])
  })

  it('looks at each playbook once, however many ways lead to it', async () => {
    const level = (next: string) => ({ steps: Array.from({ length: 20 }, () => call(next)) })
    const playbooks = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`p${at}`, level(`p${at + 1}`)]))
    const { run, asked, control } = await withPlaybooks({ ...playbooks, p9: { steps: [{ type: 'terminate' }] } }, field)
    const { ending } = await run([call('p0')])
    expect([ending?.kind, asked.length, control.signal.aborted]).toEqual(['terminate', 10, false])
  })
})

describe('a dry run', () => {
  it('checks every step, does nothing and recovers nothing', async () => {
    const { run, records, page } = await withPlaybooks({}, [{ css: '#a' }], { dryRun: true })
    const { results, failure } = await run([{ action: click('#a'), retries: 3 }, type('x', '#a')])
    expect(failure).toBeNull()
    expect(results.map(({ status, dryRun, element }) => [status, dryRun, element?.tag])).toEqual([
      ['completed', true, 'fake'],
      ['completed', true, 'fake'],
    ])
    expect([page().log, records.every(({ dryRun }) => dryRun)]).toEqual([[], true])
  })

  it('ends where the run would have ended', async () => {
    const { run, records } = await withPlaybooks({}, [{ css: '#a' }], { dryRun: true })
    const { failure } = await run([{ type: 'extract', selectors: { a: '#a' } }, { action: click('#none'), retries: 3 }, click('#a')])
    expect([failure?.stepIndex, failure?.error.code, records.length]).toEqual([1, 'TARGET_NOT_FOUND', 2])
  })

  it('goes on where an earlier step may bring what is missing, and does not wait for it as long', async () => {
    const { run, clock } = await withPlaybooks({}, [{ css: '#menu' }], { dryRun: true })
    const startMs = clock.monotonicMs()
    const { failure, results } = await run([click('#menu'), click('#entry'), { type: 'complete' }, click('#never')])
    expect([failure, results.map(({ status }) => status)]).toEqual([null, ['completed', 'failed', 'completed']])
    expect(clock.monotonicMs() - startMs).toBeLessThan(5_000)
  })
})
