import { BlockFailed, type Json } from '../errors/index.js'

/** What a handler returned, as JSON: undefined is null, dates are ISO texts. @throws {BlockFailed} `OUTPUT_NOT_JSON` */
export function toJsonOutput(value: unknown, what: string): Json {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' || typeof value === 'boolean') return value
  try {
    const text = JSON.stringify(value)
    if (text !== undefined) return JSON.parse(text) as Json
  } catch (cause) {
    throw new BlockFailed(`${what} returned what is not JSON: ${cause instanceof Error ? cause.message : cause}`, {
      code: 'OUTPUT_NOT_JSON',
      cause,
    })
  }
  throw new BlockFailed(`${what} returned a ${typeof value}, which is not JSON`, { code: 'OUTPUT_NOT_JSON' })
}
