import type { Action } from '../../definition/index.js'
import type { BlockedRequest, NetworkPolicy, NetworkRefusal } from '../../sessions/ports.js'

/** Why an action or an address was refused. */
export interface ScopeRefusal extends NetworkRefusal {
  /** The address in question; left out where it is not about one. */
  readonly url?: string
}

/** What a guardrail is asked about; secrets in it are placeholders, `{{ KEY.password }}`. */
export interface GuardrailRequest {
  readonly organizationId: string
  readonly workflowRunId: string
  readonly blockLabel: string
  readonly action: Action
  /** The page that the action would touch; null before there is one. */
  readonly page: { readonly url: string } | null
  readonly signal: AbortSignal
}

/** What a guardrail says. */
export type GuardrailVerdict = { readonly allow: true } | { readonly allow: false; readonly reason: string }

/**
 * A function of the host that may refuse an action. One that throws, or takes longer than 10 seconds, refuses: who guards must not fail
 * open.
 */
export type Guardrail = (request: GuardrailRequest) => GuardrailVerdict | Promise<GuardrailVerdict>

/** The policies under which a run acts, as the router and the network ask them. Every method is pure but `review`. */
export interface ActionScope {
  /** Selectors of all policies. */
  readonly blinders: readonly string[]
  /** Whether `file:` addresses may be opened. */
  readonly allowsFiles: boolean
  /** For the proxy of the run's browser. */
  readonly network: NetworkPolicy
  /** Whether the action's type, and every address in it, is admitted. Its templates are rendered. */
  checkAction(action: Action): ScopeRefusal | null
  /** Whether a page, or a frame of one, may show this address. */
  checkUrl(url: string, kind: 'page' | 'frame'): ScopeRefusal | null
  /** Asks every guardrail, in order. */
  review(request: GuardrailRequest): Promise<ScopeRefusal | null>
  /** How many requests were refused so far. */
  readonly blockedCount: number
  /** The requests that were refused after the first `count` ones; of very many only the last. */
  blockedSince(count: number): readonly BlockedRequest[]
}
