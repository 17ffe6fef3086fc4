import { InvalidArgumentError } from '../errors/index.js'
import type { RunTaskRequest } from './task-params.js'

/** Whether only an agent can do it. Pure. */
export function needsAgent({
  steps,
  navigationGoal,
  extraction,
}: Pick<RunTaskRequest, 'steps' | 'navigationGoal' | 'extraction'>): boolean {
  if (steps === undefined && navigationGoal !== undefined) return true
  return steps === undefined && extraction !== undefined && extraction.selectors === undefined
}

/**
 * The definition of a task: always one block. It is an `extraction` when nothing but reading is asked for. Pure.
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for a task that asks for nothing
 */
export function taskDefinition(request: RunTaskRequest): { readonly blocks: readonly object[] } {
  const { url, title, navigationGoal, steps, extraction } = request
  if (steps === undefined && navigationGoal === undefined) {
    if (extraction !== undefined) return { blocks: [given({ type: 'extraction', label: 'extraction', url, title, ...extraction })] }
    throw new InvalidArgumentError('runTask: a task needs navigationGoal, steps or extraction', {
      path: 'steps',
      expected: 'navigationGoal, steps or extraction',
      received: 'none of them',
    })
  }
  const { navigationPayload, completeCriterion, terminateCriterion, errorCodeMapping, maxSteps, totpIdentifier } = request
  const own = {
    navigationGoal,
    navigationPayload,
    steps,
    completeCriterion,
    terminateCriterion,
    errorCodeMapping,
    maxSteps,
    totpIdentifier,
  }
  const { selectors, schema, dataExtractionGoal } = extraction ?? {}
  // what the agent is to read is part of its goal: it is one piece of work
  const goal = [navigationGoal, steps === undefined ? dataExtractionGoal : undefined].filter((part) => part !== undefined).join('\n')
  const whole = goal === '' ? {} : { navigationGoal: goal }
  return { blocks: [given({ type: 'task', label: 'task', url, title, ...own, ...whole, selectors, schema })] }
}

/** Without what was not given. Pure. */
export function given(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
