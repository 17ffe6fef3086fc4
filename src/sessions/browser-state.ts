import type { Json } from '../errors/index.js'

/** A cookie as a browser keeps it. */
export interface StateCookie {
  readonly name: string
  readonly value: string
  /** With a leading dot: of its subdomains too. */
  readonly domain: string
  readonly path: string
  /** In seconds since 1970; -1: it ends with the browser. */
  readonly expires: number
  readonly httpOnly: boolean
  readonly secure: boolean
  readonly sameSite: 'Strict' | 'Lax' | 'None'
  /** The site under which a partitioned cookie was set. */
  readonly partitionKey?: string | undefined
}

/** What an origin keeps in a browser, in the words of the driver that wrote it: localStorage and IndexedDB. */
export interface OriginState {
  readonly origin: string
  readonly [what: string]: Json
}

/** What an origin keeps in a tab. */
export interface TabStorage {
  readonly origin: string
  readonly items: readonly (readonly [key: string, value: string])[]
}

/**
 * What sites have stored in a browser, without the browser. It holds sign-ins: whoever has it is the user.
 */
export interface BrowserState {
  readonly cookies: readonly StateCookie[]
  readonly origins: readonly OriginState[]
  /** Of the documents that were open, and of those restored and not visited since. */
  readonly sessionStorage: readonly TabStorage[]
  /** Origins whose storage lies in the user-data folder that goes with this state. */
  readonly knownOrigins: readonly string[]
}

/** What a user-data folder does not hold: cookies that end with the browser, and what tabs kept. */
export function besideDirectory(state: BrowserState): BrowserState {
  return {
    cookies: state.cookies.filter((cookie) => cookie.expires === -1),
    origins: [],
    sessionStorage: state.sessionStorage,
    knownOrigins: [...new Set([...state.origins.map(({ origin }) => origin), ...state.knownOrigins])],
  }
}
