import ipaddr from 'ipaddr.js'

/** What no host name has; the URL parser would take some of it for the end of the host. */
const NOT_IN_A_HOST = /[\s/\\?#@%[\]]/

/**
 * The one form in which hosts are compared: lower case, ASCII (punycode), without a trailing dot; addresses in their usual notation,
 * IPv6 without brackets, whatever notation they came in (`2130706433`, `0x7f.1`, `127.1`). Null for what is no host.
 */
export function canonicalHost(raw: string): string | null {
  const bare = raw.startsWith('[') && raw.endsWith(']') ? raw.slice(1, -1) : raw
  if (bare === '' || NOT_IN_A_HOST.test(bare)) return null
  if (bare.includes(':')) return ipaddr.IPv6.isValid(bare) ? ipaddr.IPv6.parse(bare).toString() : null
  const text = `http://${bare}/`
  if (!URL.canParse(text)) return null
  const host = new URL(text).hostname.replace(/\.$/, '')
  return host === '' || host.split('.').includes('') ? null : host
}

/** Whether a canonical host is an address. */
export const isAddress = (host: string): boolean => host.includes(':') || ipaddr.IPv4.isValidFourPartDecimal(host)

/** Names that mean this machine or this network before any DNS is asked (RFC 6761, RFC 6762, and ICANN's reservation of `.internal`). */
const PRIVATE_NAMES = ['localhost', 'local', 'internal', 'localdomain', 'home.arpa'] as const

export const isPrivateName = (host: string): boolean => PRIVATE_NAMES.some((name) => isWithin(host, name))

/** Whether a canonical host is this one or below it. */
export const isWithin = (host: string, domain: string): boolean => host === domain || host.endsWith(`.${domain}`)

/** Of a public range, yet the machine's own: the platform's host in Azure, which hands out credentials. */
const PLATFORM_ADDRESSES: ReadonlySet<string> = new Set(['168.63.129.16'])

/**
 * Whether an address is one of the public internet. Everything else is refused with private networks: loopback, link-local, shared
 * (CGNAT), multicast, unspecified, reserved, and every IPv6 form that carries an IPv4 address (mapped, NAT64, 6to4, Teredo), as what
 * it leads to is another machine's decision. What is no address is not public.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  if (parsed.kind() === 'ipv4') return !PLATFORM_ADDRESSES.has(parsed.toString())
  return ((parsed as ipaddr.IPv6).parts[0] ?? 0) >> 13 === 1 // 2000::/3 is all that was ever given out
}
