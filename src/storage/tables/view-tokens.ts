import { bool, instant, instantOrNull, table, text, textOrNull } from '../columns.js'

/** A token that opens one live view once, or the resume ticket that an opened view got. Only the hash is stored. */
export const viewTokens = table({
  primaryKey: 'viewTokenId',
  columns: {
    /** This token or ticket. */
    viewTokenId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** The session that it opens. */
    browserSessionId: text(),
    /** A token is in a link; a ticket belongs to a viewer that has come in. */
    kind: text<'token' | 'ticket'>(),
    /** SHA-256 of the token, in hex. */
    tokenHash: text(),
    /** Whether the viewer may only watch. */
    scope: text<'view' | 'control'>(),
    /** Whether it may reach the clipboard. */
    clipboard: bool(),
    /** The only origin from which it opens; null: any that the gateway allows. */
    origin: textOrNull(),
    /** The host's own name for who watches; null: not said. */
    userId: textOrNull(),
    /** By the storage's clock; null: a ticket whose socket is open. */
    expiresAt: instantOrNull(),
    /** When the token opened a view; null: not yet. */
    usedAt: instantOrNull(),
    /** When it was revoked; null: it was not. */
    revokedAt: instantOrNull(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
  },
  unique: [{ name: 'view_tokens_hash', columns: ['tokenHash'] }],
  indexes: [['browserSessionId']],
})
