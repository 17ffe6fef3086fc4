import { bindAction } from '../actions/index.js'
import { literalTemplate } from '../definition/index.js'
import { errandOf, type SingleAction } from './single-action-params.js'
import { given } from './task-definition.js'

/** Label of the one block of a single action. */
export const SINGLE_ACTION_LABEL = 'single_action'

/** The definition of a single action: one block; every text of a call is literal, those of a definition are templates. Pure. */
export function singleActionDefinition(single: SingleAction, url: string | undefined): { readonly blocks: readonly object[] } {
  const shared = { label: SINGLE_ACTION_LABEL, ...(url === undefined ? {} : { url: literalTemplate(url) }) }
  if (single.kind === 'deterministic')
    return { blocks: [{ type: 'action', ...shared, steps: [given(bindAction(single.action, literalTemplate))] }] }
  const { goal, payload, schema } = errandOf(single.action)
  const navigationGoal = literalTemplate(goal)
  const { maxSteps } = single.action
  const navigationPayload = payload === null ? undefined : literalDeep(payload)
  return { blocks: [given({ type: 'task', ...shared, navigationGoal, navigationPayload, maxSteps, schema: schema ?? undefined })] }
}

function literalDeep(value: unknown): unknown {
  if (typeof value === 'string') return literalTemplate(value)
  if (Array.isArray(value)) return value.map(literalDeep)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, literalDeep(item)]))
}
