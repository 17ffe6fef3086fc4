import { parse } from 'tldts'
import { canonicalHost, isAddress, isWithin } from './hosts.js'

/** A host of a policy, ready to be compared. */
export interface HostEntry {
  readonly host: string
  /** Whether hosts below it are meant as well: not for addresses, nor for names without a dot. */
  readonly isWithSubdomains: boolean
}

/** A host of a policy, or why it cannot be one. Pure. */
export function parseHostEntry(raw: string): HostEntry | { readonly problem: string } {
  if (raw.includes('*')) return { problem: `write "${raw.replace(/^\*\.?/, '') || 'example.com'}": it stands for everything below it, too` }
  const host = canonicalHost(raw)
  if (host === null) return { problem: 'expected a host name or an address, without scheme, port or path' }
  if (isAddress(host)) return { host, isWithSubdomains: false }
  const { domain, isIcann, isPrivate } = parse(host, { allowPrivateDomains: true, extractHostname: false, validateHostname: false })
  if (domain !== null) return { host, isWithSubdomains: true }
  // under a public suffix everybody has hosts; a name that is on no list, such as `localhost`, is one machine of this network
  if (isIcann || isPrivate || host.includes('.')) return { problem: `"${host}" is a public suffix: it would stand for hosts of everybody` }
  return { host, isWithSubdomains: false }
}

/** Whether a canonical host is meant by an entry. */
export const isMeant = ({ host: entry, isWithSubdomains }: HostEntry, host: string): boolean =>
  isWithSubdomains ? isWithin(host, entry) : host === entry
