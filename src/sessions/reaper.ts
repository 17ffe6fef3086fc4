import { LeaseLostError } from '../errors/index.js'
import { Ticker } from '../runtime/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { storageNow, type Where } from '../storage/storage.js'
import type { BrowserRounds } from './browser-rounds.js'
import { idleFromNow, isIdle } from './idle-clock.js'
import { graceMs, heldUnder, isFree, NO_LEASE } from './lease-terms.js'
import type { Leftovers } from './leftovers.js'
import type { SessionPoolSettings } from './options.js'
import type { SessionCloser } from './session-closer.js'
import type { SessionEnder } from './session-ender.js'
import type { SessionJournal } from './session-journal.js'
import type { SessionRegistry } from './session-registry.js'
import { LIVE_STATUSES } from './session-status.js'

const PAGE_SIZE = 100

/** Finds what nobody looks after any more. One pass at a time; the failure of one session never stops the pass. */
export class Reaper {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #closer: SessionCloser
  readonly #ender: SessionEnder
  readonly #rounds: BrowserRounds
  readonly #leftovers: Leftovers
  readonly #ticker: Ticker

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly closer: SessionCloser
    readonly ender: SessionEnder
    readonly rounds: BrowserRounds
    readonly leftovers: Leftovers
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#closer = parts.closer
    this.#ender = parts.ender
    this.#rounds = parts.rounds
    this.#leftovers = parts.leftovers
    const { clock, random, reapIntervalMs } = parts.settings
    const pauseMs = () => reapIntervalMs * (0.9 + 0.2 * random.fraction())
    this.#ticker = new Ticker({ clock, pauseMs, work: () => this.#pass() })
  }

  start(): void {
    this.#ticker.start()
  }

  stop(): Promise<void> {
    return this.#ticker.stop()
  }

  /** One pass, now. */
  pass(): Promise<void> {
    return this.#ticker.tick()
  }

  /** Held sessions first: what a dead holder kept may be just what has expired. Then the expired, the idle, those of dead hosts. */
  async #pass(): Promise<void> {
    const { hostId, leaseTtlMs } = this.#settings
    const lapsed = { lt: storageNow({ plusMs: -graceMs(leaseTtlMs) }) }
    await this.#each({ status: { in: LIVE_STATUSES }, leaseToken: { isNull: false }, leaseExpiresAt: lapsed }, (row) => this.#lapsed(row))
    await this.#rounds.held()
    await this.#each({ status: 'running', hostId, expiresAt: { lt: storageNow() }, any: isFree(leaseTtlMs) }, (row) =>
      this.#closer.expire(row),
    )
    const idle = isIdle(leaseTtlMs)
    await this.#each({ ...idle, hostId }, (row) => this.#closer.endWhere(row, 'idle_ttl', idle))
    const retired = { retiredAt: { isNull: false }, any: isFree(leaseTtlMs) }
    await this.#each({ status: 'running', hostId, ...retired }, (row) => this.#closer.endWhere(row, 'drained', retired))
    await this.#rounds.free()
    await this.#each({ status: { in: LIVE_STATUSES }, detached: false, hostLeaseExpiresAt: lapsed }, (row) => this.#endOrphan(row))
    await this.#each({ status: { in: LIVE_STATUSES }, detached: true, hostLeaseExpiresAt: lapsed }, (row) => this.#endForgotten(row))
    this.#ender.retryAll()
    void this.#leftovers.retryAll()
    await this.#journal.settle()
  }

  async #each(where: Where<BrowserSessionRow>, handle: (row: BrowserSessionRow) => Promise<unknown>): Promise<void> {
    const { storage, logger } = this.#settings
    const rows = await storage.find({ table: 'browser_sessions', where, limit: PAGE_SIZE }).catch((error: unknown) => {
      logger.warn('the reaper cannot read the sessions', { error })
      return []
    })
    for (const row of rows) {
      try {
        await handle(row)
      } catch (error) {
        logger.warn('the reaper cannot handle a session', { browserSessionId: row.browserSessionId, error })
      }
    }
  }

  /** A session that was made for one holder ends with its lease, unless its host is dead, which is another end; any other is free again. */
  async #lapsed(row: BrowserSessionRow): Promise<void> {
    if (
      row.private &&
      (await this.#closer.endWhere(row, 'lease_expired', { ...this.#lapsedNow(), hostLeaseExpiresAt: { gt: storageNow() } }))
    ) {
      return
    }
    await this.#clearLease(row)
  }

  #lapsedNow(): Where<BrowserSessionRow> {
    return { leaseExpiresAt: { lt: storageNow({ plusMs: -graceMs(this.#settings.leaseTtlMs) }) } }
  }

  /** Frees a session whose lease lapsed, unless it was renewed or taken meanwhile. */
  async #clearLease(row: BrowserSessionRow): Promise<void> {
    const { browserSessionId, organizationId, leaseToken, leaseFence, runnableType, runnableId } = row
    if (leaseToken === null || runnableType === null || runnableId === null) return
    const result = await this.#journal.commit([
      {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: { ...heldUnder({ token: leaseToken, fence: leaseFence }), ...this.#lapsedNow() },
        set: { ...NO_LEASE, ...idleFromNow(row.idleTimeoutMinutes), lastActivityAt: storageNow(), modifiedAt: storageNow() },
      },
      this.#journal.append(browserSessionId, [
        this.#journal.event('session.released', organizationId, { browserSessionId, runnableType, runnableId, leaseFence }),
      ]),
    ])
    if (!result.ok) return
    const lease = this.#registry.live(browserSessionId)?.lease
    if (lease?.token === leaseToken) {
      lease.endRelease(true) // a release whose write failed has happened now
      lease.lose(new LeaseLostError(browserSessionId, 'it lapsed'))
    }
    this.#journal.emit(result.events)
  }

  /**
   * A detached session waits for a host of its machine to adopt it, until its own end; one that never came up has nothing to wait for. What
   * is left of its browser is ended by the next host that starts there.
   */
  async #endForgotten(row: BrowserSessionRow): Promise<void> {
    if (this.#registry.aliveIds.includes(row.browserSessionId)) return
    const hostIsGone = { hostLeaseExpiresAt: { lt: storageNow({ plusMs: -graceMs(this.#settings.leaseTtlMs) }) } }
    if (row.status !== 'running') await this.#closer.orphan(row, graceMs(this.#settings.leaseTtlMs))
    else {
      const where = { ...hostIsGone, expiresAt: { lt: storageNow() }, any: isFree(this.#settings.leaseTtlMs) }
      await this.#closer.endWhere(row, 'expired', where)
    }
  }

  /** A plain browser dies with its host; this host's own sessions are the heartbeat's business. */
  async #endOrphan(row: BrowserSessionRow): Promise<void> {
    if (this.#registry.aliveIds.includes(row.browserSessionId)) return
    await this.#closer.orphan(row, graceMs(this.#settings.leaseTtlMs))
  }
}
