import { TemplateReference } from './template-values.js'

/** Splits a dotted path: `rows.0.name` and `rows[0].name` alike. Undefined when it is none. */
export function parsePath(path: string): readonly string[] | undefined {
  const text = path.trim()
  if (!/^[^.[\]]+(?:\.[^.[\]]+|\[\d+\])*$/.test(text)) return undefined
  return text.replaceAll(/\[(\d+)\]/g, '.$1').split('.')
}

/** Follows keys into JSON data: own properties and list indexes only, so that no prototype is reached. Undefined where nothing is. */
export function readPath(value: unknown, keys: readonly string[]): unknown {
  let current = value
  for (const key of keys) {
    if (typeof current !== 'object' || current === null) return undefined
    if (current instanceof TemplateReference) current = current.members.get(key)
    else if (Array.isArray(current)) current = /^\d+$/.test(key) ? current[Number(key)] : undefined
    else current = Object.hasOwn(current, key) ? (current as Record<string, unknown>)[key] : undefined
  }
  return current
}
