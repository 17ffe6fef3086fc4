import type { IncomingHttpHeaders } from 'node:http'

/**
 * Whether the origin of an upgrade request may open a view: the same host as it was sent to, or one of the allowed ones.
 * A request without an Origin comes from no page; Origin protects pages' users, the token protects the view, so it passes.
 */
export function isOriginAllowed(headers: IncomingHttpHeaders, allowedOrigins: readonly string[]): boolean {
  const { origin, host } = headers
  if (origin === undefined) return true
  if (allowedOrigins.includes(origin)) return true
  if (host === undefined || !URL.canParse(origin)) return false // "null" among them: a sandboxed or file: page
  const page = new URL(origin)
  if (page.protocol !== 'http:' && page.protocol !== 'https:') return false
  const target = `${page.protocol}//${host}`
  return URL.canParse(target) && new URL(target).host === page.host
}
