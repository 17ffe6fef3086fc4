import type { ActionType, StepFailureMode } from '../definition/index.js'

/** What is done next about a step that has failed. */
export type RecoveryMove =
  /** The whole step again, on the page as it is now. */
  | 'repeat'
  /** Only what must hold after it: asking changes nothing. */
  | 'ask_again'
  /** The step on the same element, found another way. */
  | 'alternatives'
  /** An agent, with the goal of this step. */
  | 'hand_over'
  | 'give_up'

/** How the last attempt at a step failed. */
export interface StepFailure {
  readonly code: string
  /** Of the failed action; a call of a playbook fails like the action in it. */
  readonly status: 'failed' | 'blocked' | 'canceled'
  /** Whether what the step does failed, or what must hold after it. */
  readonly phase: 'action' | 'assert'
}

/** A step between two attempts. */
export interface StepRecoveryState {
  readonly onFailure: StepFailureMode
  readonly retries: number
  /** The type of its action; null for a call of a playbook. */
  readonly type: ActionType | null
  /** Whether it comes to the same when it is done twice. */
  readonly isRepeatable: boolean
  /** Whether other ways to find its element may be tried. */
  readonly seeksAlternatives: boolean
  readonly hasAgent: boolean
  /** Whether it says what must hold after it. */
  readonly hasAssert: boolean
  readonly failure: StepFailure
  /** Repetitions so far, those of its `assert` alone included. */
  readonly repetitions: number
  readonly triedAlternatives: boolean
  readonly handedOver: boolean
}

/** Nothing helps against these: a refusal is not to be worked around, and an attempt that was stopped stays stopped. */
const FINAL_CODES: ReadonlySet<string> = new Set(['ACTION_BLOCKED', 'STUCK', 'RUN_CANCELED', 'RUN_LEASE_LOST', 'MAX_STEPS'])

/** Mistakes of the author, found before anything was done: they would be found again, by whoever tries. */
const AUTHORS_CODES: ReadonlySet<string> = new Set([
  ...['TEMPLATE_ERROR', 'TEMPLATE_TOO_COMPLEX', 'CREDENTIAL_NOT_FOUND'],
  ...['PLAYBOOK_NOT_FOUND', 'PLAYBOOK_TOO_DEEP', 'UNKNOWN_PARAMETERS', 'MISSING_PARAMETERS', 'INVALID_PARAMETERS'],
])

/** The types that act on one element. Reading and waiting are not among them: they ask for exactly what their author wrote. */
const ELEMENT_ACTIONS: ReadonlySet<ActionType> = new Set([
  ...(['click', 'hover', 'input_text', 'select_option', 'check', 'uncheck'] as const),
  ...(['press_key', 'upload_file', 'drag_and_drop', 'scroll'] as const),
])

/** Whether an action of this type acts on an element that could be found another way. Pure. */
export function touchesElement(type: ActionType): boolean {
  return ELEMENT_ACTIONS.has(type)
}

/**
 * Whether a failure proves that nothing was done to the page. A deadline never does: what was set off may still arrive. An element that
 * did not become ready does so for clicks only, as a text is typed, a file put in and a drag begun before the last look at it; and a drag
 * has begun when its destination turns out to be several. Pure.
 */
export function provesNoEffect(type: ActionType, code: string): boolean {
  if (AUTHORS_CODES.has(code) || code === 'CREDENTIAL_PROVIDER_FAILED' || code === 'TARGET_NOT_FOUND') return true
  if (code === 'TARGET_AMBIGUOUS') return type !== 'drag_and_drop'
  return code === 'TARGET_NOT_ACTIONABLE' && type === 'click'
}

/** What follows after a failed attempt. Pure: the same state gives the same move. */
export function nextMove(state: StepRecoveryState): RecoveryMove {
  const { failure, onFailure } = state
  if (isFinalFailure(failure) || state.handedOver || AUTHORS_CODES.has(failure.code)) return 'give_up'
  if (repeats(onFailure) && state.repetitions < state.retries) {
    const again = repetition(state)
    if (again !== null) return again
  }
  if (mayLookElsewhere(state)) return 'alternatives'
  return onFailure === 'agent' && state.hasAgent && mayHandOver(state) ? 'hand_over' : 'give_up'
}

/** Whether a failure ends its list whatever the step says. Pure. */
export function isFinalFailure({ status, code }: Pick<StepFailure, 'status' | 'code'>): boolean {
  return status !== 'failed' || FINAL_CODES.has(code)
}

const repeats = (mode: StepFailureMode) => mode === 'retry' || mode === 'agent'

function repetition({ failure, isRepeatable, type, hasAssert }: StepRecoveryState): RecoveryMove | null {
  if (isRepeatable) return 'repeat'
  if (failure.phase === 'assert') return 'ask_again'
  // it may have done what it should all the same
  if (failure.code === 'ACTION_TIMEOUT' && type !== null && hasAssert) return 'ask_again'
  return type !== null && provesNoEffect(type, failure.code) ? 'repeat' : null
}

/** An agent that is given a whole playbook would do again what is done of it; its steps are handed over one by one. */
const mayHandOver = ({ type, isRepeatable }: StepRecoveryState) => type !== null || isRepeatable

/** An optional element that is absent is not to be looked for elsewhere. */
function mayLookElsewhere({ seeksAlternatives, triedAlternatives, onFailure, type, failure }: StepRecoveryState): boolean {
  if (!seeksAlternatives || triedAlternatives || onFailure === 'continue' || type === null || failure.phase === 'assert') return false
  const isMissing = failure.code === 'TARGET_NOT_FOUND' || failure.code === 'TARGET_AMBIGUOUS'
  return isMissing && touchesElement(type) && provesNoEffect(type, failure.code)
}
