import { type Action, describeTarget } from '../definition/index.js'

/** One readable phrase for an action, for messages and timelines: `click button "Sign in"`. Values are left out. */
export function describeAction(action: Action): string {
  const target = 'target' in action && action.target !== undefined ? ` ${describeTarget(action.target)}` : ''
  const rest = 'url' in action && action.url !== undefined ? ` ${action.url}` : 'key' in action ? ` ${action.key}` : ''
  return `${action.type}${target}${rest}`
}
