import { z } from 'zod'

export const RELEASE_OUTCOMES = ['ok', 'tainted', 'broken'] as const
/** How a holder leaves a session: `tainted` and `broken` ones never go back into use. */
export type ReleaseOutcome = (typeof RELEASE_OUTCOMES)[number]

/** Arguments of `release`. */
export const releaseSchema = z.strictObject({
  /** @default 'ok' */
  outcome: z.enum(RELEASE_OUTCOMES).default('ok'),
  /** What the next holder is not to find; what is left out stays. */
  sanitize: z
    .strictObject({
      cookies: z.boolean().optional(),
      /** What sites have stored: localStorage, sessionStorage, IndexedDB, caches, service workers. */
      storage: z.boolean().optional(),
      /** Open pages; one empty page is left. */
      tabs: z.boolean().optional(),
    })
    .optional(),
})
