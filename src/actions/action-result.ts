import type { ActionType } from '../definition/index.js'
import type { ActionError, Json } from '../errors/index.js'

/** What became of one action. Failures are values: the router throws nothing but its caller's mistakes. */
export interface ActionResult {
  readonly type: ActionType
  readonly status: 'completed' | 'failed' | 'blocked' | 'canceled'
  /** What the action gave: extracted data, a screenshot's artifact id, where a navigation ended; null for most. */
  readonly value: Json
  /** Set when the status is not `completed`. */
  readonly error: ActionError | null
  /** Whether the action asks its list to end, and how. */
  readonly ending: ActionEnding | null
  /** The page's address afterwards; null without a page. */
  readonly url: string | null
  readonly durationMs: number
}

/** How a `complete` or `terminate` step ends its block. */
export type ActionEnding =
  | { readonly kind: 'complete' }
  | { readonly kind: 'terminate'; readonly reason: string | null; readonly errorCode: string | null }
