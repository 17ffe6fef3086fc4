import { z } from 'zod'
import { storableText } from './values.js'

/** Whether a text comes back from every storage as it was given; else two of them could become one. Pure. */
export function isStorableText(text: string): boolean {
  return storableText(text) === text
}

/** Ids and names that callers choose: 1 character to so many, by default 500; no NUL, and no half of a surrogate pair. */
export function givenText(maxLength = 500): z.ZodString {
  return z.string().min(1).max(maxLength).refine(isStorableText, { error: 'expected a text without NUL and lone surrogates' })
}
