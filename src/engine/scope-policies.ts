import { type Guardrail, parseScopePolicy, ScopeGuard } from '../actions/index.js'
import type { ScopePolicy, ScopePolicyInput } from '../definition/index.js'
import { InvalidArgumentError, type Json } from '../errors/index.js'
import type { Clock } from '../runtime/index.js'
import type { BlockedRequest } from '../sessions/index.js'

/** A policy as a host writes it for an organisation: guardrails may be functions here, as well as names of registered ones. */
export type OrganizationPolicy = Omit<ScopePolicyInput, 'guardrails'> & {
  readonly guardrails?: readonly (string | Guardrail)[] | undefined
}

/** The policy of every organisation, or the function that knows each one's; null: none. */
export type OrganizationPolicies = OrganizationPolicy | ((organizationId: string) => OrganizationPolicy | null)

export interface ScopePoliciesOptions {
  readonly organization: OrganizationPolicies | undefined
  /** Functions that policies may name. */
  readonly guardrails: Readonly<Record<string, Guardrail>>
  readonly clock: Clock
}

/** What is stored of a policy with a workflow or a run. */
type StoredPolicy = Readonly<Record<string, unknown>> | null

interface ResolvedPolicy {
  readonly policy: ScopePolicy
  readonly guardrails: readonly Guardrail[]
}

/** The policies of an engine: those of its organisations, and the guardrails that all may name. */
export class ScopePolicies {
  readonly #options: ScopePoliciesOptions
  readonly #ofAll: ResolvedPolicy | null

  /** @throws {InvalidArgumentError} for a policy that is none */
  constructor(options: ScopePoliciesOptions) {
    this.#options = options
    const { organization } = options
    this.#ofAll = organization === undefined || typeof organization === 'function' ? null : this.#resolve(organization, 'scopePolicy')
  }

  /**
   * The policy of a workflow or run, as it is stored; null: none.
   * @throws {InvalidArgumentError} for one that could not be held: a bad host, a guardrail that is not registered
   */
  parse(policy: ScopePolicyInput | null | undefined, path: string): Record<string, Json> | null {
    return policy == null ? null : (this.#resolve(policy, path).policy as unknown as Record<string, Json>)
  }

  /** Whether organisations may have policies of their own. */
  get isAnyOfOrganizations(): boolean {
    return this.#options.organization !== undefined
  }

  /** What a run acts under; null: nothing restricts it. @throws {InvalidArgumentError} for a policy that cannot be held */
  guardOf(params: {
    readonly organizationId: string
    readonly workflow: StoredPolicy
    readonly run: StoredPolicy
    readonly onBlocked: (request: BlockedRequest) => void
  }): ScopeGuard | null {
    const stored = (policy: StoredPolicy, path: string) => (policy === null ? [] : [this.#resolve(policy as ScopePolicyInput, path)])
    const all = [
      ...this.#ofOrganization(params.organizationId),
      ...stored(params.workflow, 'scopePolicy of the workflow'),
      ...stored(params.run, 'scopePolicy of the run'),
    ]
    if (all.length === 0) return null
    return new ScopeGuard({
      policies: all.map(({ policy }) => policy),
      guardrails: [...new Set(all.flatMap(({ guardrails }) => guardrails))],
      clock: this.#options.clock,
      onBlocked: params.onBlocked,
    })
  }

  #ofOrganization(organizationId: string): readonly ResolvedPolicy[] {
    const { organization } = this.#options
    if (typeof organization !== 'function') return this.#ofAll === null ? [] : [this.#ofAll]
    const policy = organization(organizationId)
    return policy === null ? [] : [this.#resolve(policy, `scopePolicy of organisation ${organizationId}`)]
  }

  #resolve({ guardrails = [], ...policy }: OrganizationPolicy, path: string): ResolvedPolicy {
    const names = guardrails.filter((guardrail) => typeof guardrail === 'string')
    const parsed = parseScopePolicy({ ...policy, guardrails: names }, path)
    return { policy: parsed, guardrails: guardrails.map((guardrail) => this.#guardrail(guardrail, `${path}.guardrails`)) }
  }

  #guardrail(guardrail: string | Guardrail, path: string): Guardrail {
    if (typeof guardrail === 'function') return guardrail
    const { guardrails } = this.#options
    const found = Object.hasOwn(guardrails, guardrail) ? guardrails[guardrail] : undefined
    if (found !== undefined) return found
    const expected = Object.keys(guardrails).join(', ') || 'none is registered'
    throw new InvalidArgumentError(`${path}: no guardrail "${guardrail}" is registered`, { path, expected, received: guardrail })
  }
}
