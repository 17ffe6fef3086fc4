import type { Action } from '../definition/index.js'

/** Keys whose values are words of the grammar, patterns or the author's own remarks, never templates. */
const LITERAL_KEYS: ReadonlySet<string> = new Set([
  'type',
  'state',
  'loadState',
  'button',
  'direction',
  'onFailure',
  'pattern',
  'intention',
])
/** What is below these keys has keys of the author's own. */
const OWN_KEYS_BELOW: ReadonlySet<string> = new Set(['selectors', 'each'])
const NONE: ReadonlySet<string> = new Set()

/** The action with every text that is a template replaced by `map` of it. Pure. */
export function bindAction<T extends Action>(action: T, map: (text: string) => string): T {
  return bind(action, map, LITERAL_KEYS) as T
}

function bind(value: unknown, map: (text: string) => string, literal: ReadonlySet<string>): unknown {
  if (typeof value === 'string') return map(value)
  if (Array.isArray(value)) return value.map((item) => bind(item, map, literal))
  if (typeof value !== 'object' || value === null) return value
  const bound = Object.entries(value).map(([key, item]) => {
    if (literal.has(key)) return [key, item]
    return [key, bind(item, map, literal === LITERAL_KEYS && OWN_KEYS_BELOW.has(key) ? NONE : LITERAL_KEYS)]
  })
  return Object.fromEntries(bound)
}
