const TOKEN_PREFIX = 'runwright.token.'
const TICKET_PREFIX = 'runwright.ticket.'
const SCOPES = { 'runwright.view': 'view', 'runwright.control': 'control' }

/**
 * The secrets of one view. The token comes in the address's fragment and opens once; the ticket is made here, becomes valid
 * when the token opens, and brings the page back after a lost connection or a reload. Both travel as WebSocket protocols.
 */
export class Secrets {
  #storageKey
  #token
  #ticket
  #olderTicket

  constructor(browserSessionId) {
    this.#storageKey = `runwright.ticket.${browserSessionId}`
    this.#token = takeTokenFromAddress()
    const stored = sessionStorage.getItem(this.#storageKey)
    this.#ticket = this.#token ? newTicket() : stored
    this.#olderTicket = this.#token ? stored : null
    if (this.#ticket) sessionStorage.setItem(this.#storageKey, this.#ticket)
  }

  get isEmpty() {
    return !this.#ticket
  }

  /** The protocols to offer. */
  protocols() {
    const secrets = [this.#token && TOKEN_PREFIX + this.#token, this.#ticket && TICKET_PREFIX + this.#ticket]
    return [...Object.keys(SCOPES), 'binary', ...secrets.filter(Boolean)]
  }

  /** The token has opened a view; from now on the ticket does. */
  tokenUsed() {
    this.#token = null
  }

  /** The link was bad, but this tab has watched before: goes on with the ticket of then. */
  fallBack() {
    if (!this.#olderTicket) return false
    this.#token = null
    this.#ticket = this.#olderTicket
    this.#olderTicket = null
    sessionStorage.setItem(this.#storageKey, this.#ticket)
    return true
  }
}

/** What the server allows, from the protocol that it selected. */
export function scopeOf(protocol) {
  return SCOPES[protocol] ?? 'view'
}

/** Takes the token out of the address as well, so that it stays in no history and on no screenshot. */
function takeTokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (token) history.replaceState(null, '', location.pathname + location.search)
  return token
}

function newTicket() {
  const bytes = crypto.getRandomValues(new Uint8Array(32))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
