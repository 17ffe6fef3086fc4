import type { Action } from '../definition/index.js'
import type { Clock, Ids } from '../runtime/index.js'
import { ActionAttempt, type AttemptOutcome } from './action-attempt.js'
import type { ActionContext, ActionPlace } from './action-context.js'
import { actionRecord, targetKeyOf } from './action-record.js'
import type { ActionResult } from './action-result.js'
import { takeFailurePicture } from './failure-picture.js'
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
    const attempt = new ActionAttempt({ action, context, clock: this.#clock, timeoutMs: this.#timeoutFor(action) })
    const outcome = await attempt.run()
    const verdict = await watchForStuck(context, attempt.bound, outcome, this.#clock)
    const picture = await takeFailurePicture(context, place, outcome, this.#clock)
    const result: ActionResult = {
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
      durationMs: this.#clock.monotonicMs() - startedMs,
    }
    try {
      const targetKey = targetKeyOf(attempt.bound, context.texts)
      context.record(actionRecord({ authored: action, bound: attempt.bound, result, context, place, picture, targetKey }))
    } catch {
      // what happened on the page has happened: a failing recorder changes nothing
    }
    return result
  }

  #timeoutFor(action: Action): number {
    if (action.type === 'wait') return action.waitSec * 1_000 + this.#timeouts.actionTimeoutMs
    return action.timeoutMs ?? (NAVIGATIONS.has(action.type) ? this.#timeouts.navigationTimeoutMs : this.#timeouts.actionTimeoutMs)
  }
}

function statusOf({ error }: AttemptOutcome, signal: AbortSignal): ActionResult['status'] {
  if (error === null) return 'completed'
  if (error.code === 'ACTION_BLOCKED' || error.code === 'STUCK') return 'blocked'
  return signal.aborted ? 'canceled' : 'failed'
}
