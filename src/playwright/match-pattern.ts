import { type Context, createContext, Script } from 'node:vm'

/** What one text may take; an engine of regular expressions that tracks back can take years. */
const TEXT_LIMIT_MS = 250
/** What all texts of one extraction may take together. */
const TOTAL_LIMIT_MS = 1_000
/** Of a longer text only the beginning is searched. */
export const MAX_SEARCHED_CHARS = 100_000

/** Below this, a pattern with one choice at most is quick on any text, and needs no watching (which costs about 0.3 ms). */
const SHORT_CHARS = 500

const SEARCH = new Script(`(() => {
  const startMs = Date.now()
  const match = new RegExp(pattern, 'u').exec(text)
  tookMs = Date.now() - startMs
  return match === null ? null : match.length > 1 ? (match[1] ?? null) : match[0]
})()`)

let cached: Context | null = null

/** The pattern took too long; the host was blocked no longer than the limit. */
export class PatternTooSlow {
  constructor(readonly limitMs: number) {}
}

/** Searches texts by patterns of the author; the texts are the page's, which may choose them so that a careless pattern never ends. */
export class PatternMatcher {
  #leftMs = TOTAL_LIMIT_MS

  /** The first group of a pattern, or the whole match when it has none; null where it does not fit. */
  match(text: string, pattern: string): string | null | PatternTooSlow {
    const searched = text.slice(0, MAX_SEARCHED_CHARS)
    if (searched.length <= SHORT_CHARS && (pattern.match(/[*+?{|]/g)?.length ?? 0) <= 1) return searchQuickly(searched, pattern)
    const limitMs = Math.min(TEXT_LIMIT_MS, this.#leftMs)
    if (limitMs <= 0) return new PatternTooSlow(TOTAL_LIMIT_MS)
    cached ??= createContext({})
    Object.assign(cached, { pattern, text: searched, tookMs: limitMs })
    try {
      return SEARCH.runInContext(cached, { timeout: limitMs }) as string | null
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return new PatternTooSlow(limitMs)
      throw error
    } finally {
      this.#leftMs -= Number(cached.tookMs)
      Object.assign(cached, { pattern: '', text: '' }) // the text is not kept
    }
  }
}

function searchQuickly(text: string, pattern: string): string | null {
  const match = new RegExp(pattern, 'u').exec(text)
  if (match === null) return null
  return match.length > 1 ? (match[1] ?? null) : match[0]
}
