import type { LookupAddress } from 'node:dns'
import { lookup as dnsLookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { canonicalHost, isPrivateName, isPublicAddress } from '../../actions/index.js'

/** All addresses of a name. */
export type Lookup = (name: string) => Promise<readonly LookupAddress[]>

/** The machine's own resolver, `/etc/hosts` included. */
export const systemLookup: Lookup = (name) => dnsLookup(name, { all: true })

/** The addresses that a delivery may connect to, or why there are none. */
export type ReceiverAddresses = { readonly addresses: readonly LookupAddress[] } | { readonly refusal: string }

/**
 * Where a host leads. The connection is made to these addresses and not by name, so that a name that answers differently a second time
 * gains nothing. Of a name with several addresses the public ones are used.
 * @param host - as `URL.hostname` gives it
 */
export async function receiverAddresses(host: string, options: { allowPrivate: boolean; lookup: Lookup }): Promise<ReceiverAddresses> {
  const canonical = canonicalHost(host)
  if (canonical === null) return { refusal: `${host} is no host` }
  const family = isIP(canonical)
  if (family === 0 && !options.allowPrivate && isPrivateName(canonical)) return { refusal: refusalOf(canonical) }
  const found = family === 0 ? await options.lookup(canonical) : [{ address: canonical, family }]
  const addresses = options.allowPrivate ? found : found.filter(({ address }) => isPublicAddress(address))
  return addresses.length === 0 ? { refusal: refusalOf(canonical) } : { addresses }
}

const refusalOf = (host: string) => `${host} is not at an address of the public internet`
