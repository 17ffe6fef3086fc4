import type { Row, TableName } from './schema.js'
import { type Changes, type Computed, increment, storageNow, type Where, type Write } from './storage.js'

/** The columns of a lease: an exclusive right for a time, with a number that grows each time it changes hands. */
export interface LeaseColumns {
  /** Null: nobody holds it. */
  leaseHolder: string | null
  leaseFence: number
  /** By the storage's clock, never a host's. */
  leaseExpiresAt: Date | null
}

/** Tables whose rows can be leased. */
export type LeasedTable = { [T in TableName]: Row<T> extends LeaseColumns ? T : never }[TableName]

/** What a holder knows of its lease. */
export interface HeldLease {
  readonly holder: string
  readonly fence: number
}

/** Changes that take a lease: a new holder, the fence one higher, the expiry `ttlMs` from the storage's now. */
export function leaseSet(params: { readonly holder: string; readonly ttlMs: number }): {
  leaseHolder: string
  leaseFence: Computed
  leaseExpiresAt: Computed
} {
  return { leaseHolder: params.holder, leaseFence: increment(), leaseExpiresAt: storageNow({ plusMs: params.ttlMs }) }
}

/** Changes that keep a lease: the expiry alone. */
export function renewalSet(params: { readonly ttlMs: number }): { leaseExpiresAt: Computed } {
  return { leaseExpiresAt: storageNow({ plusMs: params.ttlMs }) }
}

/** Changes that give a lease back. The fence stays, so that the next holder's is higher. */
export function leaseCleared(): { leaseHolder: null; leaseExpiresAt: null } {
  return { leaseHolder: null, leaseExpiresAt: null }
}

/**
 * Condition of every write of a holder: it is still the one. A lease that has run out but was not taken over is still held: nobody else
 * can have written meanwhile.
 */
export function whereHeld(lease: HeldLease): { leaseHolder: string; leaseFence: number } {
  return { leaseHolder: lease.holder, leaseFence: lease.fence }
}

/**
 * Condition under which a lease can be taken: nobody has it, or it ran out.
 * @param options.graceMs time that a lapsed holder still has, in milliseconds; default 0
 */
export function whereFree(options: { readonly graceMs?: number } = {}): { any: readonly Where<LeaseColumns>[] } {
  return { any: [{ leaseHolder: { isNull: true } }, whereLapsed(options)] }
}

/**
 * Condition of sweeps: somebody has the lease and let it run out.
 * @param options.graceMs time that a lapsed holder still has, in milliseconds; default 0
 */
export function whereLapsed(options: { readonly graceMs?: number } = {}): {
  leaseHolder: { isNull: false }
  leaseExpiresAt: { lt: Computed }
} {
  return { leaseHolder: { isNull: false }, leaseExpiresAt: { lt: storageNow({ plusMs: -(options.graceMs ?? 0) }) } }
}

export interface RenewalsParams<T extends LeasedTable> {
  readonly table: T
  readonly leases: readonly (HeldLease & { readonly id: string })[]
  readonly ttlMs: number
  /** What has to hold beside, for every row; for example that a run is still running. */
  readonly where?: Where<Row<T>>
  /** What else changes with each renewal. */
  readonly set?: Changes<Row<T>>
}

/**
 * One statement that renews all leases of a host. The rows in its result are those that are still held; a lease whose row is missing
 * there is lost.
 *
 * @example
 * const result = await storage.commit([renewals({ table: 'runs', leases: [{ id: run.workflowRunId, holder: hostId, fence: 3 }], ttlMs: 30_000 })])
 */
export function renewals<T extends LeasedTable>(params: RenewalsParams<T>): Write {
  return {
    op: 'updateAll',
    table: params.table,
    rows: params.leases.map((lease) => ({ id: lease.id, where: whereHeld(lease) })),
    ...(params.where === undefined ? {} : { where: params.where }),
    set: { ...params.set, ...renewalSet(params) },
  } as Write
}
