import { instant, instantOrNull, int, table, text, textOrNull } from '../columns.js'

/** How the state of a browser is kept: what sites stored, or the browser's whole user-data folder. */
export type ProfileKind = 'snapshot' | 'directory'

/** Saved browser state, from which sessions are made. Every write is a conditional one of the pool. */
export const browserProfiles = table({
  primaryKey: 'browserProfileId',
  columns: {
    /** This profile; made by its first save, and kept by the later ones. */
    browserProfileId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** As whoever saved it named it; unique among the organisation's profiles that are not deleted. */
    name: text(),
    /** How the state is kept; written by each save. */
    kind: text<ProfileKind>(),
    /** The artifact that holds the state; each save switches it to a new one. */
    artifactId: text(),
    /** Of that artifact, in bytes. */
    size: int(),
    /** The session whose state it is; null: it was not a session's. */
    sourceBrowserSessionId: textOrNull(),
    /** From 1, one more with each save. */
    version: int(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
    /** When it was last saved or deleted, by the storage's clock. */
    modifiedAt: instant(),
    /** Null: not deleted. */
    deletedAt: instantOrNull(),
  },
  unique: [{ name: 'browser_profiles_name', columns: ['organizationId', 'name'], where: { deletedAt: null } }],
  indexes: [['organizationId', 'createdAt']],
})
