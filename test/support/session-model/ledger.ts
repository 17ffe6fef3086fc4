import type { SessionLease } from '../../../src/sessions/index.js'
import type { AnyRow, CommitResult, Write } from '../../../src/storage/index.js'
import type { BrowserSessionRow } from '../../../src/storage/schema.js'
import type { ModelHost } from './model-host.js'

const FINAL = ['completed', 'failed', 'timeout']
const NEXT: Readonly<Record<string, readonly string[]>> = {
  created: ['created', 'running', ...FINAL],
  running: ['running', 'retry', ...FINAL],
  retry: ['retry', 'running', ...FINAL],
}
/** How long after its end a lease of 30 seconds still keeps others out. */
const GRACE_MS = 3_000
/** A holder that loses its lease to somebody on another host hears of it with its heartbeat, or at the end of the lease. */
const TOLD_WITHIN_MS = 30_000

/** A lease that somebody was given. */
export interface Given {
  readonly host: ModelHost
  readonly lease: SessionLease
  readonly runnableId: string
  readonly requestId: string
  readonly runnableFence: number
  /** Whether its holder has begun to give it back: from then on he does not use it. */
  isGivenUp: boolean
  /** When, by the world’s monotonic clock. */
  readonly atMs: number
}

export const isInUse = ({ host, lease, isGivenUp }: Given) => !host.isDead && !isGivenUp && lease.isHeld && !lease.signal.aborted

/** Reads every commit and every lease that is given, by itself, and notes what must not be. */
export class Ledger {
  /** The rows of the sessions as the last commit left them. */
  readonly rows = new Map<string, BrowserSessionRow>()
  readonly given: Given[] = []
  readonly violations: string[] = []
  readonly #nowMs: () => number
  readonly #monotonicMs: () => number
  readonly #perOrganization: number
  #mayOverlap = false

  constructor(params: { readonly nowMs: () => number; readonly monotonicMs: () => number; readonly perOrganization: number }) {
    this.#nowMs = params.nowMs
    this.#monotonicMs = params.monotonicMs
    this.#perOrganization = params.perOrganization
  }

  violation(what: string): void {
    this.violations.push(what)
  }

  /** A lease may be taken away before its end: its holder on another host does not know at once. */
  allowOverlap(): void {
    this.#mayOverlap = true
  }

  onCommit(batch: readonly Write[], result: CommitResult): void {
    if (!result.ok) return
    for (const [index, write] of batch.entries()) {
      if (!('table' in write) || write.table !== 'browser_sessions') continue
      for (const row of result.rows[index] ?? []) this.#onRow(row)
    }
  }

  /** Somebody was given a lease. */
  onGiven(given: Given): void {
    const { lease, host } = given
    const { browserSessionId: id, fence, token } = lease
    if (lease.signal.aborted || !lease.isHeld) this.violation(`a lease on ${id} that does not hold was given out`)
    if (!host.isUsable(lease.browser as never)) this.violation(`${id} was given out after its browser was gone`)
    const before = this.given.filter((one) => one.lease.browserSessionId === id)
    const isAgain = before.some((one) => one.lease.token === token)
    if (!isAgain && before.some((one) => one.lease.fence >= fence)) this.violation(`fence ${fence} of ${id} is not above those before it`)
    if (!isAgain) this.given.push(given)
  }

  /** What has to hold at every moment. */
  check(hosts: readonly ModelHost[], maxQueue: number): void {
    const holders = new Map<string, Given>()
    for (const one of this.given) {
      if (!isInUse(one)) continue
      const { browserSessionId: id, fence, browser } = one.lease
      const other = holders.get(id)
      if (other !== undefined && !this.#isBeingTold(other, one))
        this.violation(`two holders of ${id}: under ${other.lease.fence} and ${fence}`)
      holders.set(id, one)
      if (!one.host.isUsable(browser as never)) this.violation(`the holder of ${id} was not told that its browser is gone`)
    }
    for (const { pool, driver, hostId } of hosts) {
      const { running, starting, ending, warm, warming, maxSessions, waiting } = pool.stats()
      const counted = running + starting + ending + warm + warming
      if (counted > maxSessions) this.violation(`${hostId} has ${counted} sessions`)
      if (driver.liveHandles > counted) this.violation(`${hostId} has ${driver.liveHandles} browsers and counts ${counted}`)
      if (waiting > maxQueue) this.violation(`${waiting} wait at ${hostId}`)
    }
  }

  /** What has to hold when nothing is under way, and nothing fails: rows, leases and browsers say the same. */
  checkRest(hosts: readonly ModelHost[]): void {
    for (const row of this.rows.values()) {
      const { browserSessionId: id, status, leaseToken } = row
      if (FINAL.includes(status)) continue
      const host = hosts.find(({ hostId }) => hostId === row.hostId)
      const browser = host?.driver.handleOf(id)
      if (status !== 'running') this.violation(`${id} is still ${status}`)
      if (host === undefined) this.violation(`${id} is of a host that is gone`)
      else if (browser === undefined || !host.isUsable(browser)) this.violation(`${id} has no browser`)
      const holder = this.given.find((one) => isInUse(one) && one.lease.token === leaseToken)
      if (leaseToken !== null && holder === undefined) this.violation(`${id} is held under ${row.leaseFence}, by nobody`)
    }
    for (const one of this.given) {
      const { browserSessionId: id, fence, token } = one.lease
      if (isInUse(one) && this.rows.get(id)?.leaseToken !== token) this.violation(`the lease ${fence} on ${id} is not on its row`)
    }
    for (const { pool, hostId } of hosts) {
      const isOwn = ({ lease }: Given) => this.rows.get(lease.browserSessionId)?.hostId === hostId // attached ones are the owner’s
      const held = this.given.filter((one) => one.host.pool === pool && isInUse(one) && isOwn(one))
      if (pool.stats().held !== held.length) this.violation(`${hostId} has ${pool.stats().held} sessions held, and ${held.length} are`)
      const { waiting, starting, ending } = pool.stats()
      if (waiting + starting + ending > 0) this.violation(`${hostId}: ${waiting} wait, ${starting} start, ${ending} end`)
    }
  }

  /** What has to hold when every host has stopped. */
  checkEnd(): void {
    for (const { browserSessionId: id, status } of this.rows.values()) {
      if (!FINAL.includes(status)) this.violation(`${id} is still ${status}`)
    }
    for (const one of this.given) if (isInUse(one)) this.violation(`a lease on ${one.lease.browserSessionId} outlasted its pool`)
  }

  #isBeingTold(one: Given, other: Given): boolean {
    const sinceMs = this.#monotonicMs() - Math.max(one.atMs, other.atMs)
    return this.#mayOverlap && one.host !== other.host && sinceMs <= TOLD_WITHIN_MS
  }

  #onRow(found: AnyRow): void {
    const row = found as BrowserSessionRow
    const { browserSessionId: id, status, leaseFence, leaseToken } = row
    const before = this.rows.get(id)
    this.rows.set(id, row)
    if (before !== undefined) {
      const isSame = FINAL.includes(before.status) && before.status === status && before.closeReason === row.closeReason
      if (!isSame && !NEXT[before.status]?.includes(status)) this.violation(`${id} went from ${before.status} to ${status}`)
      if (leaseFence < before.leaseFence) this.violation(`the fence of ${id} fell from ${before.leaseFence} to ${leaseFence}`)
      if (leaseToken !== null && leaseToken !== before.leaseToken) this.#onTaken(before, row)
    } else if (this.#liveOf(row.organizationId) > this.#perOrganization) this.violation(`${row.organizationId} has too many sessions`)
    if (FINAL.includes(status)) this.#onFinal(row)
  }

  /** Nobody takes what is held, but the same runnable under a newer fence. */
  #onTaken(before: BrowserSessionRow, row: BrowserSessionRow): void {
    const { browserSessionId: id, leaseFence } = row
    if (leaseFence <= before.leaseFence) this.violation(`${id} was taken under the old fence ${leaseFence}`)
    if (before.leaseToken === null) return
    const isOutrun = before.runnableId === row.runnableId && (before.runnableFence ?? 0) < (row.runnableFence ?? 0)
    const isLapsed = (before.leaseExpiresAt?.getTime() ?? 0) + GRACE_MS < this.#nowMs()
    if (!isOutrun && !isLapsed) this.violation(`${id} was taken from its holder, by fence ${leaseFence}`)
  }

  #onFinal(row: BrowserSessionRow): void {
    const { browserSessionId: id, leaseToken, runnableId, organizationSlot, completedAt, closeReason } = row
    if (leaseToken !== null || runnableId !== null) this.violation(`${id} has ended and is held`)
    if (organizationSlot !== null) this.violation(`${id} has ended and keeps a slot of its organisation`)
    if (completedAt === null || closeReason === null) this.violation(`${id} has ended without a time or a reason`)
  }

  #liveOf(organizationId: string): number {
    return [...this.rows.values()].filter((row) => row.organizationId === organizationId && !FINAL.includes(row.status)).length
  }
}
