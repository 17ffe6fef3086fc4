import type { Action } from '../definition/index.js'

/** Keys whose values are words of the grammar, patterns or the author's own remarks, never templates. */
const LITERAL_KEYS = new Set(['type', 'state', 'loadState', 'button', 'direction', 'onFailure', 'pattern', 'intention'])

/** The action with every text that is a template replaced by `map` of it. Pure. */
export function bindAction<T extends Action>(action: T, map: (text: string) => string): T {
  return bind(action, map) as T
}

function bind(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === 'string') return map(value)
  if (Array.isArray(value)) return value.map((item) => bind(item, map))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, LITERAL_KEYS.has(key) ? item : bind(item, map)]))
}
