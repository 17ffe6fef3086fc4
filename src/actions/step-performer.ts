import { type ActionType, isIdempotent, type Step } from '../definition/index.js'
import { ActionError, type Json, type RunwrightError } from '../errors/index.js'
import { type Clock, sleep } from '../runtime/index.js'
import type { ActionContext } from './action-context.js'
import type { ActionEnding, ActionResult, Recovery } from './action-result.js'
import type { HandOver, StepRecorder } from './sequence-ports.js'
import {
  isFinalFailure,
  nextMove,
  type RecoveryMove,
  type StepFailure,
  type StepRecoveryState,
  touchesElement,
} from './step-recovery-policy.js'

/** How an attempt at a step is made. */
export interface StepAttempt {
  readonly stepId: string | null
  readonly recovery: Recovery | null
  /** Whether only what must hold after it is asked. */
  readonly onlyAssert: boolean
}

/** What an attempt at a step came to. */
export interface StepAttemptEnd {
  /** Null: it did what it should. */
  readonly error: RunwrightError | null
  readonly failure: StepFailure | null
  readonly ending: ActionEnding | null
  /** Of its action; null when only its `assert` was asked, or for a call. */
  readonly action: ActionResult | null
  readonly asserted: ActionResult | null
}

/** The parts of a step that depend on what it does. */
export interface StepWork {
  attempt(attempt: StepAttempt): Promise<StepAttemptEnd>
  /** Looks for another way to its element; from then on attempts use it. Whether there is one. */
  findAlternative(): Promise<boolean>
}

export interface StepPerformerOptions {
  readonly step: Step
  readonly work: StepWork
  readonly order: number
  readonly playbook: string | null
  readonly context: ActionContext
  readonly clock: Clock
  readonly recorder: StepRecorder | undefined
  readonly handOver: HandOver | undefined
  readonly alternativeTargets: boolean
}

/** What became of a step, all attempts together. */
export interface StepEnd extends StepAttemptEnd {
  /** How it was saved; null: it was not, or needed no saving. */
  readonly recoveredBy: Recovery | null
}

/** Performs one step: attempts, and between them what the policy says. */
export class StepPerformer {
  readonly #options: StepPerformerOptions
  #repetitions = 0
  #triedAlternatives = false
  #attempts = 0
  #recovery: Recovery | null = null
  /** The last results, as later attempts may ask the `assert` alone. */
  #action: ActionResult | null = null
  #asserted: ActionResult | null = null

  constructor(options: StepPerformerOptions) {
    this.#options = options
  }

  /** Never rejects. */
  async perform(): Promise<StepEnd> {
    let end = await this.#attempt(false)
    for (;;) {
      if (end.failure === null) return this.#ended(end)
      const move = this.#options.context.dryRun ? 'give_up' : nextMove(this.#state(end.failure))
      if (move === 'give_up') return this.#ended(end)
      end = (await this.#follow(move, end)) ?? end
    }
  }

  /** Null: the move came to nothing, and the failure stays as it is. */
  async #follow(move: Exclude<RecoveryMove, 'give_up'>, end: StepAttemptEnd): Promise<StepAttemptEnd | null> {
    if (move === 'hand_over') return this.#handOver(end)
    if (move === 'alternatives') {
      this.#triedAlternatives = true
      if (!(await this.#options.work.findAlternative())) return null
      this.#recovery = 'alternative_target'
      return this.#attempt(false)
    }
    this.#repetitions++
    this.#recovery ??= 'retry'
    const { step, clock, context } = this.#options
    try {
      if (step.delayMs > 0) await sleep(clock, step.delayMs, context.signal)
    } catch {
      return { ...end, failure: { code: end.failure?.code ?? 'ACTION_FAILED', status: 'canceled', phase: 'action' } }
    }
    if (move === 'repeat') return this.#attempt(false)
    const asked = await this.#attempt(true)
    if (end.failure?.phase !== 'action') return asked
    if (asked.failure === null) this.#saveAction()
    // an action of unknown effect, and its assert does not hold: what failed is the action
    return asked.failure === null || asked.ending !== null || isFinalFailure(asked.failure) ? asked : end
  }

  /** What must hold after the action does: it did what it should, although it failed. */
  #saveAction(): void {
    if (this.#action === null) return
    this.#action = { ...this.#action, status: 'completed', error: null, value: null, recoveryUsed: this.#recovery }
  }

  async #attempt(onlyAssert: boolean): Promise<StepAttemptEnd> {
    const stepId = this.#newStepId()
    const end = await this.#options.work.attempt({ stepId, recovery: this.#recovery, onlyAssert })
    this.#action = end.action ?? this.#action
    this.#asserted = end.asserted ?? this.#asserted
    this.#record(stepId, end.failure?.status ?? 'completed', end.action?.value ?? null)
    return end
  }

  /** One attempt by an agent; nothing follows on its failure. What must hold after the step is asked all the same. */
  async #handOver(end: StepAttemptEnd): Promise<StepAttemptEnd> {
    const { step, context, playbook, handOver } = this.#options
    const { error } = end
    if (handOver === undefined || error === null) return end
    this.#recovery = 'agent'
    const stepId = this.#newStepId()
    const { completed, reason, tokens } = await handOver({ step, action: step.action, error, context, stepId, playbook }).catch(
      (cause: unknown) => ({
        completed: false,
        reason: cause instanceof Error ? cause.message : String(cause),
        tokens: null,
      }),
    )
    const phase = 'action' as const
    const status = context.signal.aborted ? 'canceled' : 'failed'
    this.#record(stepId, completed ? 'completed' : status, reason ?? null, tokens)
    if (!completed) return { ...end, error: agentFailed(error, reason, context), failure: { code: 'AGENT_FAILED', status, phase } }
    this.#saveAction()
    const done: StepAttemptEnd = { error: null, failure: null, ending: null, action: this.#action, asserted: null }
    return step.assert === null ? done : this.#attempt(true)
  }

  #ended(end: StepAttemptEnd): StepEnd {
    const recoveredBy = end.failure === null && this.#attempts > 1 ? this.#recovery : null
    return { ...end, action: this.#action, asserted: this.#asserted, recoveredBy }
  }

  #state(failure: StepFailure): StepRecoveryState {
    const { step, handOver, alternativeTargets } = this.#options
    const type: ActionType | null = step.action?.type ?? null
    return {
      onFailure: step.onFailure,
      retries: step.retries,
      type,
      isRepeatable: step.idempotent ?? (step.action === null ? false : isIdempotent(step.action)),
      seeksAlternatives: alternativeTargets && type !== null && touchesElement(type),
      hasAssert: step.assert !== null,
      hasAgent: handOver !== undefined,
      failure,
      repetitions: this.#repetitions,
      triedAlternatives: this.#triedAlternatives,
      handedOver: this.#recovery === 'agent',
    }
  }

  #newStepId(): string | null {
    this.#attempts++
    try {
      return this.#options.recorder?.nextStepId() ?? null
    } catch {
      return null // a failing recorder changes nothing
    }
  }

  #record(stepId: string | null, status: StepFailure['status'] | 'completed', output: Json, tokens: number | null = null): void {
    if (stepId === null) return
    const { recorder, order, playbook, context } = this.#options
    try {
      recorder?.record({
        stepId,
        order,
        retryIndex: this.#attempts - 1,
        status: status === 'blocked' ? 'failed' : status,
        recovery: this.#recovery,
        playbook,
        output: context.texts.redact(output),
        tokens,
      })
    } catch {
      // what happened on the page has happened: a failing recorder changes nothing
    }
  }
}

function agentFailed(error: RunwrightError, reason: string | undefined, { texts }: ActionContext): ActionError {
  const why = texts.redact(reason ?? 'it gave no reason')
  return new ActionError(`${error.message}; handed over to the agent, which did not do it either: ${why}`, {
    code: 'AGENT_FAILED',
    details: { code: error.code },
    cause: error,
  })
}
