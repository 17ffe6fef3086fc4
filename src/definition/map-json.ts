import type { Json } from '../errors/index.js'
import { define } from './template-values.js'

/** What {@link mapJson} does with the parts of a value. */
export interface JsonMapping {
  /** Called with each text, number, boolean and null. */
  readonly scalar: (value: Json) => Json
  /** Called with each object key; without it, keys stay. Keys that would become the same get a number. */
  readonly key?: ((key: string) => string) | undefined
}

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null

/** A copy of a JSON value with other scalars and keys. Without recursion: data from a page may be nested as deeply as it likes. */
export function mapJson(value: Json, { scalar, key: mapKey = (key) => key }: JsonMapping): Json {
  if (!isContainer(value)) return scalar(value)
  const empty = (source: object): object => (Array.isArray(source) ? [] : {})
  const result = empty(value)
  const open: [source: object, target: object][] = [[value, result]]
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [source, target] = pair
    for (const [key, item] of Object.entries(source)) {
      if (item === undefined) continue
      const mapped = isContainer(item) ? empty(item) : scalar(item as Json)
      if (isContainer(item)) open.push([item, mapped as object])
      if (Array.isArray(target)) target.push(mapped)
      else define(target as Record<string, unknown>, freeKey({ target, source, key, mapped: mapKey(key) }), mapped)
    }
  }
  return result as Json
}

/** Whether some scalar or key of a JSON value is as asked. Without recursion. */
export function someJson(
  value: Json,
  tests: { readonly scalar: (value: Json) => boolean; readonly key: (key: string) => boolean },
): boolean {
  const open: unknown[] = [value]
  while (open.length > 0) {
    const current = open.pop()
    if (Array.isArray(current)) for (const item of current) open.push(item)
    else if (isContainer(current)) {
      for (const [key, item] of Object.entries(current)) {
        if (tests.key(key)) return true
        open.push(item)
      }
    } else if (current !== undefined && tests.scalar(current as Json)) return true
  }
  return false
}

/** Two keys that became the same one would lose a value. */
function freeKey({ target, source, key, mapped }: { target: object; source: object; key: string; mapped: string }): string {
  let free = mapped
  for (let number = 2; free !== key && (Object.hasOwn(target, free) || Object.hasOwn(source, free)); number += 1)
    free = `${mapped} ${number}`
  return free
}
