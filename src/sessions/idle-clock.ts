import type { BrowserSessionRow } from '../storage/schema.js'
import { type Changes, storageNow, type Where } from '../storage/storage.js'
import { isFree, type NO_LEASE } from './lease-terms.js'

const MINUTE_MS = 60_000

/**
 * The column of a session that nobody holds from now on: its idle time begins, by the storage's clock. It is stopped by the write that
 * takes the session, so that it counts neither leases nor launches, and runs even if no lease ever comes.
 */
export function idleFromNow(idleTimeoutMinutes: number | null): Changes<BrowserSessionRow> {
  return { idleExpiresAt: idleEnd(idleTimeoutMinutes) }
}

const idleEnd = (idleTimeoutMinutes: number | null) =>
  idleTimeoutMinutes === null ? null : storageNow({ plusMs: idleTimeoutMinutes * MINUTE_MS })

/**
 * The columns of a session whose holder has given it back: `NO_LEASE`, and its idle time begins. Written out, because V8 gives each object
 * made by a spread with further columns a hidden class of its own, which costs more than the whole write.
 */
export function givenBack(idleTimeoutMinutes: number | null): Changes<BrowserSessionRow> & Record<keyof typeof NO_LEASE, null> {
  return {
    runnableType: null,
    runnableId: null,
    runnableFence: null,
    leaseToken: null,
    leaseHolder: null,
    leaseRequestId: null,
    leaseSince: null,
    leaseExpiresAt: null,
    idleExpiresAt: idleEnd(idleTimeoutMinutes),
    lastActivityAt: storageNow(),
    modifiedAt: storageNow(),
  }
}

/** The idle time of a session is over, and nobody holds it. */
export function isIdle(leaseTtlMs: number): Where<BrowserSessionRow> {
  return { status: 'running', idleExpiresAt: { lt: storageNow() }, any: isFree(leaseTtlMs) }
}
