import type { Action, Target } from '../definition/index.js'
import type { ElementDescriptor } from '../sessions/ports.js'
import type { ActionContext } from './action-context.js'
import { targetKeyOf } from './action-record.js'
import type { ActionRouter } from './action-router.js'
import { bindAction } from './bind-action.js'

/** How long one other way to an element is tried, in milliseconds: the page has had the step's whole deadline already. */
const LOOK_TIMEOUT_MS = 500

export interface FindAlternativeParams {
  readonly router: ActionRouter
  /** As its author wrote it. */
  readonly action: Action
  readonly context: ActionContext
}

/**
 * Another way to the element of an action whose own target names nothing, or too much: of those that were recorded when the element was
 * last touched, the first under which exactly one element stands, and it is the same one. Looking passes every check that acting does; a
 * refusal ends the search. Null: there is none. Never rejects.
 */
export async function findAlternative({ router, action, context }: FindAlternativeParams): Promise<Target | null> {
  const known = await recall(action, context)
  if (known === null) return null
  const failed = JSON.stringify(known.target)
  const looking: ActionContext = { ...context, dryRun: true, record: () => {} }
  for (const target of known.element.targets) {
    if (JSON.stringify(target) === failed || context.signal.aborted) continue
    const place = { stepIndex: 0, alternativeTarget: target, pictureOnFailure: false }
    const found = await router.execute({ ...action, timeoutMs: LOOK_TIMEOUT_MS } as Action, looking, place)
    if (found.status === 'blocked') return null
    if (found.element === null || found.error !== null) continue
    const element = context.texts.redact(found.element as never) as unknown as ElementDescriptor
    if (isSameElement(known.element, element)) return target
  }
  return null
}

async function recall(action: Action, { texts, elements }: ActionContext) {
  try {
    const bound = bindAction(action, (text) => texts.render(text))
    const key = targetKeyOf(bound, texts)
    const element = key === null ? null : await elements.recall(key)
    return element === null ? null : { element, target: 'target' in bound ? texts.redact((bound.target ?? null) as never) : null }
  } catch {
    return null // a template that cannot be rendered has failed the step already
  }
}

/**
 * Whether an element that was found is the one that was recorded: the same kind of element with the same name or, where it had none, with
 * one stable mark of it. Its place in the page proves nothing: after a change something else may stand there. Pure.
 */
export function isSameElement(recorded: ElementDescriptor, found: ElementDescriptor): boolean {
  if (recorded.tag !== found.tag || recorded.role !== found.role) return false
  if (recorded.name !== null) return recorded.name === found.name
  const marks = new Set(recorded.targets.flatMap(markOf))
  return found.targets.flatMap(markOf).some((mark) => marks.has(mark))
}

/** What of an element stays the same when its page is changed around it. */
function markOf({ testId, label, placeholder, css }: Target): string[] {
  if (testId !== undefined) return [`testId ${testId}`]
  if (label !== undefined) return [`label ${label}`]
  if (placeholder !== undefined) return [`placeholder ${placeholder}`]
  return css !== undefined && /^#[A-Za-z][\w-]*$/.test(css) ? [`css ${css}`] : []
}
