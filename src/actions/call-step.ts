import { type Playbook, type Step, toStep } from '../definition/index.js'
import { PlaybookError, RunwrightError } from '../errors/index.js'
import { ask, type StepActions } from './action-step.js'
import { bindParameters } from './playbook-variables.js'
import type { PlaybookSource } from './sequence-ports.js'
import type { SequenceFailure } from './sequence-result.js'
import type { ListEnd, StepFrame } from './step-frame.js'
import type { StepAttempt, StepAttemptEnd, StepWork } from './step-performer.js'

export interface CallStepOptions {
  readonly step: Step
  readonly frame: StepFrame
  readonly actions: StepActions
  readonly playbooks: ReadonlyMap<string, Playbook>
  readonly source: PlaybookSource | undefined
  readonly performList: (steps: readonly Step[], frame: StepFrame) => Promise<ListEnd | null>
}

/** A step that calls a playbook: its steps recover each by itself, so that those that are done are not done again. */
export class CallStep implements StepWork {
  readonly #options: CallStepOptions
  /** The step in the playbook whose failure ended the last call. */
  #inner: SequenceFailure | null = null

  constructor(options: CallStepOptions) {
    this.#options = options
  }

  get inner(): SequenceFailure | null {
    return this.#inner
  }

  async attempt(attempt: StepAttempt): Promise<StepAttemptEnd> {
    const { step, actions } = this.#options
    if (attempt.onlyAssert) return ask(step, attempt, actions, null)
    const end = await this.#call()
    if (end !== null) return end
    return ask(step, attempt, actions, null)
  }

  async findAlternative(): Promise<boolean> {
    return false
  }

  /** Null: the playbook went to its end. */
  async #call(): Promise<StepAttemptEnd | null> {
    const none = { action: null, asserted: null }
    this.#inner = null
    let end: ListEnd | null
    try {
      const { playbook, frame } = this.#frame()
      end = await this.#options.performList(playbook.steps.map(toStep), frame)
    } catch (error) {
      if (!RunwrightError.is(error)) throw error
      return { ...none, error, failure: { code: error.code, status: 'failed', phase: 'action' }, ending: null }
    }
    if (end === null) return null
    this.#inner = end.failure
    return { ...none, error: end.failure?.error ?? null, failure: end.cause, ending: end.ending }
  }

  #frame(): { readonly playbook: Playbook; readonly frame: StepFrame } {
    const { step, frame, playbooks, source } = this.#options
    const { name, parameters } = step.playbook ?? { name: '', parameters: {} }
    const playbook = playbooks.get(name)
    if (playbook === undefined || source === undefined)
      throw new PlaybookError(`There is no playbook "${name}"`, { code: 'PLAYBOOK_NOT_FOUND', details: { name } })
    const { context } = frame
    const variables = bindParameters({ playbook, given: parameters, texts: context.texts, outer: frame.variables })
    return { playbook, frame: { context: { ...context, texts: source.textsWith(variables) }, playbook: name, variables } }
  }
}
