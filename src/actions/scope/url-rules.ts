import { canonicalHost } from './hosts.js'

/** What an address is, as far as a scope is concerned. */
export type UrlSubject =
  /** Shows nothing of anybody: an empty page, or the browser's own page about a failure. */
  | { readonly kind: 'empty' }
  /** Judged by its host. */
  | { readonly kind: 'host'; readonly host: string }
  | { readonly kind: 'file' }
  /** A document that its opener has written: judged like it, so admitted in frames only. */
  | { readonly kind: 'inline'; readonly scheme: string }
  | { readonly kind: 'refused'; readonly rule: 'scheme' | 'userinfo' | 'invalid_address'; readonly reason: string }

/** Of a tab that nothing has been loaded into, in Playwright's words and Chromium's; and the page about a navigation that failed. */
const EMPTY = /^(|:|about:blank([?#].*)?|about:srcdoc([?#].*)?|chrome-error:\/\/.*)$/i

/** Schemes whose address has a host. */
const WITH_HOST: ReadonlySet<string> = new Set(['http:', 'https:', 'ws:', 'wss:'])

/** Takes an address apart. Pure. */
export function subjectOf(url: string): UrlSubject {
  if (EMPTY.test(url)) return { kind: 'empty' }
  if (!URL.canParse(url)) return { kind: 'refused', rule: 'invalid_address', reason: 'it is no address' }
  const { protocol, username, password, hostname, pathname } = new URL(url)
  if (protocol === 'file:') return { kind: 'file' }
  if (protocol === 'data:') return { kind: 'inline', scheme: protocol }
  if (protocol === 'blob:') return blobSubject(pathname)
  if (!WITH_HOST.has(protocol)) return { kind: 'refused', rule: 'scheme', reason: `${protocol} addresses are not opened` }
  if (username !== '' || password !== '') {
    return { kind: 'refused', rule: 'userinfo', reason: 'an address with a user name in it looks like another one' }
  }
  const host = canonicalHost(hostname)
  return host === null ? { kind: 'refused', rule: 'invalid_address', reason: `${hostname} is no host` } : { kind: 'host', host }
}

/** A blob belongs to the origin that made it; one of an opaque origin (`blob:null/…`) was made in a `data:` document or a sandbox. */
function blobSubject(inner: string): UrlSubject {
  return inner.startsWith('null/') || inner === '' ? { kind: 'inline', scheme: 'blob:' } : subjectOf(inner)
}
