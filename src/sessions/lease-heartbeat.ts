import { LeaseLostError, StaleLeaseError, TimeoutError } from '../errors/index.js'
import { Ticker, type Timer, withDeadline } from '../runtime/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { storageNow } from '../storage/storage.js'
import type { LeaseRecord } from './lease-record.js'
import { heldUnder } from './lease-terms.js'
import type { SessionPoolSettings } from './options.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'
import { LIVE_STATUSES } from './session-status.js'

const MINUTE_MS = 60_000

/** Keeps this host's sessions and its holders' leases alive, and tells holders whose lease could not be kept. */
export class LeaseHeartbeat {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #onEndedElsewhere: (live: LiveSession) => void
  readonly #ticker: Ticker
  #deadline: { readonly timer: Timer; readonly atMs: number } | undefined
  #failure: unknown

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    /** A session's row turned out to be final, or another host's. */
    readonly onEndedElsewhere: (live: LiveSession) => void
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#onEndedElsewhere = parts.onEndedElsewhere
    const { clock, leaseTtlMs } = parts.settings
    this.#ticker = new Ticker({ clock, pauseMs: () => leaseTtlMs / 3, work: () => this.#beat() })
  }

  start(): void {
    this.#ticker.start()
  }

  async stop(): Promise<void> {
    await this.#ticker.stop()
    this.#deadline?.timer.cancel()
    this.#deadline = undefined
  }

  /** Why the last beat failed; undefined: it did not. */
  get failure(): unknown {
    return this.#failure
  }

  /** One heartbeat, now: at most one statement for all leases and one for all sessions of this host. */
  beat(): Promise<void> {
    return this.#ticker.tick()
  }

  /** Watches the end of a new lease: without a renewal its holder is told at that moment, by this host's monotonic clock. */
  watch(record: LeaseRecord): void {
    if (this.#deadline !== undefined && this.#deadline.atMs <= record.endsAtMs) return
    this.#deadline?.timer.cancel()
    const { clock } = this.#settings
    const timer = clock.setTimer(() => this.#onDeadline(), Math.max(0, record.endsAtMs - clock.monotonicMs()))
    this.#deadline = { timer, atMs: record.endsAtMs }
  }

  /** Renews one lease now. @throws {StaleLeaseError} when it no longer holds. */
  async renew(record: LeaseRecord): Promise<void> {
    const { storage, clock, leaseTtlMs } = this.#settings
    const sentAtMs = clock.monotonicMs()
    const result = await storage.commit([
      {
        op: 'update',
        table: 'browser_sessions',
        id: record.browserSessionId,
        where: { status: 'running', ...heldUnder(record), leaseExpiresAt: { gt: storageNow() } },
        set: { leaseExpiresAt: storageNow({ plusMs: leaseTtlMs }) },
      },
    ])
    if (result.ok) return record.renewed(result.rows[0]?.[0] as BrowserSessionRow, sentAtMs + leaseTtlMs)
    record.lose(new LeaseLostError(record.browserSessionId, 'its renewal was refused'))
    throw new StaleLeaseError(record.browserSessionId, record.fence)
  }

  /** Keeps the end of held sessions at least one lease ahead, so that none expires under its holder. */
  async extend(records: readonly LeaseRecord[]): Promise<void> {
    const { storage, leaseTtlMs } = this.#settings
    const behind = records.filter(({ row }) => row.expiresAt !== null && row.leaseExpiresAt !== null && row.expiresAt < row.leaseExpiresAt)
    if (behind.length === 0) return
    const ahead = storageNow({ plusMs: leaseTtlMs })
    const rows = behind.map((record) => ({ id: record.browserSessionId, where: heldUnder(record) }))
    await storage.commit([
      {
        op: 'updateAll',
        table: 'browser_sessions',
        rows,
        where: { status: 'running', expiresAt: { lt: ahead } },
        set: { expiresAt: ahead },
      },
    ])
  }

  async #beat(): Promise<void> {
    const { clock, leaseTtlMs, logger } = this.#settings
    const timeoutMs = leaseTtlMs / 3
    const onTimeout = () => new TimeoutError('A heartbeat of the session pool', timeoutMs)
    this.#failure = undefined
    for (const run of [() => this.#renewLeases(), () => this.#renewHost()]) {
      try {
        await withDeadline({ run, timeoutMs, onTimeout, clock }) // a storage that hangs does not end all further beats
      } catch (error) {
        this.#failure = error
        logger.warn('a heartbeat of the session pool failed', { error })
      }
    }
  }

  async #renewLeases(): Promise<void> {
    const { storage, clock, leaseTtlMs } = this.#settings
    const records = this.#records().filter((record) => record.isRenewed)
    if (records.length === 0) return
    const sentAtMs = clock.monotonicMs()
    const result = await storage.commit([
      {
        op: 'updateAll',
        table: 'browser_sessions',
        rows: records.map((record) => ({ id: record.browserSessionId, where: heldUnder(record) })),
        where: { status: 'running', leaseExpiresAt: { gt: storageNow() } },
        set: { leaseExpiresAt: storageNow({ plusMs: leaseTtlMs }) },
      },
    ])
    if (!result.ok) return // updateAll never refuses
    const kept = new Map((result.rows[0] as readonly BrowserSessionRow[]).map((row) => [row.browserSessionId, row]))
    for (const record of records) {
      const row = kept.get(record.browserSessionId)
      if (row === undefined) record.lose(new LeaseLostError(record.browserSessionId, 'its renewal was refused'))
      else record.renewed(row, sentAtMs + leaseTtlMs)
    }
    const renewed = records.filter((record) => kept.has(record.browserSessionId))
    await this.extend(renewed)
    await this.#renewActive(renewed)
  }

  /** Puts the end of sessions off whose holders have been active; a write only where that gains a minute. */
  async #renewActive(records: readonly LeaseRecord[]): Promise<void> {
    const { storage, leaseTtlMs, maxLifetimeMinutes } = this.#settings
    const byTimeout = new Map<number, LeaseRecord[]>()
    for (const record of records) {
      const { timeoutMinutes, expiresAt, leaseExpiresAt } = record.row
      if (!record.isTouched || timeoutMinutes === null || expiresAt === null || leaseExpiresAt === null) continue
      record.isTouched = false
      const nowMs = leaseExpiresAt.getTime() - leaseTtlMs // by the storage's clock: the row was written just now
      if (nowMs + (timeoutMinutes - 1) * MINUTE_MS < expiresAt.getTime()) continue
      byTimeout.set(timeoutMinutes, [...(byTimeout.get(timeoutMinutes) ?? []), record])
    }
    if (byTimeout.size === 0) return
    const batch = [...byTimeout].map(([timeoutMinutes, touched]) => {
      const ahead = storageNow({ plusMs: timeoutMinutes * MINUTE_MS })
      const youngEnough = storageNow({ plusMs: (timeoutMinutes - maxLifetimeMinutes) * MINUTE_MS })
      return {
        op: 'updateAll' as const,
        table: 'browser_sessions' as const,
        rows: touched.map((record) => ({ id: record.browserSessionId, where: heldUnder(record) })),
        where: { status: 'running' as const, expiresAt: { lt: ahead }, startedAt: { gte: youngEnough } },
        set: { expiresAt: ahead, lastActivityAt: storageNow(), modifiedAt: storageNow() },
      }
    })
    const result = await storage.commit(batch)
    if (!result.ok) return // updateAll never refuses
    const rows = new Map((result.rows.flat() as BrowserSessionRow[]).map((row) => [row.browserSessionId, row]))
    for (const record of records) {
      const row = rows.get(record.browserSessionId)
      if (row !== undefined) record.row = { ...record.row, expiresAt: row.expiresAt, lastActivityAt: row.lastActivityAt }
    }
  }

  async #renewHost(): Promise<void> {
    const { storage, hostId, leaseTtlMs } = this.#settings
    const ids = this.#registry.aliveIds
    if (ids.length === 0) return
    const live = this.#registry.allLive
    const result = await storage.commit([
      {
        op: 'updateAll',
        table: 'browser_sessions',
        rows: ids.map((id) => ({ id })),
        where: { hostId, status: { in: LIVE_STATUSES } },
        set: { hostLeaseExpiresAt: storageNow({ plusMs: leaseTtlMs }) },
      },
    ])
    if (!result.ok) return // updateAll never refuses
    const kept = new Set((result.rows[0] as readonly BrowserSessionRow[]).map((row) => row.browserSessionId))
    for (const session of live) if (!kept.has(session.browserSessionId)) this.#onEndedElsewhere(session)
  }

  #records(): LeaseRecord[] {
    const own = this.#registry.allLive.flatMap((live) => (live.lease === undefined ? [] : [live.lease]))
    return [...own, ...this.#registry.attachedLeases]
  }

  #onDeadline(): void {
    this.#deadline = undefined
    const now = this.#settings.clock.monotonicMs()
    for (const record of this.#records()) {
      if (record.endsAtMs > now) this.watch(record)
      else record.lose(new LeaseLostError(record.browserSessionId, 'it could not be renewed before its end', this.#failure))
    }
  }
}
