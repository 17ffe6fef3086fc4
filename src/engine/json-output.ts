import { BlockFailed, type Json } from '../errors/index.js'

/** Deeper outputs are refused: loops wrap them, and a storage takes 500 levels. */
const MAX_DEPTH = 200

/** What a handler or a block gave, as JSON: undefined is null, dates are ISO texts. @throws {BlockFailed} `OUTPUT_NOT_JSON` */
export function toJsonOutput(value: unknown, what: string): Json {
  if (value === undefined || value === null) return null
  if (isJson(value, 0)) return value
  try {
    const text = JSON.stringify(value)
    const json = text === undefined ? undefined : (JSON.parse(text) as unknown)
    if (isJson(json, 0)) return json
  } catch (cause) {
    throw notJson(`${what} returned what is not JSON: ${cause instanceof Error ? cause.message : cause}`, cause)
  }
  throw notJson(`${what} returned a ${typeof value} that is not JSON, or is nested too deeply`)
}

const notJson = (message: string, cause?: unknown) => new BlockFailed(message, { code: 'OUTPUT_NOT_JSON', cause })

/** Whether a value is plain JSON already, and not too deep. */
function isJson(value: unknown, depth: number): value is Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || depth === MAX_DEPTH) return false
  if (Array.isArray(value)) return !value.includes(undefined) && value.every((item) => isJson(item, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  return Object.values(value).every((item) => isJson(item, depth + 1))
}
