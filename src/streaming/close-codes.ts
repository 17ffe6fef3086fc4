/** Codes with which the gateway closes a viewer's WebSocket; a page reads them, and so does a user, as text. */
export const closeCodes = {
  /** A text frame: the picture's socket is binary. */
  unsupportedData: 1003,
  /** The client left the RFB protocol. */
  protocolViolation: 1008,
  /** The display did not answer. */
  upstream: 1011,
  /** The display is being restarted; come back with the ticket. */
  restarting: 1012,
  /** Missing, unknown, used, expired or revoked token. */
  token: 4401,
  /** A token for another origin. */
  forbidden: 4403,
  /** The session is unknown here, or has no display now. */
  unknownSession: 4404,
  /** The same viewer opened its view again. */
  replaced: 4408,
  /** This host is closing. */
  closing: 4409,
  /** The session has ended; there is nothing to come back to. */
  sessionEnded: 4410,
  /** As many viewers as a session may have. */
  tooManyViewers: 4429,
} as const

/** A WebSocket close code of the live view, see {@link closeCodes}. */
export type CloseCode = (typeof closeCodes)[keyof typeof closeCodes]

/** Why a viewer was not let in. */
export interface Refusal {
  readonly code: CloseCode
  /** Short text for the close frame; at most 123 bytes, and no secret. */
  readonly reason: string
}
