import type { Logger } from '../../runtime/index.js'
import { type Changes, type HostRow, increment, type Storage, storageNow, type Write } from '../../storage/index.js'

/** In milliseconds. */
const HOUR_MS = 3_600_000
/** A row that nobody has written for so long is of a process that died. */
const STALE_AFTER_MS = 24 * HOUR_MS
const REFRESH_EVERY_MS = HOUR_MS
const STALE_LIMIT = 100

/**
 * Tells a host to look at once for what its heartbeat brings back: a write for the commit that asks something of it. A host that is gone,
 * or that has no row, hears nothing, and nothing is refused.
 */
export function signalHost(hostId: string): Write {
  return { op: 'updateAll', table: 'hosts', rows: [{ id: hostId }], set: { signals: increment(), modifiedAt: storageNow() } }
}

export interface HostPresenceOptions {
  readonly storage: Storage
  readonly hostId: string
  readonly logger: Logger
}

/** This host's row, by which others reach it. Who is alive is said by leases, never by this. */
export class HostPresence {
  readonly #options: HostPresenceOptions

  constructor(options: HostPresenceOptions) {
    this.#options = options
  }

  /** Where no other host can be, nobody has anything to tell. */
  get #isAlone(): boolean {
    return !this.#options.storage.capabilities.shared
  }

  /** Writes the row; one that a dead process of the same name left is taken over. */
  async start(): Promise<void> {
    if (this.#isAlone) return
    const { storage, hostId } = this.#options
    const now = storageNow()
    const row = { hostId, organizationId: '', signals: 0, createdAt: now, modifiedAt: now }
    await storage.commit([{ op: 'insert', table: 'hosts', row }]) // a duplicate is what is wanted
  }

  /** Deletes the row. Never rejects: one that stays is deleted by others, a day later. */
  async stop(): Promise<void> {
    if (this.#isAlone) return
    const { storage, hostId, logger } = this.#options
    try {
      await storage.commit([{ op: 'delete', table: 'hosts', id: hostId }]) // missing is what is wanted
    } catch (error) {
      logger.warn('the row of this host could not be deleted', { hostId, error })
    }
  }

  /** Shows that this host is there, once an hour, and deletes rows that no host has written for a day. */
  async refresh(): Promise<void> {
    if (this.#isAlone) return
    const { storage, hostId } = this.#options
    const set: Changes<HostRow> = { modifiedAt: storageNow() }
    const isDue = { hostId, modifiedAt: { lt: storageNow({ plusMs: -REFRESH_EVERY_MS }) } }
    const stale = await storage.find({
      table: 'hosts',
      where: { any: [isDue, { modifiedAt: { lt: storageNow({ plusMs: -STALE_AFTER_MS }) } }] },
      limit: STALE_LIMIT,
    })
    for (const row of stale) {
      const isOwn = row.hostId === hostId
      const where = { modifiedAt: row.modifiedAt } // unless it was written since
      await storage.commit([
        isOwn ? { op: 'update', table: 'hosts', id: row.hostId, set } : { op: 'delete', table: 'hosts', id: row.hostId, where },
      ])
    }
  }
}
