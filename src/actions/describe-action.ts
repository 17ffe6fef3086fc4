import type { Action, Target } from '../definition/index.js'

/** One readable phrase for an action, for messages and timelines: `click button "Sign in"`. Values are left out. */
export function describeAction(action: Action): string {
  const target = 'target' in action && action.target !== undefined ? ` ${describeTarget(action.target)}` : ''
  const rest = 'url' in action && action.url !== undefined ? ` ${action.url}` : 'key' in action ? ` ${action.key}` : ''
  return `${action.type}${target}${rest}`
}

/** One readable phrase for a target: `button "Sign in"`, `label "Password"`, `css #total`. */
export function describeTarget(target: Target): string {
  const where = target.frame === undefined ? '' : ` in frame ${[target.frame].flat().join(' > ')}`
  const which = target.nth === undefined ? '' : ` (match ${target.nth})`
  if (target.role !== undefined) return `${target.role}${target.name === undefined ? '' : ` "${target.name}"`}${which}${where}`
  for (const key of ['label', 'placeholder', 'testId', 'text'] as const) {
    if (target[key] !== undefined) return `${key} "${target[key]}"${which}${where}`
  }
  return `${target.css === undefined ? 'xpath' : 'css'} ${target.css ?? target.xpath}${which}${where}`
}
