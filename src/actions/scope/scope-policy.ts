import { type ScopePolicy, type ScopePolicyInput, scopePolicySchema } from '../../definition/index.js'
import { InvalidArgumentError, parseArgument } from '../../errors/index.js'
import { type HostEntry, isMeant, parseHostEntry } from './host-entry.js'
import { isAddress, isPrivateName, isPublicAddress } from './hosts.js'

/** Why a host may not be reached. */
export interface HostRefusal {
  readonly rule: 'host' | 'blocked_host' | 'private_network'
  readonly reason: string
}

/**
 * Reads a policy, defaults filled in.
 * @param path - where it stands, for the error
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for what is no policy, or names a host that no policy may name: a public suffix
 *   (`com`, `github.io`), a wildcard, an address with a port
 */
export function parseScopePolicy(input: ScopePolicyInput, path = 'scopePolicy'): ScopePolicy {
  const policy = parseArgument(scopePolicySchema, input, path)
  for (const list of ['allowedDomains', 'blockedDomains', 'relatedAuth'] as const) entriesOf(policy[list] ?? [], `${path}.${list}`)
  return policy
}

/** The hosts of one policy, ready to be asked. */
export class HostRules {
  readonly #allowed: readonly HostEntry[] | null
  readonly #blocked: readonly HostEntry[]
  readonly #allowsPrivateNetwork: boolean
  readonly #expected: string

  constructor({ allowedDomains, relatedAuth, blockedDomains, allowPrivateNetwork }: ScopePolicy) {
    this.#allowed = allowedDomains === undefined ? null : entriesOf([...allowedDomains, ...relatedAuth], 'allowedDomains')
    this.#blocked = entriesOf(blockedDomains, 'blockedDomains')
    this.#allowsPrivateNetwork = allowPrivateNetwork
    this.#expected = (allowedDomains ?? []).join(', ')
  }

  /** @param host - in canonical form */
  refuse(host: string): HostRefusal | null {
    const blocking = this.#blocked.find((entry) => isMeant(entry, host))
    if (blocking !== undefined)
      return { rule: 'blocked_host', reason: `${host} is blocked${host === blocking.host ? '' : ` with ${blocking.host}`}` }
    if (this.#allowed !== null && !this.#allowed.some((entry) => isMeant(entry, host))) {
      return { rule: 'host', reason: `${host} is not among the allowed domains (${this.#expected})` }
    }
    const isPrivate = isAddress(host) ? !isPublicAddress(host) : isPrivateName(host)
    return isPrivate && !this.#allowsPrivateNetwork ? privateRefusal(host) : null
  }

  /** Asked with an address that a name came to, in canonical form. */
  refuseAddress(host: string, address: string): HostRefusal | null {
    if (this.#blocked.some((entry) => isMeant(entry, address))) {
      return { rule: 'blocked_host', reason: `${host} leads to ${address}, which is blocked` }
    }
    return this.#allowsPrivateNetwork || isPublicAddress(address) ? null : privateRefusal(host, address)
  }
}

function privateRefusal(host: string, address = host): HostRefusal {
  const what = host === address ? host : `${host} leads to ${address}, which`
  return { rule: 'private_network', reason: `${what} is not of the public internet; private networks are not allowed` }
}

/** @throws {InvalidArgumentError} for one that no policy may name: left out, it would block nothing */
function entriesOf(hosts: readonly string[], path: string): HostEntry[] {
  return hosts.map((host, index) => {
    const entry = parseHostEntry(host)
    if (!('problem' in entry)) return entry
    const at = `${path}.${index}`
    throw new InvalidArgumentError(`${at}: ${entry.problem}`, {
      path: at,
      expected: 'a registrable domain, a host or an address',
      received: host,
    })
  })
}
