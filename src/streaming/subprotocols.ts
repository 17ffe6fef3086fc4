import type { IncomingMessage } from 'node:http'

/**
 * The picture's WebSocket is pure RFB, so everything beside it travels in `Sec-WebSocket-Protocol`, which, unlike an address, no server logs.
 *
 * A page offers `binary`, `runwright.view`, `runwright.control`, and its secret as `runwright.token.<token>` or `runwright.ticket.<ticket>`.
 * With a token it also offers a ticket that it made itself (32 random bytes, base64url): the accepted socket makes it valid, in the same
 * commit that uses the token up. So no answer has to carry a secret, and a page whose first answer is lost on the way can still come back.
 * The gateway selects `runwright.view` or `runwright.control`, which tells the page what it may do; `binary` for stock noVNC; else none.
 */
export const subprotocols = {
  binary: 'binary',
  view: 'runwright.view',
  control: 'runwright.control',
  tokenPrefix: 'runwright.token.',
  ticketPrefix: 'runwright.ticket.',
} as const

/** 32 bytes in base64url. */
const SECRET = /^[A-Za-z0-9_-]{43}$/

/** The secrets that a request carries. */
export interface OfferedSecrets {
  readonly token: string | null
  readonly ticket: string | null
}

export function offeredProtocols(request: IncomingMessage): readonly string[] {
  return (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
}

/** Token from the offered protocols or, for clients that can set nothing else, from `?token=`; malformed ones count as none. */
export function offeredSecrets(request: IncomingMessage, query: URLSearchParams): OfferedSecrets {
  const offered = offeredProtocols(request)
  const named = (prefix: string) => offered.find((name) => name.startsWith(prefix))?.slice(prefix.length)
  return {
    token: wellFormed(named(subprotocols.tokenPrefix) ?? query.get('token')),
    ticket: wellFormed(named(subprotocols.ticketPrefix)),
  }
}

/** The protocol to select; false: none. */
export function selectProtocol(offered: ReadonlySet<string>, scope: 'view' | 'control' | null): string | false {
  if (scope !== null && offered.has(subprotocols[scope])) return subprotocols[scope]
  return offered.has(subprotocols.binary) ? subprotocols.binary : false
}

const wellFormed = (secret: string | null | undefined) => (secret && SECRET.test(secret) ? secret : null)
