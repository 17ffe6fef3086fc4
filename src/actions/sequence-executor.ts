import { type StepEntry, toStep } from '../definition/index.js'
import { RunwrightError } from '../errors/index.js'
import type { Clock } from '../runtime/index.js'
import type { ActionContext } from './action-context.js'
import type { ActionRouter } from './action-router.js'
import { NO_VARIABLES } from './playbook-variables.js'
import { refuseList } from './refuse-list.js'
import { SequencePlanner } from './sequence-plan.js'
import type { SequenceOptions } from './sequence-ports.js'
import type { SequenceResult } from './sequence-result.js'
import { SequenceRun } from './sequence-run.js'

/** Performs lists of steps, in order, through the router. */
export class SequenceExecutor {
  readonly #router: ActionRouter
  readonly #clock: Clock

  constructor(options: { readonly router: ActionRouter; readonly clock: Clock }) {
    this.#router = options.router
    this.#clock = options.clock
  }

  /**
   * Stops at the first failure, unless that step says `onFailure: 'continue'`, and at a `complete` or `terminate` step. The list is looked
   * at whole first, with every playbook that it calls: when one of them is missing or its parameters do not fit, or an action is out of
   * scope, nothing is done at all. A failure is a result; it rejects with what is no error of this library only.
   *
   * In a dry run every step is checked as it would be reached. What an element is looked for in vain says nothing where an earlier step,
   * which was only checked, may bring it: the list goes on then. Nothing is recovered.
   */
  async execute(entries: readonly StepEntry[], context: ActionContext, options: SequenceOptions = {}): Promise<SequenceResult> {
    const steps = entries.map(toStep)
    const firstStep = options.firstStep ?? 0
    const planner = new SequencePlanner(options.playbooks)
    for (const [listIndex, step] of steps.entries()) {
      try {
        await planner.add(step)
      } catch (error) {
        if (!RunwrightError.is(error)) throw error
        const failure = { stepIndex: firstStep + listIndex, listIndex, playbook: null, error }
        return { results: [], failure, ending: null, stepCount: 0, recoveredSteps: 0 }
      }
    }
    let actions = 0
    const nextStepIndex = options.nextStepIndex ?? (() => actions++)
    const refused = refuseList({ steps, playbooks: planner.playbooks, context })
    if (refused !== null) {
      const { listIndex, playbook, action, error } = refused
      const result = this.#router.refuse(action, context, { stepIndex: nextStepIndex() }, error)
      const failure = { stepIndex: firstStep + listIndex, listIndex, playbook, error: result.error ?? error }
      return { results: [result], failure, ending: null, stepCount: 0, recoveredSteps: 0 }
    }
    const run = new SequenceRun({
      router: this.#router,
      clock: this.#clock,
      playbooks: planner.playbooks,
      options: { ...options, nextStepIndex, firstStep },
    })
    const end = await run.perform(steps, { context, playbook: null, variables: NO_VARIABLES })
    const { results, stepCount, recoveredSteps } = run
    return { results, failure: end?.failure ?? null, ending: end?.ending ?? null, stepCount, recoveredSteps }
  }
}
