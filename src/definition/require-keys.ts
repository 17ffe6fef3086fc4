import type { z } from 'zod'

/** How many of some optional keys an object must set. */
export type KeyCount = 'exactly one' | 'at least one' | 'at most one'

/**
 * Makes an object schema demand a number of its optional keys. The rule is checked even where other keys have the wrong shape,
 * so that one mistake does not hide the other.
 *
 * @param schema - the object schema
 * @param count - how many of `keys` must be present
 * @param keys - keys that are optional one by one
 */
export function requireKeys<T extends z.ZodObject>(schema: T, count: KeyCount, keys: readonly (keyof z.input<T> & string)[]): T {
  const expected = `${count} of ${keys.join(', ')}`
  return schema.refine((value) => !isObject(value) || fits(count, present(value, keys).length), {
    when: () => true,
    error: ({ input }) => {
      const found = isObject(input) ? present(input, keys) : []
      return `expected ${expected}, found ${found.length === 0 ? 'none' : found.join(', ')}`
    },
    params: { expected },
  })
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const present = (value: Record<string, unknown>, keys: readonly string[]) =>
  keys.filter((key) => Object.hasOwn(value, key) && value[key] !== undefined)

const fits = (count: KeyCount, found: number) =>
  count === 'exactly one' ? found === 1 : count === 'at least one' ? found >= 1 : found <= 1
