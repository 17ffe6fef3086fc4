import type { Action } from '../../definition/index.js'
import { ActionError } from '../../errors/index.js'
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
