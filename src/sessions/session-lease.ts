import { parseArgument } from '../errors/index.js'
import type { StoredEvent, Write } from '../storage/storage.js'
import { type BrowserSession, toBrowserSession } from './browser-session.js'
import type { LeaseRecord } from './lease-record.js'
import type { BrowserHandle, PageDriver } from './ports.js'
import { type ReleaseOutcome, releaseSchema } from './release-options.js'
import type { SanitizeOptions } from './session-sanitizer.js'

/** What a lease asks of the pool that gave it. */
export interface LeaseActions {
  renew(record: LeaseRecord): Promise<void>
  release(record: LeaseRecord, outcome: ReleaseOutcome, sanitize?: SanitizeOptions): Promise<void>
  releaseWrites(record: LeaseRecord): readonly Write[]
  markReleased(record: LeaseRecord, committed: boolean, events: readonly StoredEvent[]): void
}

/** Bounds of a lease's call for a page. */
export interface LeasePageOptions {
  /** @default the lease's own signal */
  readonly signal?: AbortSignal
  /** In milliseconds. @default 30_000 */
  readonly timeoutMs?: number
}

/** How a lease is given back. */
export interface ReleaseOptions {
  /** @default 'ok' */
  readonly outcome?: ReleaseOutcome
  /** What the next holder is not to find. */
  readonly sanitize?: SanitizeOptions
}

const PAGE_TIMEOUT_MS = 30_000

/**
 * The exclusive right to use a session, for a limited time. It renews itself while the pool runs; `signal` aborts as soon as it no
 * longer holds, with `LeaseLostError` or `SessionCrashedError` as reason: whoever drives the browser stops then.
 */
export class SessionLease {
  readonly #record: LeaseRecord
  readonly #actions: LeaseActions

  /** @internal Made by `SessionPool.occupy` and `createOccupied`. */
  constructor(record: LeaseRecord, actions: LeaseActions) {
    this.#record = record
    this.#actions = actions
  }

  /** The session as the last write of this lease left it. */
  get session(): BrowserSession {
    return toBrowserSession(this.#record.row)
  }

  get browserSessionId(): string {
    return this.#record.browserSessionId
  }

  /** Secret of this lease. */
  get token(): string {
    return this.#record.token
  }

  /** One more with each lease of the session; a write under an older one changes nothing. */
  get fence(): number {
    return this.#record.fence
  }

  /** End of the lease unless it is renewed, by the storage's clock. */
  get expiresAt(): Date {
    return this.#record.row.leaseExpiresAt ?? new Date(0)
  }

  /** Aborts when the lease is lost; never after it was released. */
  get signal(): AbortSignal {
    return this.#record.signal
  }

  get isHeld(): boolean {
    return this.#record.state === 'held' || this.#record.state === 'releasing'
  }

  get browser(): BrowserHandle {
    return this.#record.browser
  }

  /** The page that actions go to; opens one where there is none. */
  page(options: LeasePageOptions = {}): Promise<PageDriver> {
    return this.browser.activePage({ signal: options.signal ?? this.signal, timeoutMs: options.timeoutMs ?? PAGE_TIMEOUT_MS })
  }

  /** Open pages, oldest first. */
  pages(): readonly PageDriver[] {
    return this.browser.pages()
  }

  /**
   * Says that the holder is at work: the next heartbeat puts the session's end off to now + its `timeoutMinutes`, if it ends earlier and
   * within the pool's `maxLifetimeMinutes` of its start. Costs nothing by itself. Viewers and reads do not count.
   */
  touch(): void {
    this.#record.isTouched = true
  }

  /**
   * Renews now instead of at the next heartbeat.
   * @throws {StaleLeaseError} `STALE_LEASE` when the lease no longer holds; `signal` is aborted then.
   */
  renew(): Promise<void> {
    return this.#actions.renew(this.#record)
  }

  /**
   * Gives the session back; a second call does nothing, nor does one on a lost lease. `tainted` and `broken` close the session. With
   * `sanitize`, what it names is taken out of the browser first, while the lease still keeps others out; where that fails, or takes
   * longer than the pool's `sanitizeTimeoutMs`, the session is closed as tainted.
   * When the storage fails, the lease is no longer renewed and lapses by itself; the call may be repeated.
   * @throws {StaleLeaseError} `STALE_LEASE` when the session is somebody else's by now: nothing was changed.
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT`: the lease is held as before
   */
  async release(options: ReleaseOptions = {}): Promise<void> {
    const { outcome, sanitize } = parseArgument(releaseSchema, options, 'release')
    return this.#actions.release(this.#record, outcome, sanitize)
  }

  /**
   * The writes that release this lease, for a commit of the caller's own: a conditional update of the session's row, and
   * `session.released` on its stream. Empty when the lease no longer holds. From here on `signal` stays as it is, until
   * `markReleased` tells how the commit went; it must be called in every case.
   * If the commit is refused at one of these writes, the lease was lost meanwhile: call `markReleased(false)` and commit without them.
   */
  releaseWrites(): readonly Write[] {
    return this.#actions.releaseWrites(this.#record)
  }

  /** Tells whether the commit with `releaseWrites()` was applied; `events` are those that it appended to the session's stream. */
  markReleased(committed: boolean, events: readonly StoredEvent[] = []): void {
    this.#actions.markReleased(this.#record, committed, events)
  }

  /** Releases; a failure, or a lease that is gone, is not thrown: the lease lapses by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(() => {}) // lapses after its TTL
  }
}
