import type { BrowserSessionRow } from '../storage/schema.js'
import { type Changes, storageNow, type Where } from '../storage/storage.js'
import { isFree } from './lease-terms.js'

const MINUTE_MS = 60_000

/**
 * The column of a session that nobody holds from now on: its idle time begins, by the storage's clock. It is stopped by the write that
 * takes the session, so that it counts neither leases nor launches, and runs even if no lease ever comes.
 */
export function idleFromNow(idleTimeoutMinutes: number | null): Changes<BrowserSessionRow> {
  return { idleExpiresAt: idleTimeoutMinutes === null ? null : storageNow({ plusMs: idleTimeoutMinutes * MINUTE_MS }) }
}

/** The idle time of a session is over, and nobody holds it. */
export function isIdle(leaseTtlMs: number): Where<BrowserSessionRow> {
  return { status: 'running', idleExpiresAt: { lt: storageNow() }, any: isFree(leaseTtlMs) }
}
