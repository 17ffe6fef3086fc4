import { PoolSaturatedError } from '../errors/index.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import type { Display } from '../streaming/display.js'
import type { LeaseRecord } from './lease-record.js'
import type { BrowserHandle } from './ports.js'
import type { SessionDirectory } from './session-directory.js'
import type { FinalSessionStatus } from './session-status.js'

/** A session whose browser this process has in its hands. */
export interface LiveSession {
  readonly browserSessionId: string
  readonly organizationId: string
  readonly browser: BrowserHandle
  readonly display: Display | null
  readonly directory: SessionDirectory
  /** Why `url` did not load when the browser started; null: it did, or there was none. */
  readonly urlFailure: string | null
  /** Fence of the last lease, as far as this host knows: only this host gives leases on its sessions. */
  fence: number
  /** The present lease, as long as this host holds it to be one. */
  lease: LeaseRecord | undefined
  /** Unties listeners and the registered view. */
  readonly untie: (() => void)[]
}

/** A session that is being launched. */
export interface Launching {
  /** Ends the launch. */
  abort(reason: unknown): void
  /** Settles, never rejects, when the launch has succeeded or failed. */
  readonly settled: Promise<void>
}

/** A session that has left the live set and whose browser, display, folder or final row is still there. */
export interface EndingSession {
  readonly live: LiveSession
  readonly status: FinalSessionStatus
  readonly closeReason: CloseReason
  /** The holder when it ended, for the event. */
  readonly lease: LeaseRecord | undefined
  /** Why the browser was lost; null: it was closed. */
  readonly lossReason: string | null
  isRowFinal: boolean
  isProcessGone: boolean
  /** Whether an attempt is under way. */
  isBusy: boolean
  /** Settles, never rejects, when all has been tried. */
  done: Promise<void>
}

/** Every session of this process, in one of three states; counts derive from it. */
export class SessionRegistry {
  readonly #launching = new Map<string, Launching>()
  readonly #live = new Map<string, LiveSession>()
  readonly #ending = new Map<string, EndingSession>()
  readonly #maxSessions: number

  constructor(maxSessions: number) {
    this.#maxSessions = maxSessions
  }

  /** Takes a slot for a launch, or throws `PoolSaturatedError` with the figures. */
  reserve(browserSessionId: string, launching: Launching): void {
    const { launching: starting, live, ending } = this.counts()
    if (starting + live + ending >= this.#maxSessions) {
      throw new PoolSaturatedError(
        `This host has its ${this.#maxSessions} browser sessions: ${live} running, ${starting} starting, ${ending} ending`,
        { maxSessions: this.#maxSessions, running: live, starting, ending },
      )
    }
    this.#launching.set(browserSessionId, launching)
  }

  /** Gives the slot of a launch back. */
  unreserve(browserSessionId: string): void {
    this.#launching.delete(browserSessionId)
  }

  launching(browserSessionId: string): Launching | undefined {
    return this.#launching.get(browserSessionId)
  }

  add(live: LiveSession): void {
    this.#launching.delete(live.browserSessionId)
    this.#live.set(live.browserSessionId, live)
  }

  live(browserSessionId: string): LiveSession | undefined {
    return this.#live.get(browserSessionId)
  }

  ending(browserSessionId: string): EndingSession | undefined {
    return this.#ending.get(browserSessionId)
  }

  isLive(live: LiveSession): boolean {
    return this.#live.get(live.browserSessionId) === live
  }

  /** Takes a session out of the live set, at once: nobody is handed it any more. */
  beginEnding(live: LiveSession, how: Pick<EndingSession, 'status' | 'closeReason' | 'lossReason' | 'isRowFinal'>): EndingSession {
    this.#live.delete(live.browserSessionId)
    const ending: EndingSession = { live, lease: live.lease, isProcessGone: false, isBusy: false, done: Promise.resolve(), ...how }
    this.#ending.set(live.browserSessionId, ending)
    return ending
  }

  /** Forgets an ended session of which nothing is left. */
  settle(ending: EndingSession): void {
    if (ending.isRowFinal && ending.isProcessGone) this.#ending.delete(ending.live.browserSessionId)
  }

  /** Forgets a session whatever is left of it: the pool stops. */
  forget(ending: EndingSession): void {
    this.#ending.delete(ending.live.browserSessionId)
  }

  get allLaunching(): readonly Launching[] {
    return [...this.#launching.values()]
  }

  get allLive(): readonly LiveSession[] {
    return [...this.#live.values()]
  }

  get allEnding(): readonly EndingSession[] {
    return [...this.#ending.values()]
  }

  /** Ids whose rows this host keeps alive. */
  get aliveIds(): readonly string[] {
    return [...this.#launching.keys(), ...this.#live.keys()]
  }

  /** Sessions that count against the limit; an ended one counts until its process is confirmed gone. */
  counts(): { launching: number; live: number; held: number; ending: number } {
    let held = 0
    for (const live of this.#live.values()) if (live.lease !== undefined) held += 1
    let ending = 0
    for (const one of this.#ending.values()) if (!one.isProcessGone) ending += 1
    return { launching: this.#launching.size, live: this.#live.size, held, ending }
  }

  get maxSessions(): number {
    return this.#maxSessions
  }
}
