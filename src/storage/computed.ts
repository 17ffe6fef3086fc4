import type { Computed } from './storage.js'

/** Whether a value of a `set`, a row or a condition is computed by the storage. JSON columns hold plain values only. */
export function isComputed(value: unknown): value is Computed {
  return typeof value === 'object' && value !== null && 'compute' in value && !(value instanceof Date)
}
