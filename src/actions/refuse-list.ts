import { type Action, type Playbook, type Step, toStep } from '../definition/index.js'
import { type ActionError, TemplateError } from '../errors/index.js'
import type { ActionContext } from './action-context.js'
import { bindAction } from './bind-action.js'
import { blocked } from './scope/refuse-action.js'

export interface RefuseListParams {
  readonly steps: readonly Step[]
  /** Every playbook that they call, at whatever depth. */
  readonly playbooks: ReadonlyMap<string, Playbook>
  readonly context: ActionContext
}

/** The first action of a list that its scope does not admit. */
export interface RefusedAction {
  readonly listIndex: number
  readonly playbook: string | null
  readonly action: Action
  readonly error: ActionError
}

/**
 * Holds a whole list to the scope, the playbooks that it calls included, before any of it is done. What a template in a playbook comes to
 * is known when it is called: there only the words that its author wrote out are judged; the rest is judged when its turn comes.
 */
export function refuseList({ steps, playbooks, context }: RefuseListParams): RefusedAction | null {
  const { scope, texts } = context
  if (scope === null) return null
  for (const list of [
    { steps, playbook: null },
    ...[...playbooks].map(([name, { steps }]) => ({ steps: steps.map(toStep), playbook: name })),
  ]) {
    for (const [listIndex, { action, assert }] of list.steps.entries()) {
      for (const one of [action, assert]) {
        if (one === null) continue
        const judged = list.playbook === null ? rendered(one, texts) : writtenOut(one)
        const refusal = judged === null ? null : scope.checkAction(judged)
        if (refusal !== null) return { listIndex, playbook: list.playbook, action: one, error: blocked(refusal) }
      }
    }
  }
  return null
}

/** Null: it cannot be rendered, which is found out again, and told, when its turn comes. */
function rendered(action: Action, texts: ActionContext['texts']): Action | null {
  try {
    return bindAction(action, (text) => texts.render(text))
  } catch (error) {
    if (!TemplateError.is(error)) throw error
    return null
  }
}

const isTemplate = (text: string) => /\{[{%#]/.test(text)

/** The action without an address that is a template still; its type is judged all the same. */
function writtenOut(action: Action): Action {
  return 'url' in action && action.url !== undefined && isTemplate(action.url) ? ({ ...action, url: 'about:blank' } as Action) : action
}
