import type { Action, Playbook, Step } from '../definition/index.js'
import type { Clock } from '../runtime/index.js'
import type { ActionContext } from './action-context.js'
import type { ActionResult } from './action-result.js'
import type { ActionRouter } from './action-router.js'
import { ActionStep } from './action-step.js'
import { CallStep } from './call-step.js'
import { isInconclusive, LATER_LOOK_MS, leavesPageAsIs } from './dry-run.js'
import type { SequenceOptions } from './sequence-ports.js'
import type { ListEnd, StepFrame } from './step-frame.js'
import { type StepEnd, StepPerformer } from './step-performer.js'
import { isFinalFailure } from './step-recovery-policy.js'

export interface SequenceRunOptions {
  readonly router: ActionRouter
  readonly clock: Clock
  /** Every playbook that may be called. */
  readonly playbooks: ReadonlyMap<string, Playbook>
  readonly options: SequenceOptions & { readonly nextStepIndex: () => number; readonly firstStep: number }
}

/** One list of steps while it is performed, with the lists of the playbooks that it calls. */
export class SequenceRun {
  readonly results: ActionResult[] = []
  readonly #params: SequenceRunOptions
  #recoveredSteps = 0
  #order: number
  /** In a dry run: whether a step was checked that would have changed the page. */
  #wouldHaveChanged = false

  constructor(params: SequenceRunOptions) {
    this.#params = params
    this.#order = params.options.firstStep
  }

  /** Steps that did what they should, but not at the first attempt. */
  get recoveredSteps(): number {
    return this.#recoveredSteps
  }

  /** Steps that were begun. */
  get stepCount(): number {
    return this.#order - this.#params.options.firstStep
  }

  /** Performs a list; null when it went to its end. */
  async perform(steps: readonly Step[], frame: StepFrame): Promise<ListEnd | null> {
    for (const [listIndex, step] of steps.entries()) {
      const end = await this.#step(step, listIndex, frame)
      if (end !== null && (end.ending !== null || !this.#goesOn(step, end, frame))) return end
    }
    return null
  }

  async #step(step: Step, listIndex: number, frame: StepFrame): Promise<ListEnd | null> {
    const order = this.#order++
    const { clock, options } = this.#params
    const { recorder, handOver, alternativeTargets = true } = options
    const { context, playbook } = frame
    const { work, call } = this.#workOf(step, frame)
    const end = await new StepPerformer({
      ...{ step, work, order, playbook, context, clock, recorder, handOver, alternativeTargets },
    }).perform()
    this.#keep(end, step.action)
    if (end.ending !== null) return { failure: null, cause: null, ending: end.ending }
    if (end.failure === null || end.error === null) return null
    // the step in the playbook that failed says more than the call of it
    const inner = call?.inner?.error === end.error ? call.inner : null
    return { failure: inner ?? { stepIndex: order, listIndex, playbook, error: end.error }, cause: end.failure, ending: null }
  }

  #workOf(step: Step, frame: StepFrame) {
    const { router, playbooks, options } = this.#params
    const { context } = frame
    const actions = { router, context, nextStepIndex: options.nextStepIndex }
    const { action } = step
    if (action !== null) return { work: new ActionStep({ ...step, action: this.#shortened(action, context) }, actions), call: null }
    const performList = (steps: readonly Step[], inner: StepFrame) => this.perform(steps, inner)
    const call = new CallStep({ step, frame, actions, playbooks, source: options.playbooks, performList })
    return { work: call, call }
  }

  #keep(end: StepEnd, action: Action | null): void {
    for (const result of [end.action, end.asserted]) if (result !== null) this.results.push(result)
    if (end.recoveredBy !== null) this.#recoveredSteps++
    if (end.failure === null && action !== null && !leavesPageAsIs(action.type)) this.#wouldHaveChanged = true
  }

  #goesOn(step: Step, { cause }: ListEnd, { context }: StepFrame): boolean {
    if (cause === null || isFinalFailure(cause)) return false
    return step.onFailure === 'continue' || (context.dryRun && this.#wouldHaveChanged && isInconclusive(cause.code))
  }

  /** In a dry run nothing comes of the steps before: an element that they would bring is not waited for as long. */
  #shortened(action: Action, { dryRun }: ActionContext): Action {
    if (!dryRun || !this.#wouldHaveChanged) return action
    return { ...action, timeoutMs: Math.min(action.timeoutMs ?? LATER_LOOK_MS, LATER_LOOK_MS) }
  }
}
