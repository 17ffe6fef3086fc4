import { ActionError } from '../errors/index.js'

/** An address as authors write it, made whole: a missing scheme becomes https (`localhost:8080` has none, `about:blank` has one). */
export function absoluteUrl(address: string): string {
  const trimmed = address.trim()
  const hasScheme = /^[a-z][a-z0-9+.-]*:/i.test(trimmed) && !/^[^/:]+:\d+([/?#]|$)/.test(trimmed)
  const url = hasScheme ? trimmed : `https://${trimmed}`
  if (trimmed !== '' && URL.canParse(url)) return url
  throw new ActionError(`"${address}" is not an address`, { code: 'NAVIGATION_FAILED', details: { url: address } })
}
