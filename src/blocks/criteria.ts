import type { Criteria } from '../definition/index.js'
import { BlockFailed } from '../errors/index.js'
import type { BlockContext } from './block-context.js'

/** Whether a criterion holds; prompts need an agent. */
export function holds(criteria: Criteria, context: BlockContext): boolean {
  if (criteria.type === 'prompt')
    throw new BlockFailed('A prompt criterion needs an agent, and none is configured', { code: 'AGENT_REQUIRED' })
  return context.isTrue(criteria.expression)
}
