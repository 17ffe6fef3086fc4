import { promisify } from 'node:util'
import { gunzip, gzip, gzipSync } from 'node:zlib'
import { z } from 'zod'
import { ProfileUnreadableError } from '../../errors/index.js'
import type { BrowserState } from '../browser-state.js'

/** Largest state that is read, unpacked: a few bytes of gzip can stand for gigabytes. */
const MAX_STATE_BYTES = 512 * 1024 * 1024
/** Up to so many characters, packing takes less time than a trip to the thread pool. */
const SMALL_STATE = 32_768
const FORMAT = 'runwright.browser-state'

const stateSchema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(1),
  cookies: z.array(
    z.object({
      name: z.string(),
      value: z.string(),
      domain: z.string(),
      path: z.string(),
      expires: z.number(),
      httpOnly: z.boolean(),
      secure: z.boolean(),
      sameSite: z.enum(['Strict', 'Lax', 'None']),
      partitionKey: z.string().optional(),
    }),
  ),
  origins: z.array(z.looseObject({ origin: z.string() })),
  sessionStorage: z.array(z.object({ origin: z.string(), items: z.array(z.tuple([z.string(), z.string()])) })),
  knownOrigins: z.array(z.string()),
})

/** A state as text. Pure. */
export function stateToText(state: BrowserState): string {
  return JSON.stringify({ format: FORMAT, version: 1, ...state })
}

/**
 * A state out of its text.
 * @throws {ProfileUnreadableError} `PROFILE_UNREADABLE` for anything that `stateToText` did not write
 */
export function stateFromText(text: string, what: string): BrowserState {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new ProfileUnreadableError(what, 'it is no JSON', cause)
  }
  const parsed = stateSchema.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new ProfileUnreadableError(what, `${issue?.path.join('.') || 'its content'}: ${issue?.message}`, parsed.error)
  }
  const { format: _format, version: _version, ...state } = parsed.data
  return state as BrowserState
}

/** A state as it is stored without a user-data folder: gzipped JSON. */
export async function packState(state: BrowserState): Promise<Buffer> {
  const text = stateToText({ ...state, knownOrigins: [] })
  return text.length <= SMALL_STATE ? gzipSync(text) : promisify(gzip)(text)
}

/** @throws {ProfileUnreadableError} `PROFILE_UNREADABLE` */
export async function unpackState(bytes: Uint8Array, what: string): Promise<BrowserState> {
  let text: Buffer
  try {
    text = await promisify(gunzip)(bytes, { maxOutputLength: MAX_STATE_BYTES })
  } catch (cause) {
    throw new ProfileUnreadableError(what, 'it is not gzipped, cut off, or too large', cause)
  }
  return stateFromText(text.toString('utf8'), what)
}
