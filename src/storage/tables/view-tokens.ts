import { bool, instant, instantOrNull, table, text, textOrNull } from '../columns.js'

/** A token that opens one live view once, or the resume ticket that an opened view got. Only the hash is stored. */
export const viewTokens = table({
  primaryKey: 'viewTokenId',
  columns: {
    viewTokenId: text(),
    organizationId: text(),
    browserSessionId: text(),
    kind: text<'token' | 'ticket'>(),
    /** SHA-256 of the token, in hex. */
    tokenHash: text(),
    scope: text<'view' | 'control'>(),
    clipboard: bool(),
    /** The only origin from which it opens; null: any that the gateway allows. */
    origin: textOrNull(),
    userId: textOrNull(),
    /** By the storage's clock; null: a ticket whose socket is open. */
    expiresAt: instantOrNull(),
    /** When the token opened a view; null: not yet. */
    usedAt: instantOrNull(),
    revokedAt: instantOrNull(),
    createdAt: instant(),
  },
  unique: [{ name: 'view_tokens_hash', columns: ['tokenHash'] }],
  indexes: [['browserSessionId']],
})
