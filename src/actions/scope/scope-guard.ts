import type { Action, ScopePolicy } from '../../definition/index.js'
import { ActionError } from '../../errors/index.js'
import { type Clock, systemClock } from '../../runtime/index.js'
import type { BlockedRequest, NetworkPolicy, NetworkRefusal } from '../../sessions/ports.js'
import { absoluteUrl } from '../absolute-url.js'
import type { ActionScope, Guardrail, GuardrailRequest, ScopeRefusal } from './action-scope.js'
import { askGuardrail } from './ask-guardrail.js'
import { canonicalHost } from './hosts.js'
import { HostRules } from './scope-policy.js'
import { subjectOf } from './url-rules.js'

export interface ScopeGuardOptions {
  /** Each of them has to admit an action. */
  readonly policies: readonly ScopePolicy[]
  /** Functions of the host, asked in this order. */
  readonly guardrails?: readonly Guardrail[]
  readonly clock?: Clock
  /** Told of every request that was refused. */
  readonly onBlocked?: (request: BlockedRequest) => void
}

/** So many refused requests are remembered. */
const REMEMBERED = 200
/** So many answers about hosts are kept: pages ask for the same few again and again. */
const KEPT_ANSWERS = 1_000

/** The policies of organisation, workflow and run: what may be done, and where. */
export class ScopeGuard implements ActionScope {
  readonly blinders: readonly string[]
  readonly allowsFiles: boolean
  readonly network: NetworkPolicy
  readonly #rules: readonly HostRules[]
  readonly #allowedActions: readonly ReadonlySet<string>[]
  readonly #guardrails: readonly Guardrail[]
  readonly #clock: Clock
  readonly #blocked: BlockedRequest[] = []
  /** By host, and by host and address: policies never change. */
  readonly #answers = new Map<string, NetworkRefusal | null>()
  #blockedCount = 0

  /** @throws {InvalidArgumentError} for a policy that names what no policy may name */
  constructor({ policies, guardrails = [], clock = systemClock, onBlocked }: ScopeGuardOptions) {
    this.blinders = [...new Set(policies.flatMap((policy) => policy.blinders))]
    this.allowsFiles = policies.length > 0 && policies.every((policy) => policy.allowFileUrls)
    this.#rules = policies.map((policy) => new HostRules(policy))
    this.#allowedActions = policies.flatMap(({ allowedActions }) => (allowedActions === undefined ? [] : [new Set(allowedActions)]))
    this.#guardrails = guardrails
    this.#clock = clock
    this.network = {
      check: ({ host, address }) =>
        this.#answer(address === undefined ? host : `${host} ${address}`, () => this.#checkTarget(host, address)),
      onBlocked: (request) => {
        this.#remember(request)
        onBlocked?.(request)
      },
    }
  }

  get blockedCount(): number {
    return this.#blockedCount
  }

  blockedSince(count: number): readonly BlockedRequest[] {
    const since = Math.min(this.#blockedCount - count, this.#blocked.length)
    return since <= 0 ? [] : this.#blocked.slice(-since)
  }

  checkAction(action: Action): ScopeRefusal | null {
    if (this.#allowedActions.some((types) => !types.has(action.type))) {
      return { rule: 'action_type', reason: `${action.type} is not among the allowed actions` }
    }
    const address = addressOf(action)
    return address === null ? null : this.#checkAddress(address)
  }

  checkUrl(url: string, kind: 'page' | 'frame'): ScopeRefusal | null {
    const subject = subjectOf(url)
    switch (subject.kind) {
      case 'empty':
        return null
      case 'host': {
        const refusal = this.#answer(subject.host, () => this.#checkTarget(subject.host, undefined))
        return refusal === null ? null : { ...refusal, url: shortened(url) }
      }
      case 'inline':
        return kind === 'frame'
          ? null
          : { rule: 'scheme', reason: `${subject.scheme} addresses are not opened as pages`, url: shortened(url) }
      case 'file': // a page of the web has no business in the host's files, whatever pages may
        return kind === 'page' && this.allowsFiles
          ? null
          : { rule: 'scheme', reason: 'file: addresses are not opened', url: shortened(url) }
      case 'refused':
        return { rule: subject.rule, reason: subject.reason, url: shortened(url) }
    }
  }

  async review(request: GuardrailRequest): Promise<ScopeRefusal | null> {
    for (const guardrail of this.#guardrails) {
      const reason = await askGuardrail(guardrail, request, this.#clock)
      if (reason !== null) return { rule: 'guardrail', reason, ...(request.page === null ? {} : { url: shortened(request.page.url) }) }
    }
    return null
  }

  /** An address as an author wrote it. What is none is left to whoever opens it: it fails there. */
  #checkAddress(address: string): ScopeRefusal | null {
    try {
      return this.checkUrl(absoluteUrl(address, this), 'page')
    } catch (error) {
      if (!(error instanceof ActionError) || error.code !== 'ACTION_BLOCKED') return null
      return { rule: 'scheme', reason: error.message, url: shortened(address) }
    }
  }

  /** @param host - in canonical form */
  #checkHost(host: string): NetworkRefusal | null {
    for (const rules of this.#rules) {
      const refusal = rules.refuse(host)
      if (refusal !== null) return refusal
    }
    return null
  }

  #answer(about: string, decide: () => NetworkRefusal | null): NetworkRefusal | null {
    const known = this.#answers.get(about)
    if (known !== undefined) return known
    const answer = decide()
    if (this.#answers.size >= KEPT_ANSWERS) this.#answers.clear()
    this.#answers.set(about, answer)
    return answer
  }

  #checkTarget(raw: string, address: string | undefined): NetworkRefusal | null {
    const host = canonicalHost(raw)
    if (host === null) return { rule: 'invalid_address', reason: `${shortened(raw)} is no host` }
    const refusal = this.#checkHost(host)
    if (refusal !== null || address === undefined) return refusal
    const canonical = canonicalHost(address)
    if (canonical === null) return { rule: 'invalid_address', reason: `${shortened(address)} is no address` }
    for (const rules of this.#rules) {
      const refused = rules.refuseAddress(host, canonical)
      if (refused !== null) return refused
    }
    return null
  }

  #remember(request: BlockedRequest): void {
    this.#blockedCount += 1
    this.#blocked.push(request)
    if (this.#blocked.length > REMEMBERED) this.#blocked.shift()
  }
}

/** The address that an action would open; null: none. */
function addressOf(action: Action): string | null {
  return action.type === 'goto_url' || action.type === 'new_tab' ? (action.url ?? null) : null
}

/** Addresses in errors and events are for reading: a `data:` one may have megabytes. */
const shortened = (url: string) => (url.length > 2_000 ? `${url.slice(0, 2_000)}…` : url)
