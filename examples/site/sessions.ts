import { randomBytes } from 'node:crypto'
import type { ExportRequest } from './export.js'

export interface SiteSession {
  readonly token: string
  readonly username: string
  readonly exports: ExportRequest[]
}

export const sessionCookie = 'example_session'
/** Kept after signing out: fills in the user name at the next sign-in. */
export const rememberCookie = 'example_remember'

/** Signed-in browsers, in memory: a restart signs everybody out. */
export class SiteSessions {
  readonly #byToken = new Map<string, SiteSession>()

  open(username: string): SiteSession {
    const session = { token: randomBytes(24).toString('base64url'), username, exports: [] }
    this.#byToken.set(session.token, session)
    return session
  }

  find(cookies: ReadonlyMap<string, string>): SiteSession | undefined {
    return this.#byToken.get(cookies.get(sessionCookie) ?? '')
  }

  close(session: SiteSession | undefined): void {
    if (session) this.#byToken.delete(session.token)
  }
}

export function parseCookies(header: string | undefined): Map<string, string> {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim().split('='))
  return new Map(pairs.map(([name = '', ...value]) => [name, value.join('=')]))
}

/** @param maxAgeSeconds Without it, the cookie ends with the browser; 0 deletes it. */
export function cookieHeader(name: string, value: string, maxAgeSeconds?: number): string {
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax${maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`}`
}

/** Where sign-in leads afterwards: a path of this site, never another one. */
export function safeNext(next: string | null): string {
  const here = 'http://site.invalid'
  if (!next?.startsWith('/') || !URL.canParse(next, here)) return '/'
  const { origin, pathname, search, hash } = new URL(next, here)
  // '//elsewhere' as a path, which '/.//elsewhere' becomes, would name another host in a Location header.
  return origin === here && !pathname.startsWith('//') ? pathname + search + hash : '/'
}
