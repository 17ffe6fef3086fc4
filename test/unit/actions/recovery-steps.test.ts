import { describe, expect, it } from 'vitest'
import { isSameElement } from '../../../src/actions/alternative-targets.js'
import {
  type ActionContext,
  type HandOverParams,
  SequenceExecutor,
  type SequenceOptions,
  type StepRecord,
} from '../../../src/actions/index.js'
import { type StepInput, stepSchema } from '../../../src/definition/index.js'
import { ActionError } from '../../../src/errors/index.js'
import type { ElementDescriptor } from '../../../src/sessions/index.js'
import type { FakeElement, FakeSite } from '../../../src/testing/index.js'
import { settle } from '../engine/kit.js'
import { openBrowser } from './kit.js'

const PAGE = 'https://shop.test/'
const click = (css: string) => ({ type: 'click' as const, target: { css } })

/** A page with these elements, and the executor at work on it. */
async function onPage(elements: readonly FakeElement[], overrides: Partial<ActionContext> = {}, more: FakeSite = {}) {
  const opened = await openBrowser({ [PAGE]: { elements }, ...more }, overrides)
  opened.page().goTo(PAGE)
  const steps: StepRecord[] = []
  let ids = 0
  const recorder = { nextStepId: () => `stp_${++ids}`, record: (step: StepRecord) => void steps.push(step) }
  const executor = new SequenceExecutor(opened)
  const run = (list: readonly StepInput[], options: SequenceOptions = {}) => {
    const parsed = list.map((step) => stepSchema.parse(step))
    return settle(executor.execute(parsed, opened.context, { recorder, ...options }), opened.clock)
  }
  const clicked = () => opened.page().log.map((event) => ('target' in event ? event.target : event.type))
  return { ...opened, run, steps, clicked }
}

/** A memory that knows one element, whatever is asked. */
const remembers = (element: Partial<ElementDescriptor>) => {
  const asked: string[] = []
  const elements = {
    recall: async (key: string) => {
      asked.push(key)
      return { tag: 'button', role: 'button', name: 'Save', targets: [], ...element }
    },
  }
  return { elements, asked }
}
const save = { tag: 'button', role: 'button', name: 'Save', css: '#store' }
const atRisk = new ActionError('the page did not answer', { code: 'ACTION_TIMEOUT' })

describe('repetition', () => {
  it('does a step again that found nothing, and stops as soon as it is done', async () => {
    const { run, clicked, records, steps } = await onPage([{ css: '#late', appearsAfterMs: 20_000 }])
    const { results, failure, recoveredSteps } = await run([{ action: click('#late'), retries: 3 }])
    expect(failure).toBeNull()
    expect([results.length, results[0]?.recoveryUsed, recoveredSteps]).toEqual([1, 'retry', 1])
    expect(clicked()).toEqual([{ css: '#late' }])
    expect(records.map(({ status, recovery, stepIndex, stepId }) => [status, recovery, stepIndex, stepId])).toEqual([
      ['failed', null, 0, 'stp_1'],
      ['completed', 'retry', 1, 'stp_2'],
    ])
    expect(steps.map(({ stepId, order, retryIndex, status, recovery }) => [stepId, order, retryIndex, status, recovery])).toEqual([
      ['stp_1', 0, 0, 'failed', null],
      ['stp_2', 0, 1, 'completed', 'retry'],
    ])
  })

  it('never does a click again whose effect is unknown', async () => {
    const { run, records } = await onPage([{ css: '#pay', fails: atRisk }])
    const { failure } = await run([{ action: click('#pay'), retries: 5 }])
    expect([failure?.error.code, records.length]).toEqual(['ACTION_TIMEOUT', 1])
  })

  it('does it again where its author says that it may be', async () => {
    const { run, records } = await onPage([{ css: '#pay', fails: atRisk }])
    await run([{ action: click('#pay'), retries: 2, idempotent: true }])
    expect(records.map(({ recovery }) => recovery)).toEqual([null, 'retry', 'retry'])
  })

  it('does what may be repeated as often as it is told, pausing between', async () => {
    const { run, records, clock } = await onPage([{ css: '#name', fails: atRisk }])
    const startMs = clock.monotonicMs()
    const action = { type: 'input_text' as const, target: { css: '#name' }, value: 'Ada' }
    const { failure } = await run([{ action, retries: 2, delayMs: 700 }])
    expect([failure?.error.code, records.length]).toEqual(['ACTION_TIMEOUT', 3])
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(1_400)
  })

  it.each(['abort', 'continue'] as const)('is not made under %s', async (onFailure) => {
    const { run, records } = await onPage([{ css: '#name', fails: atRisk }])
    await run([{ action: { type: 'check', target: { css: '#name' } }, onFailure, retries: 5 }])
    expect(records).toHaveLength(1)
  })

  it('ends with a cancel in the pause, and makes nothing more', async () => {
    const opened = await onPage([])
    const { run, records, control, clock } = opened
    clock.setTimer(() => control.abort(new Error('canceled')), 16_000)
    const { failure } = await run([
      { action: click('#no'), delayMs: 60_000, retries: 3 },
      { action: click('#no'), onFailure: 'continue' },
    ])
    expect(failure?.error.code).toBe('TARGET_NOT_FOUND')
    expect(records).toHaveLength(1)
    expect(clock.monotonicMs()).toBeLessThan(17_500)
  })
})

describe('what must hold after a step', () => {
  const assert = { target: { css: '#done' }, state: 'visible' }

  it('is asked as an action of the same attempt', async () => {
    const { run, records, steps } = await onPage([{ css: '#go', onClick: (page) => page.show([{ css: '#done' }]) }])
    const { failure, results } = await run([{ action: click('#go'), assert }])
    expect(failure).toBeNull()
    expect(results.map(({ type }) => type)).toEqual(['click', 'assert'])
    expect(records.map(({ type, stepId, stepIndex }) => [type, stepId, stepIndex])).toEqual([
      ['click', 'stp_1', 0],
      ['assert', 'stp_1', 1],
    ])
    expect(steps).toHaveLength(1)
  })

  it('is asked again alone where the step must not be done twice', async () => {
    const { run, records, clicked } = await onPage([
      { css: '#go', onClick: (page) => page.show([{ css: '#done', appearsAfterMs: 2_000 }]) },
    ])
    const { failure, recoveredSteps } = await run([{ action: click('#go'), assert, retries: 3, delayMs: 1_500 }])
    expect([failure, recoveredSteps, clicked().length]).toEqual([null, 1, 1])
    expect(records.map(({ type, status }) => `${type} ${status}`)).toEqual([
      'click completed',
      'assert failed',
      'assert failed',
      'assert completed',
    ])
  })

  it('is asked after an action whose effect is unknown, which is not done again', async () => {
    const { run, records, steps } = await onPage([
      { css: '#pay', fails: atRisk },
      { css: '#done', appearsAfterMs: 3_000 },
    ])
    const { failure, recoveredSteps, results } = await run([{ action: click('#pay'), assert, retries: 4, delayMs: 1_000 }])
    expect([failure, recoveredSteps]).toEqual([null, 1])
    expect(results.map(({ type, status, recoveryUsed }) => [type, status, recoveryUsed])).toEqual([
      ['click', 'completed', 'retry'],
      ['assert', 'completed', 'retry'],
    ])
    expect(records.filter(({ type }) => type === 'click')).toHaveLength(1)
    expect(records.at(-1)).toMatchObject({ type: 'assert', status: 'completed', recovery: 'retry' })
    expect(steps.at(-1)?.status).toBe('completed')
  })

  it('leaves the failure of such an action as it was where it does not hold', async () => {
    const { run, records } = await onPage([{ css: '#pay', fails: atRisk }])
    const { failure, results } = await run([{ action: click('#pay'), assert, retries: 2 }])
    expect(failure?.error.code).toBe('ACTION_TIMEOUT')
    expect(results.map(({ type, status }) => `${type} ${status}`)).toEqual(['click failed', 'assert failed'])
    expect(records.map(({ type }) => type)).toEqual(['click', 'assert', 'assert'])
  })

  it('has the step done again where that comes to the same', async () => {
    const { run, clicked } = await onPage([{ css: '#box' }])
    const { failure } = await run([{ action: { type: 'check', target: { css: '#box' } }, assert, retries: 2 }])
    expect([failure?.error.code, clicked().length]).toEqual(['ASSERTION_FAILED', 3])
  })
})

describe('alternative targets', () => {
  it('find the element by another recorded way, and keep the key of the own target', async () => {
    const { elements, asked } = remembers({ targets: [{ css: '#old' }, { testId: 'save' }, { role: 'button', name: 'Save' }] })
    const { run, records, clicked } = await onPage([save], { elements })
    const { failure, results, recoveredSteps } = await run([click('#old')])
    expect([failure, recoveredSteps]).toEqual([null, 1])
    expect(results[0]).toMatchObject({ status: 'completed', recoveryUsed: 'alternative_target', element: { name: 'Save' } })
    expect(clicked()).toEqual([{ role: 'button', name: 'Save' }])
    expect(records.map(({ status, recovery, target }) => [status, recovery, target])).toEqual([
      ['failed', null, { css: '#old' }],
      ['completed', 'alternative_target', { role: 'button', name: 'Save' }],
    ])
    expect(records[1]?.targetKey).toBe(records[0]?.targetKey)
    expect(asked).toEqual([records[0]?.targetKey])
  })

  it('refuse another element in the same place', async () => {
    const { elements } = remembers({ targets: [{ css: '#old' }, { xpath: '/html/body/button' }] })
    const other = { tag: 'button', role: 'button', name: 'Delete all', xpath: '/html/body/button' }
    const { run, clicked, records } = await onPage([other], { elements })
    expect((await run([click('#old')])).failure?.error.code).toBe('TARGET_NOT_FOUND')
    expect([clicked(), records.length]).toEqual([[], 1])
  })

  it('refuse what matches several elements', async () => {
    const { elements } = remembers({ targets: [{ role: 'button', name: 'Save' }] })
    const { run, clicked } = await onPage([save, { ...save, css: '#other' }], { elements })
    expect((await run([click('#old')])).failure?.error.code).toBe('TARGET_NOT_FOUND')
    expect(clicked()).toEqual([])
  })

  it('are taken as they are: what a page wrote is no template', async () => {
    const { elements } = remembers({ name: '{{ KEY }}', targets: [{ role: 'button', name: '{{ KEY }}' }] })
    const { run, clicked } = await onPage(
      [
        { ...save, name: '{{ KEY }}' },
        { ...save, name: 'hunter2', css: '#trap' },
      ],
      { elements },
    )
    expect((await run([click('#old')])).failure).toBeNull()
    expect(clicked()).toEqual([{ role: 'button', name: '{{ KEY }}' }])
  })

  it('do not lead around a refusal', async () => {
    const scope = {
      blinders: [],
      allowsFiles: false,
      network: { check: () => null, onBlocked: () => {} },
      checkAction: (action: { target?: { testId?: string } }) => (action.target?.testId === 'save' ? { rule: 'test', reason: 'no' } : null),
      checkUrl: () => null,
      review: async () => null,
      blockedCount: 0,
      blockedSince: () => [],
    }
    const { elements } = remembers({ targets: [{ testId: 'save' }, { role: 'button', name: 'Save' }] })
    const { run, clicked } = await onPage([save], { elements, scope: scope as never })
    expect((await run([click('#old')])).failure?.error.code).toBe('TARGET_NOT_FOUND')
    expect(clicked()).toEqual([])
  })

  it.each<[string, StepInput, SequenceOptions]>([
    ['under continue', { ...click('#old'), onFailure: 'continue' }, {}],
    ['when they are turned off', click('#old'), { alternativeTargets: false }],
    ['for an element that is waited for', { type: 'wait_for', target: { css: '#old' } }, {}],
    ['for an element that is asserted', { type: 'assert', target: { css: '#old' } }, {}],
  ])('are not looked for %s', async (_, step, options) => {
    const { elements, asked } = remembers({ targets: [{ role: 'button', name: 'Save' }] })
    const { run } = await onPage([save], { elements })
    await run([step], options)
    expect(asked).toEqual([])
  })

  it('come after the repetitions, and are kept for what follows', async () => {
    const { elements } = remembers({ targets: [{ role: 'button', name: 'Save' }] })
    const { run, records } = await onPage([save], { elements })
    const { failure } = await run([{ action: click('#old'), retries: 2 }])
    expect(failure).toBeNull()
    expect(records.map(({ recovery }) => recovery)).toEqual([null, 'retry', 'retry', 'alternative_target'])
  })
})

describe('the same element', () => {
  const recorded: ElementDescriptor = { tag: 'input', role: 'textbox', name: null, targets: [{ css: '#mail' }, { css: 'form > input' }] }
  it.each<[string, Partial<ElementDescriptor>, Partial<ElementDescriptor>, boolean]>([
    ['the same name', { name: 'Save' }, { name: 'Save' }, true],
    ['another name', { name: 'Save' }, { name: 'Save as' }, false],
    ['another tag', { name: 'Save' }, { name: 'Save', tag: 'a' }, false],
    ['another role', { name: 'Save' }, { name: 'Save', role: 'link' }, false],
    ['no name, the same id', {}, { name: 'Mail', targets: [{ css: '#mail' }] }, true],
    ['no name, only the same path', {}, { targets: [{ css: 'form > input' }] }, false],
    ['no name, the same label', { targets: [{ label: 'Mail' }] }, { targets: [{ label: 'Mail' }] }, true],
    ['no name, the same test id', { targets: [{ testId: 'm' }] }, { targets: [{ css: '#x' }, { testId: 'm' }] }, true],
    ['no name, the same words as another kind of mark', { targets: [{ testId: 'm' }] }, { targets: [{ label: 'm' }] }, false],
    ['nothing to go by', { targets: [] }, { targets: [] }, false],
  ])('%s: %o %o → %s', (_, before, now, isSame) => {
    expect(isSameElement({ ...recorded, ...before }, { ...recorded, ...now })).toBe(isSame)
  })
})

describe('handing over', () => {
  it('gives the agent that step, and goes on at the next one', async () => {
    const { run, clicked, steps } = await onPage([{ css: '#next' }])
    const asked: HandOverParams[] = []
    const handOver = async (params: HandOverParams) => {
      asked.push(params)
      return { completed: true, reason: 'found it below' }
    }
    const { failure, results, recoveredSteps } = await run([{ action: click('#lost'), onFailure: 'agent' }, click('#next')], { handOver })
    expect([failure, recoveredSteps, clicked()]).toEqual([null, 1, [{ css: '#next' }]])
    expect(asked).toHaveLength(1)
    expect(asked[0]).toMatchObject({ action: { type: 'click' }, error: { code: 'TARGET_NOT_FOUND' }, stepId: 'stp_3', playbook: null })
    expect(results[0]).toMatchObject({ status: 'completed', error: null, recoveryUsed: 'agent' })
    expect(steps.map(({ recovery, status, output }) => [recovery, status, output])).toEqual([
      [null, 'failed', null],
      ['retry', 'failed', null],
      ['agent', 'completed', 'found it below'],
      [null, 'completed', null],
    ])
  })

  it.each([
    ['says that it could not', async () => ({ completed: false, reason: 'no such thing' })],
    [
      'throws',
      async () => {
        throw new Error('no such thing')
      },
    ],
  ])('fails the step when the agent %s', async (_, handOver) => {
    const { run } = await onPage([])
    const { failure } = await run([{ action: click('#lost'), onFailure: 'agent', retries: 0 }], { handOver })
    expect(failure?.error).toMatchObject({ code: 'AGENT_FAILED', details: { code: 'TARGET_NOT_FOUND' } })
    expect(failure?.error.message).toContain('no such thing')
  })

  it('asks all the same what must hold after the step', async () => {
    const { run } = await onPage([])
    const step = { action: click('#lost'), onFailure: 'agent' as const, retries: 0, assert: { url: 'https://elsewhere.test/' } }
    const { failure } = await run([step], { handOver: async () => ({ completed: true }) })
    expect(failure?.error.code).toBe('ASSERTION_FAILED')
  })

  it('is a failure like any other where there is no agent', async () => {
    const { run, records } = await onPage([])
    const { failure } = await run([{ action: click('#lost'), onFailure: 'agent', retries: 0 }])
    expect([failure?.error.code, records.length]).toEqual(['TARGET_NOT_FOUND', 1])
  })
})

it('a failing recorder changes no result', async () => {
  const { run, clicked } = await onPage([{ css: '#go' }])
  const broken = () => {
    throw new Error('no room')
  }
  const { failure } = await run([click('#go'), click('#go')], { recorder: { nextStepId: broken, record: broken } })
  expect([failure, clicked().length]).toEqual([null, 2])
})
