import { instant, instantOrNull, int, table, text, textOrNull } from '../columns.js'

/** What a lease is about. */
export type LeasePurpose = 'lane' | 'script' | 'control'

/**
 * Rights that only one may have at a time and that belong to no other row. A lane is held by its run from the claim to the terminal commit,
 * which deletes the row: it never expires.
 */
export const leases = table({
  primaryKey: 'leaseId',
  columns: {
    /** What is held: the name of a lane, as runs have it in `sequentialLane` and `sessionLane`. */
    leaseId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** What kind of right it is. */
    purpose: text<LeasePurpose>(),
    /** Who has it; of a lane the run. Null: nobody. */
    leaseHolder: textOrNull(),
    /** One more each time it changes hands; of a lane always 1. */
    leaseFence: int(),
    /** By the storage's clock; null: it does not expire. */
    leaseExpiresAt: instantOrNull(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
  },
})

/**
 * A process that runs an engine, while it does. Written by `start()` and deleted by `stop()`; whoever has something to tell it changes the
 * row, and the storage wakes it. Who is alive is said by leases, never by this.
 */
export const hosts = table({
  primaryKey: 'hostId',
  columns: {
    /** The process, as `leaseHolder` of runs has it. */
    hostId: text(),
    /** Empty: a host serves every organisation. */
    organizationId: text(),
    /** How often it was told to look. */
    signals: int(),
    /** When it was started, by the storage's clock. */
    createdAt: instant(),
    /** When the row was last written, by the storage's clock. */
    modifiedAt: instant(),
  },
  indexes: [['modifiedAt']],
})
