import { LeaseLostError, TimeoutError } from '../errors/index.js'
import { withDeadline } from '../runtime/index.js'
import { storageNow, type Write } from '../storage/storage.js'
import { idleFromNow } from './idle-clock.js'
import { carries, releasedEvents } from './lease-ending.js'
import type { LeaseRecord } from './lease-record.js'
import { NO_LEASE } from './lease-terms.js'
import type { SessionPoolSettings } from './options.js'
import type { SessionEnder } from './session-ender.js'
import type { SessionJournal } from './session-journal.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'

interface LeftSession {
  readonly live: LiveSession
  readonly lease: LeaseRecord | undefined
}

/** Lets go of detached sessions: their browsers and displays run on, for another host to adopt. */
export class SessionDetacher {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #ender: SessionEnder
  /** Those that this host has left and whose rows do not say so yet. */
  #left: LeftSession[] = []

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly ender: SessionEnder
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#ender = parts.ender
  }

  /** Leaves every detached session of this process; holders are told first. Their rows follow with `endHostLeases`. */
  async leaveAll(): Promise<void> {
    const detached = this.#registry.allLive.filter((live) => live.isDetached === true)
    this.#left.push(...detached.map((live) => ({ live, lease: live.lease })))
    await Promise.all(detached.map((live) => this.#leave(live, 'the host stops; the session goes on without it')))
  }

  /** Says on the rows that no host has them any more, so that the next one may adopt them at once. When no heartbeat is under way. */
  async endHostLeases(): Promise<void> {
    await Promise.all(this.#left.splice(0).map((left) => this.#endHostLease(left)))
  }

  /** A session's row turned out to be final, or another host's: its browser is ended unless it is that host's now. */
  async endedElsewhere(live: LiveSession): Promise<void> {
    const { storage, hostId, logger } = this.#settings
    const { browserSessionId } = live
    try {
      const row = live.isDetached === true ? await storage.get('browser_sessions', browserSessionId) : undefined
      if (row === undefined || row.hostId === hostId) this.#ender.endedElsewhere(live)
      else await this.#leave(live, `host ${row.hostId} has adopted the session`)
    } catch (error) {
      logger.warn('cannot tell who has a detached session now; it is asked again', { browserSessionId, error })
    }
  }

  /** Never rejects. */
  async #leave(live: LiveSession, reason: string): Promise<void> {
    const { streaming } = this.#settings
    const { browserSessionId, browser, network, lease } = live
    if (!this.#registry.isLive(live)) return
    this.#registry.leave(live)
    lease?.lose(new LeaseLostError(browserSessionId, reason))
    for (const untie of live.untie.splice(0)) await this.#attempt(browserSessionId, 'untie', async () => untie())
    await this.#attempt(browserSessionId, 'hang up', () => browser.detach?.() ?? Promise.resolve())
    // from here on nothing passes: who adopts it opens the same port again
    if (network !== null) await this.#attempt(browserSessionId, 'close the network guard', () => network.close())
    await this.#attempt(browserSessionId, 'leave the display', async () => streaming?.leaveDisplay?.({ browserSessionId }))
  }

  async #endHostLease({ live, lease }: LeftSession): Promise<void> {
    const { browserSessionId, organizationId, life } = live
    const { hostId } = this.#settings
    const write = (held: LeaseRecord | undefined): Write => ({
      op: 'update',
      table: 'browser_sessions',
      id: browserSessionId,
      where: { status: 'running', hostId, ...(held === undefined ? {} : carries(held)) },
      set: {
        ...(held === undefined ? {} : { ...NO_LEASE, ...idleFromNow(life.idleTimeoutMinutes) }),
        hostLeaseExpiresAt: storageNow({ plusMs: -1 }),
        modifiedAt: storageNow(),
      },
    })
    await this.#attempt(browserSessionId, 'say that it is free to be adopted', async () => {
      if (lease !== undefined) {
        const released = releasedEvents(this.#journal, { browserSessionId, organizationId }, lease)
        const result = await this.#journal.commit([write(lease), this.#journal.append(browserSessionId, released)])
        if (result.ok) return this.#journal.emit(result.events)
      }
      await this.#journal.commit([write(undefined)]) // its lease is over already, or another host's
    })
  }

  async #attempt(browserSessionId: string, what: string, run: () => Promise<unknown>): Promise<void> {
    const { clock, logger, closeTimeoutMs: timeoutMs } = this.#settings
    const onTimeout = () => new TimeoutError(`To ${what} of session ${browserSessionId}`, timeoutMs)
    await withDeadline({ run, timeoutMs, onTimeout, clock }).catch((error: unknown) =>
      logger.warn(`could not ${what}`, { browserSessionId, error }),
    )
  }
}
