import { describe, expect, it } from 'vitest'
import { nextMove, provesNoEffect, type RecoveryMove, type StepRecoveryState } from '../../../src/actions/index.js'
import { ACTION_TYPES } from '../../../src/definition/index.js'

type Given = Omit<Partial<StepRecoveryState>, 'failure'> & {
  readonly code?: string
  readonly status?: 'failed' | 'blocked' | 'canceled'
  readonly phase?: 'action' | 'assert'
}

/** A click of a playbook whose target was not found, with everything at hand. */
const after = ({ code = 'TARGET_NOT_FOUND', status = 'failed', phase = 'action', ...rest }: Given = {}): StepRecoveryState => ({
  onFailure: 'agent',
  retries: 1,
  type: 'click',
  isRepeatable: false,
  seeksAlternatives: true,
  hasAssert: false,
  hasAgent: true,
  failure: { code, status, phase },
  repetitions: 0,
  triedAlternatives: false,
  handedOver: false,
  ...rest,
})

describe('what follows after a failed step', () => {
  it.each<[string, Given, RecoveryMove]>([
    ['a click that found nothing', {}, 'repeat'],
    ['a click on several', { code: 'TARGET_AMBIGUOUS' }, 'repeat'],
    ['a click on what did not become ready', { code: 'TARGET_NOT_ACTIONABLE' }, 'repeat'],
    ['a click that ran out of time', { code: 'ACTION_TIMEOUT' }, 'hand_over'],
    ['the same without an agent', { code: 'ACTION_TIMEOUT', hasAgent: false }, 'give_up'],
    ['a click that ran out of time, with an assert', { code: 'ACTION_TIMEOUT', hasAssert: true }, 'ask_again'],
    ['the same, asked often enough', { code: 'ACTION_TIMEOUT', hasAssert: true, repetitions: 1 }, 'hand_over'],
    ['the same under abort', { code: 'ACTION_TIMEOUT', hasAssert: true, onFailure: 'abort' }, 'give_up'],
    ['a text that ran out of time, with an assert', { code: 'ACTION_TIMEOUT', hasAssert: true, isRepeatable: true }, 'repeat'],
    ['a click whose page closed', { code: 'PAGE_CLOSED', onFailure: 'retry' }, 'give_up'],
    ['the same by an author who says it may be done twice', { code: 'PAGE_CLOSED', onFailure: 'retry', isRepeatable: true }, 'repeat'],
    ['a navigation that failed', { type: 'goto_url', code: 'NAVIGATION_FAILED', isRepeatable: true }, 'repeat'],
    ['a text that ran out of time', { type: 'input_text', code: 'ACTION_TIMEOUT', isRepeatable: true }, 'repeat'],
    ['a key on what did not become ready', { type: 'press_key', code: 'TARGET_NOT_ACTIONABLE', onFailure: 'retry' }, 'give_up'],
    ['a drag whose destination may be the several', { type: 'drag_and_drop', code: 'TARGET_AMBIGUOUS', onFailure: 'retry' }, 'give_up'],
    ['a secret that its provider could not give', { code: 'CREDENTIAL_PROVIDER_FAILED', onFailure: 'retry' }, 'repeat'],
    ['every repetition used up', { repetitions: 1 }, 'alternatives'],
    ['no repetitions at all', { retries: 0 }, 'alternatives'],
    ['the other ways tried too', { repetitions: 1, triedAlternatives: true }, 'hand_over'],
    ['the other ways turned off', { repetitions: 1, seeksAlternatives: false }, 'hand_over'],
    ['the agent tried too', { repetitions: 1, triedAlternatives: true, handedOver: true }, 'give_up'],
    ['retry, everything used up', { onFailure: 'retry', repetitions: 1, triedAlternatives: true }, 'give_up'],
    ['abort', { onFailure: 'abort' }, 'alternatives'],
    ['abort, whatever may be repeated', { onFailure: 'abort', isRepeatable: true, seeksAlternatives: false }, 'give_up'],
    ['abort, not for want of an element', { onFailure: 'abort', code: 'ACTION_FAILED' }, 'give_up'],
    ['continue', { onFailure: 'continue', isRepeatable: true }, 'give_up'],
    ['an element that is only waited for', { type: 'wait_for', onFailure: 'abort' }, 'give_up'],
    ['an element that is only read', { type: 'extract', onFailure: 'abort' }, 'give_up'],
    ['what must hold after a click', { phase: 'assert', code: 'ASSERTION_FAILED' }, 'ask_again'],
    ['the same whose element is missing', { phase: 'assert', code: 'TARGET_NOT_FOUND' }, 'ask_again'],
    ['what must hold after a text', { phase: 'assert', code: 'ASSERTION_FAILED', type: 'input_text', isRepeatable: true }, 'repeat'],
    ['the same, asked often enough', { phase: 'assert', code: 'TARGET_NOT_FOUND', repetitions: 1 }, 'hand_over'],
    ['the same under abort', { phase: 'assert', code: 'ASSERTION_FAILED', onFailure: 'abort' }, 'give_up'],
    ['a call of a playbook', { type: null, code: 'TARGET_NOT_FOUND', onFailure: 'retry' }, 'give_up'],
    ['a call that may be made twice', { type: null, code: 'TARGET_NOT_FOUND', onFailure: 'retry', isRepeatable: true }, 'repeat'],
    ['a call, with an agent, which would do again what is done', { type: null, code: 'ACTION_TIMEOUT' }, 'give_up'],
    ['a call that may be made twice, with an agent', { type: null, isRepeatable: true, repetitions: 1 }, 'hand_over'],
  ])('%s', (_, given, move) => {
    expect(nextMove(after(given))).toBe(move)
  })

  it.each(['TEMPLATE_ERROR', 'TEMPLATE_TOO_COMPLEX', 'CREDENTIAL_NOT_FOUND', 'INVALID_PARAMETERS'])(
    'is nothing where the author is mistaken: %s',
    (code) => {
      expect(nextMove(after({ code, isRepeatable: true }))).toBe('give_up')
    },
  )

  it.each<Given>([
    { code: 'ACTION_BLOCKED', status: 'blocked' },
    { code: 'ACTION_BLOCKED' },
    { code: 'STUCK', status: 'blocked' },
    { code: 'TARGET_NOT_FOUND', status: 'canceled' },
  ])('is nothing after a refusal, a stop or a cancel, whatever the step says: %j', (given) => {
    for (const onFailure of ['abort', 'continue', 'retry', 'agent'] as const)
      for (const phase of ['action', 'assert'] as const)
        for (const isRepeatable of [true, false]) expect(nextMove(after({ ...given, onFailure, phase, isRepeatable }))).toBe('give_up')
  })

  it('comes to an end for every type, code and mode', () => {
    for (const type of [...ACTION_TYPES, null])
      for (const code of ['TARGET_NOT_FOUND', 'TARGET_AMBIGUOUS', 'ACTION_TIMEOUT', 'ASSERTION_FAILED'])
        for (const phase of ['action', 'assert'] as const)
          for (const onFailure of ['abort', 'continue', 'retry', 'agent'] as const) {
            let state = after({ type, code, phase, onFailure, retries: 3, isRepeatable: true })
            const moves: RecoveryMove[] = []
            for (let move = nextMove(state); move !== 'give_up'; move = nextMove(state)) {
              moves.push(move)
              if (move === 'alternatives') state = { ...state, triedAlternatives: true }
              else if (move === 'hand_over') state = { ...state, handedOver: true }
              else state = { ...state, repetitions: state.repetitions + 1 }
              expect(moves.length).toBeLessThan(6)
            }
          }
  })
})

describe('a failure proves that nothing was done', () => {
  it('never by a deadline, a closed page or an unknown cause', () => {
    for (const type of ACTION_TYPES)
      for (const code of ['ACTION_TIMEOUT', 'ACTION_FAILED', 'PAGE_CLOSED', 'NAVIGATION_FAILED', 'NO_PAGE'])
        expect(provesNoEffect(type, code), `${type} ${code}`).toBe(false)
  })

  it('when its element was not there', () => {
    for (const type of ACTION_TYPES) expect(provesNoEffect(type, 'TARGET_NOT_FOUND')).toBe(true)
  })
})
