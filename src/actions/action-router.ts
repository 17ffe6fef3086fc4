import type { Action } from '../definition/index.js'
import { ActionError } from '../errors/index.js'
import type { Clock, Ids } from '../runtime/index.js'
import { ActionAttempt, type AttemptOutcome } from './action-attempt.js'
import type { ActionContext, ActionPlace } from './action-context.js'
import { type ActionRecordParams, actionRecord, targetKeyOf } from './action-record.js'
import type { ActionResult } from './action-result.js'
import { describeAction } from './describe-action.js'
import { takeFailurePicture } from './failure-picture.js'
import type { StuckVerdict } from './stuck-detector.js'
import { watchForStuck } from './stuck-watch.js'

/** Deadlines of actions that name none, in milliseconds. */
export interface ActionTimeouts {
  /** @default 15,000 */
  readonly actionTimeoutMs: number
  /** For `goto_url`, `go_back`, `reload` and `new_tab`. @default 30,000 */
  readonly navigationTimeoutMs: number
}

const NAVIGATIONS: ReadonlySet<Action['type']> = new Set(['goto_url', 'go_back', 'reload', 'new_tab'])

/**
 * The one door to a page: steps, handlers, agents and single actions all come through here.
 * In order: stop gate, scope, target and page, perform within its deadline, settle and scope again, stuck verdict, record.
 */
export class ActionRouter {
  readonly #clock: Clock
  readonly #ids: Ids
  readonly #timeouts: ActionTimeouts

  constructor(options: { readonly clock: Clock; readonly ids: Ids; readonly timeouts: ActionTimeouts }) {
    this.#clock = options.clock
    this.#ids = options.ids
    this.#timeouts = options.timeouts
  }

  /** Performs one action, whose texts are templates still. Never rejects: a failure is a result with its cause. */
  async execute(action: Action, context: ActionContext, place: ActionPlace): Promise<ActionResult> {
    const startedMs = this.#clock.monotonicMs()
    const { alternativeTarget = null, mustNotRepeat = false } = place
    const timeoutMs = this.#timeoutFor(action)
    const attempt = new ActionAttempt({ action, context, clock: this.#clock, timeoutMs, alternativeTarget, mustNotRepeat })
    const outcome = await attempt.run()
    const verdict = await watchForStuck(context, attempt.bound, outcome, this.#clock)
    const picture = await takeFailurePicture(context, place, outcome, this.#clock)
    const durationMs = this.#clock.monotonicMs() - startedMs
    const result = this.#result({ action, outcome, context, place, verdict, durationMs })
    record({ authored: action, bound: attempt.bound, asAuthored: attempt.asAuthored, result, context, place, picture })
    return result
  }

  /** The result of an action that was refused before its turn came: recorded as blocked, nothing is done. */
  refuse(action: Action, context: ActionContext, place: ActionPlace, error: ActionError): ActionResult {
    const message = String(context.texts.redact(`${describeAction(action)}: ${error.message}`))
    const refusal = new ActionError(message, { code: error.code, details: error.details, cause: error })
    const outcome: AttemptOutcome = { performed: {}, error: refusal, url: null, dialogs: [], page: null }
    const result = this.#result({ action, outcome, context, place, verdict: 'ok', durationMs: 0 })
    record({ authored: action, bound: action, asAuthored: action, result, context, place, picture: null })
    return result
  }

  #result({ action, outcome, context, place, verdict, durationMs }: ResultParams): ActionResult {
    return {
      actionId: this.#ids.next('act'),
      type: action.type,
      status: statusOf(outcome, context.signal),
      value: outcome.performed.value ?? null,
      error: outcome.error,
      ending: outcome.performed.ending ?? null,
      url: outcome.url,
      element: outcome.performed.element ?? null,
      dialogs: outcome.dialogs,
      recoveryUsed: place.recovery ?? null,
      verdict,
      dryRun: context.dryRun,
      durationMs,
    }
  }

  #timeoutFor(action: Action): number {
    if (action.type === 'wait') return action.waitSec * 1_000 + this.#timeouts.actionTimeoutMs
    return action.timeoutMs ?? (NAVIGATIONS.has(action.type) ? this.#timeouts.navigationTimeoutMs : this.#timeouts.actionTimeoutMs)
  }
}

interface ResultParams {
  readonly action: Action
  readonly outcome: AttemptOutcome
  readonly context: ActionContext
  readonly place: ActionPlace
  readonly verdict: StuckVerdict
  readonly durationMs: number
}

/** Under the key of the author's own target, whichever way led to the element: so it is found again by that key. */
function record(params: Omit<ActionRecordParams, 'targetKey'> & { readonly asAuthored: Action }): void {
  const { asAuthored, ...rest } = params
  const { context, result } = rest
  try {
    context.record(actionRecord({ ...rest, targetKey: targetKeyOf(asAuthored, context.texts) }), result)
  } catch {
    // what happened on the page has happened: a failing recorder changes nothing
  }
}

function statusOf({ error }: AttemptOutcome, signal: AbortSignal): ActionResult['status'] {
  if (error === null) return 'completed'
  if (error.code === 'ACTION_BLOCKED' || error.code === 'STUCK') return 'blocked'
  return signal.aborted ? 'canceled' : 'failed'
}
