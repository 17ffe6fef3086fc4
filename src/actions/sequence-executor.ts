import type { Action } from '../definition/index.js'
import type { ActionError } from '../errors/index.js'
import type { ActionContext } from './action-context.js'
import type { ActionEnding, ActionResult } from './action-result.js'
import type { ActionRouter } from './action-router.js'

/** What became of a list of actions. */
export interface SequenceResult {
  readonly results: readonly ActionResult[]
  /** The failure that ended the list; null when it went to its end. Failures with `onFailure: 'continue'` are in `results` only. */
  readonly failure: { readonly stepIndex: number; readonly error: ActionError } | null
  /** The `complete` or `terminate` step that ended the list; null when there was none. */
  readonly ending: ActionEnding | null
}

/** Performs lists of actions, in order, through the router. */
export class SequenceExecutor {
  readonly #router: ActionRouter

  constructor(router: ActionRouter) {
    this.#router = router
  }

  /** Stops at the first failure, unless that step says `onFailure: 'continue'`, and at a `complete` or `terminate` step. */
  async execute(steps: readonly Action[], context: ActionContext, firstIndex = 0): Promise<SequenceResult> {
    const results: ActionResult[] = []
    for (const [index, step] of steps.entries()) {
      const result = await this.#router.execute(step, context, { stepIndex: firstIndex + index })
      results.push(result)
      if (result.ending !== null) return { results, failure: null, ending: result.ending }
      const goesOn = result.error === null || (step.onFailure === 'continue' && result.status === 'failed')
      if (!goesOn && result.error !== null)
        return { results, failure: { stepIndex: firstIndex + index, error: result.error }, ending: null }
    }
    return { results, failure: null, ending: null }
  }
}
