import type { Action, Step, Target } from '../definition/index.js'
import type { ActionContext } from './action-context.js'
import type { ActionResult } from './action-result.js'
import type { ActionRouter } from './action-router.js'
import { findAlternative } from './alternative-targets.js'
import type { StepAttempt, StepAttemptEnd, StepWork } from './step-performer.js'
import type { StepFailure } from './step-recovery-policy.js'

/** With what the actions of a step are performed. */
export interface StepActions {
  readonly router: ActionRouter
  readonly context: ActionContext
  /** Place of the next action among those of the block attempt. */
  readonly nextStepIndex: () => number
}

/** A step that performs an action. */
export class ActionStep implements StepWork {
  readonly #step: Step & { readonly action: Action }
  readonly #actions: StepActions
  /** The other way to its element, once there is one. */
  #alternativeTarget: Target | null = null

  constructor(step: Step & { readonly action: Action }, actions: StepActions) {
    this.#step = step
    this.#actions = actions
  }

  async attempt(attempt: StepAttempt): Promise<StepAttemptEnd> {
    if (attempt.onlyAssert) return ask(this.#step, attempt, this.#actions, null)
    const { router, context, nextStepIndex } = this.#actions
    const { stepId, recovery } = attempt
    const mustNotRepeat = this.#step.idempotent === false
    const place = { stepIndex: nextStepIndex(), stepId, recovery, alternativeTarget: this.#alternativeTarget, mustNotRepeat }
    const action = await router.execute(this.#step.action, context, place)
    const { error, ending } = action
    const failure = failureOf(action, 'action')
    if (failure !== null || ending !== null) return { error, failure, ending, action, asserted: null }
    return ask(this.#step, attempt, this.#actions, action)
  }

  async findAlternative(): Promise<boolean> {
    const { router, context } = this.#actions
    this.#alternativeTarget = await findAlternative({ router, context, action: this.#step.action })
    return this.#alternativeTarget !== null
  }
}

/** Asks what must hold after a step, where it says something; `action` is what the step did. */
export async function ask(
  { assert }: Step,
  { stepId, recovery }: StepAttempt,
  { router, context, nextStepIndex }: StepActions,
  action: ActionResult | null,
): Promise<StepAttemptEnd> {
  if (assert === null) return { error: null, failure: null, ending: null, action, asserted: null }
  const asserted = await router.execute(assert, context, { stepIndex: nextStepIndex(), stepId, recovery })
  return { error: asserted.error, failure: failureOf(asserted, 'assert'), ending: null, action, asserted }
}

function failureOf({ error, status }: ActionResult, phase: StepFailure['phase']): StepFailure | null {
  return error === null || status === 'completed' ? null : { code: error.code, status, phase }
}
