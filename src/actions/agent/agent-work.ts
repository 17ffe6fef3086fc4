import { type ActionInput, actionSchema } from '../../definition/index.js'
import { ActionError, type Json, parseArgument } from '../../errors/index.js'
import type { PageObservation } from '../../sessions/ports.js'
import type { ActionContext, ActionPlace } from '../action-context.js'
import type { ActionResult } from '../action-result.js'
import type { ActionRouter } from '../action-router.js'
import type { AgentSight } from './agent-sight.js'
import type { AgentBudget, AgentTab, AgentTools, AgentUsage } from './browser-agent.js'

/** Where an agent's steps are written down. It must not throw. */
export interface AgentJournal {
  /** The place of the action that comes next. */
  begin(): ActionPlace
  /** It has ended. `tokens`: what models used for it; null: nothing was reported. */
  end(place: ActionPlace, result: ActionResult, tokens: number | null): void
}

export interface AgentWorkParams {
  readonly router: ActionRouter
  /** Its signal aborts when the task ends. */
  readonly context: ActionContext
  readonly budget: AgentBudget
  readonly sight: AgentSight
  readonly journal: AgentJournal
  /** Ends the task: budget spent, or stuck. */
  readonly stop: (error: ActionError) => void
}

/** The tools of one task, and what was done with them. */
export class AgentWork {
  readonly tools: AgentTools
  readonly #params: AgentWorkParams
  #steps = 0
  #tokens = 0
  #calls = 0
  /** Tokens since the last step; null: none were reported. */
  #pending: number | null = null

  constructor(params: AgentWorkParams) {
    this.#params = params
    const { sight } = params
    const work = this
    this.tools = {
      perform: (action) => forgiving(this.#perform(action)),
      observe: (): Promise<PageObservation> => forgiving(this.#going(() => sight.observe())),
      tabs: (): Promise<readonly AgentTab[]> => forgiving(this.#going(() => sight.tabs())),
      url: () => forgiving(this.#going(() => sight.url())),
      reportUsage: (usage) => this.#report(usage),
      get stepsLeft() {
        return work.#stepsLeft
      },
    }
  }

  /** Calls of `perform` so far. */
  get stepCount(): number {
    return this.#steps
  }

  /** What was used in all, with what the agent says at its end. */
  usage(total: AgentUsage | undefined): AgentUsage {
    return { tokens: Math.max(this.#tokens, total?.tokens ?? 0), calls: Math.max(this.#calls, total?.calls ?? 0) }
  }

  get #stepsLeft(): number {
    return Math.max(0, this.#params.budget.maxSteps - this.#steps)
  }

  async #perform(input: ActionInput): Promise<ActionResult> {
    const { router, context, budget, journal, stop } = this.#params
    this.#assertGoing()
    if (this.#stepsLeft === 0) {
      const error = new ActionError(`The agent wanted more than its ${budget.maxSteps} steps`, { code: 'MAX_STEPS' })
      stop(error)
      throw error
    }
    this.#steps += 1
    const action = parseArgument(actionSchema, input, 'perform')
    const place = journal.begin()
    const result = await router.execute(action, context, place)
    const tokens = this.#pending
    this.#pending = null
    journal.end(place, result, tokens)
    if (result.verdict === 'stop') stop(new ActionError(`The agent was stopped: ${context.stuck.stopReason}`, { code: 'STUCK' }))
    return shown(result, context)
  }

  #report(usage: AgentUsage): void {
    const { context, budget, stop } = this.#params
    if (context.signal.aborted) return
    this.#tokens += usage.tokens
    this.#calls += usage.calls
    this.#pending = (this.#pending ?? 0) + usage.tokens
    if (budget.maxTokens !== undefined && this.#tokens > budget.maxTokens)
      stop(new ActionError(`The agent used more than its ${budget.maxTokens} tokens`, { code: 'MAX_STEPS' }))
  }

  async #going<T>(look: () => Promise<T>): Promise<T> {
    this.#assertGoing()
    return look()
  }

  #assertGoing(): void {
    if (this.#params.context.signal.aborted) throw new ActionError('The task of the agent has ended', { code: 'ACTION_BLOCKED' })
  }
}

/** An agent may forget to await a call: its failure must not end the host as an unhandled rejection. */
function forgiving<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {})
  return work
}

/** The result as an agent, and the model behind it, may see it: what a driver said word for word may hold what was typed. */
function shown(result: ActionResult, { texts }: ActionContext): ActionResult {
  const { error } = result
  return {
    ...result,
    error: error === null ? null : new ActionError(error.message, { code: error.code, details: error.details, retryable: error.retryable }),
    value: texts.redact(result.value),
    url: texts.redact(result.url),
    element: result.element === null ? null : (texts.redact(result.element as unknown as Json) as unknown as ActionResult['element']),
  }
}
