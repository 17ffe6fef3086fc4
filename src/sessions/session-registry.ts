import { PoolSaturatedError } from '../errors/index.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import type { Display } from '../streaming/display.js'
import type { LeaseRecord } from './lease-record.js'
import type { BrowserHandle, GuardedNetwork } from './ports.js'
import type { SessionDirectory } from './session-directory.js'
import type { SessionExport, SessionKeeps } from './session-exports.js'
import type { SessionLife } from './session-life.js'
import type { FinalSessionStatus } from './session-status.js'
import type { SessionParts } from './session-teardown.js'

/** A session whose browser this process has in its hands. */
export interface LiveSession {
  readonly browserSessionId: string
  readonly organizationId: string
  readonly browser: BrowserHandle
  /** Its guarded way to the network; null: it is not guarded. */
  readonly network: GuardedNetwork | null
  /** Whether somebody else started its browser. */
  readonly isAttached: boolean
  /** Whether browser and display outlive this process; left out: no. */
  readonly isDetached?: boolean
  /** The change of an attached browser's own guard that is under way; settles, never rejects. */
  guarding: Promise<void>
  readonly display: Display | null
  readonly directory: SessionDirectory
  /** What stays of it when it ends. */
  readonly keeps: SessionKeeps
  /** Why `url` did not load when the browser started; null: it did, or there was none. */
  readonly urlFailure: string | null
  /** How it is to live, and how worn it is. */
  readonly life: SessionLife
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
  /** What there is to be taken away. */
  readonly parts: SessionParts
  readonly status: FinalSessionStatus
  readonly closeReason: CloseReason
  /** The holder when it ended, for the event. */
  readonly lease: LeaseRecord | undefined
  /** Why the browser was lost; null: it was closed. */
  readonly lossReason: string | null
  isRowFinal: boolean
  isProcessGone: boolean
  /** What stays of it; made with the first attempt. */
  exported: SessionExport | undefined
  /** Whether an attempt is under way. */
  isBusy: boolean
  /** Settles, never rejects, when all has been tried. */
  done: Promise<void>
}

export type BeginEndingParams = Pick<EndingSession, 'status' | 'closeReason' | 'lossReason' | 'isRowFinal'> &
  Partial<Pick<EndingSession, 'lease' | 'parts'>>

/** Every session of this process, in one of three states; counts derive from it. */
export class SessionRegistry {
  readonly #launching = new Map<string, Launching>()
  readonly #live = new Map<string, LiveSession>()
  readonly #ending = new Map<string, EndingSession>()
  /** Ids of browsers that nobody has yet, from the start of their launch until they are handed out or gone. */
  readonly #spares = new Set<string>()
  /** By id: sessions with the same key are as good as each other for whoever wants any; private and attached ones have none. */
  readonly #reuseKeys = new Map<string, string>()
  readonly #listeners = new Set<(endedOrganizationId?: string) => void>()
  readonly #maxSessions: number

  constructor(maxSessions: number) {
    this.#maxSessions = maxSessions
  }

  /** Takes a slot for a launch, or throws `PoolSaturatedError` with the figures. */
  reserve(browserSessionId: string, launching: Launching): void {
    const { launching: starting, live, ending, warm } = this.counts()
    if (!this.hasRoom()) {
      throw new PoolSaturatedError(
        `This host has its ${this.#maxSessions} browser sessions: ${live} running, ${starting} starting, ${ending} ending, ${warm} warm`,
        { maxSessions: this.#maxSessions, running: live, starting, ending, warm },
      )
    }
    this.#launching.set(browserSessionId, launching)
  }

  /** Gives the slot of a launch back. */
  unreserve(browserSessionId: string): void {
    this.#launching.delete(browserSessionId)
    this.changed()
  }

  /** Whether another browser may be started. */
  hasRoom(): boolean {
    const { launching, live, ending, warm } = this.counts()
    return launching + live + ending + warm < this.#maxSessions
  }

  /** A browser that nobody has yet takes a slot. */
  addSpare(browserSessionId: string): void {
    this.#spares.add(browserSessionId)
  }

  /** It is gone, and its slot free. */
  removeSpare(browserSessionId: string): void {
    if (this.#spares.delete(browserSessionId)) this.changed()
  }

  /** It becomes the session of somebody, in the slot that it has. */
  promoteSpare(browserSessionId: string, launching: Launching): void {
    this.#spares.delete(browserSessionId)
    this.#launching.set(browserSessionId, launching)
  }

  /** Lets a session be given to whoever wants one of this key. */
  setReuseKey(browserSessionId: string, key: string): void {
    this.#reuseKeys.set(browserSessionId, key)
  }

  reuseKey(browserSessionId: string): string | undefined {
    return this.#reuseKeys.get(browserSessionId)
  }

  /**
   * Calls the listener whenever a session may have come free, or room for one, with the organisation of a session that has ended;
   * returns the function that ends it.
   */
  onChange(listener: (endedOrganizationId?: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Something that others wait for may have happened: a lease ended, a session came, left, or is gone. */
  changed(endedOrganizationId?: string): void {
    for (const listener of [...this.#listeners]) listener(endedOrganizationId)
  }

  launching(browserSessionId: string): Launching | undefined {
    return this.#launching.get(browserSessionId)
  }

  add(live: LiveSession): void {
    this.#launching.delete(live.browserSessionId)
    this.#live.set(live.browserSessionId, live)
    this.changed()
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
  beginEnding(live: LiveSession, how: BeginEndingParams): EndingSession {
    this.#live.delete(live.browserSessionId)
    const { lease } = live
    const state = { isProcessGone: false, isBusy: false, exported: undefined, done: Promise.resolve() }
    const ending: EndingSession = { live, parts: { ...live, hasDisplay: live.display !== null }, lease, ...state, ...how }
    this.#ending.set(live.browserSessionId, ending)
    this.changed()
    return ending
  }

  /** Takes a session out of the live set that goes on without this process. */
  leave(live: LiveSession): void {
    this.#live.delete(live.browserSessionId)
    this.#reuseKeys.delete(live.browserSessionId)
    this.changed()
  }

  /** Leases on browsers of other hosts. */
  readonly attachedLeases = new Set<LeaseRecord>()

  /** Takes a session out of the live set whose browser is to be replaced; it keeps its slot, as that of a launch. */
  beginRelaunch(live: LiveSession, launching: Launching): void {
    this.#live.delete(live.browserSessionId)
    this.#launching.set(live.browserSessionId, launching)
  }

  /** Forgets an ended session of which nothing is left. */
  settle(ending: EndingSession): void {
    if (ending.isRowFinal && ending.isProcessGone) {
      this.#ending.delete(ending.live.browserSessionId)
      this.#reuseKeys.delete(ending.live.browserSessionId)
    }
    this.changed(ending.isRowFinal ? ending.live.organizationId : undefined)
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
  counts(): { launching: number; live: number; held: number; ending: number; warm: number } {
    let held = 0
    for (const live of this.#live.values()) if (live.lease !== undefined) held += 1
    let ending = 0
    for (const one of this.#ending.values()) if (!one.isProcessGone) ending += 1
    return { launching: this.#launching.size, live: this.#live.size, held, ending, warm: this.#spares.size }
  }

  get maxSessions(): number {
    return this.#maxSessions
  }
}
