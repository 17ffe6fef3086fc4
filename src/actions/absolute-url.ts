import { ActionError } from '../errors/index.js'

/** What may be opened. Everything else (`file:`, `chrome:`, `view-source:`, `javascript:`) would show the host's own side to a definition. */
const OPENABLE: ReadonlySet<string> = new Set(['http:', 'https:', 'about:', 'data:', 'blob:'])

/**
 * An address as authors write it, made whole: a missing scheme becomes https (`localhost:8080` has none, `about:blank` has one).
 * @param scope - the policies; `file:` is opened only where they allow it
 * @throws {ActionError} `NAVIGATION_FAILED` for what is no address, `ACTION_BLOCKED` for a scheme that is not opened
 */
export function absoluteUrl(address: string, scope: { readonly allowsFiles: boolean } | null = null): string {
  const trimmed = address.trim()
  const hasScheme = /^[a-z][a-z0-9+.-]*:/i.test(trimmed) && !/^[^/:]+:\d+([/?#]|$)/.test(trimmed)
  const url = hasScheme ? trimmed : `https://${trimmed}`
  if (trimmed === '' || !URL.canParse(url)) {
    throw new ActionError(`"${address}" is not an address`, { code: 'NAVIGATION_FAILED', details: { url: address } })
  }
  const { protocol } = new URL(url)
  if (OPENABLE.has(protocol) || (protocol === 'file:' && scope?.allowsFiles === true)) return url
  const expected = [...OPENABLE].join(' ')
  throw new ActionError(`${protocol} addresses are not opened; only ${expected}`, {
    code: 'ACTION_BLOCKED',
    details: { expected, received: protocol },
  })
}
