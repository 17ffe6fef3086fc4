import { bindAction, describeAction, type HandOverParams } from '../actions/index.js'
import type { Json } from '../errors/index.js'
import type { RunAgentParams } from './run-agent.js'

/** Most steps of an agent for one step of a list. */
const MAX_STEPS = 10

/** What an agent is asked for in the stead of a step that has failed: the goal of that step, and no more. */
export function handOverRequest({ step, action, error, context }: HandOverParams): RunAgentParams['request'] {
  const failure = context.texts.redact(`${error.code}: ${error.message}`)
  if (action === null) {
    const { name, parameters } = step.playbook ?? { name: 'unknown', parameters: {} }
    return { goal: `Do what the steps of "${name}" do`, payload: { parameters: parameters as Json, failure }, maxSteps: MAX_STEPS }
  }
  const bound = bindAction(action, (text) => context.texts.render(text))
  const { onFailure, idempotent, timeoutMs, ...wanted } = bound
  return { goal: action.intention ?? describeAction(bound), payload: { action: wanted as unknown as Json, failure }, maxSteps: MAX_STEPS }
}
