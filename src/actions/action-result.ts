import type { ActionType } from '../definition/index.js'
import type { ActionError, Json } from '../errors/index.js'
import type { ElementDescriptor, PageDialog } from '../sessions/ports.js'
import type { ActionRow } from '../storage/index.js'
import type { StuckVerdict } from './stuck-detector.js'

/** How an action came to be performed again. */
export type Recovery = 'retry' | 'alternative_target' | 'agent'

/** One performed action as it is written down, secrets as references. */
export type ActionRecord = Omit<ActionRow, 'organizationId' | 'createdAt'>

/** What became of one action. Failures are values: the router throws nothing but its caller's mistakes. */
export interface ActionResult {
  readonly actionId: string
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
  /** What was touched, with several ways to find it again; null: no element. */
  readonly element: ElementDescriptor | null
  /** Dialogs that the page showed meanwhile. */
  readonly dialogs: readonly PageDialog[]
  /** How it came to be made again; null: it is the first attempt. */
  readonly recoveryUsed: Recovery | null
  /** Whether the attempt gets nowhere, see `StuckDetector`. */
  readonly verdict: StuckVerdict
  /** Whether it was only checked. */
  readonly dryRun: boolean
  readonly durationMs: number
}

/** How a `complete` or `terminate` step ends its block. */
export type ActionEnding =
  | { readonly kind: 'complete' }
  | { readonly kind: 'terminate'; readonly reason: string | null; readonly errorCode: string | null }
