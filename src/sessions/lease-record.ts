import type { SessionError } from '../errors/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import type { Runnable } from './browser-session.js'
import type { LiveSession } from './session-registry.js'

export type LeaseState = 'held' | 'releasing' | 'released' | 'lost'

export interface LeaseRecordParams {
  readonly live: LiveSession
  readonly runnable: Runnable
  readonly token: string
  readonly fence: number
  readonly requestId: string | undefined
  readonly row: BrowserSessionRow
  /** End of the lease by this host's monotonic clock, counted from before the write that took it. */
  readonly endsAtMs: number
}

/** What this host knows of one lease; shared by the holder's `SessionLease`, the keeper and the heartbeat. */
export class LeaseRecord {
  readonly live: LiveSession
  readonly runnable: Runnable
  readonly token: string
  readonly fence: number
  readonly requestId: string | undefined
  row: BrowserSessionRow
  endsAtMs: number
  #state: LeaseState = 'held'
  #lossInWaiting: SessionError | undefined
  readonly #controller = new AbortController()

  constructor(params: LeaseRecordParams) {
    this.live = params.live
    this.runnable = params.runnable
    this.token = params.token
    this.fence = params.fence
    this.requestId = params.requestId
    this.row = params.row
    this.endsAtMs = params.endsAtMs
  }

  get state(): LeaseState {
    return this.#state
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Tells the holder that it is no longer one. While a release is being written, the news waits for how that ends. */
  lose(reason: SessionError): void {
    if (this.#state === 'releasing') this.#lossInWaiting ??= reason
    if (this.#state !== 'held') return
    this.#state = 'lost'
    this.#detach()
    this.#controller.abort(reason)
  }

  /** From here on nothing aborts the signal, unless the release turns out not to have happened. */
  beginRelease(): void {
    if (this.#state === 'held') this.#state = 'releasing'
  }

  endRelease(committed: boolean): void {
    if (this.#state !== 'releasing') return
    if (committed) {
      this.#state = 'released'
      this.#detach()
      return
    }
    this.#state = 'held'
    if (this.#lossInWaiting !== undefined) this.lose(this.#lossInWaiting)
  }

  /** Takes over what a renewal brought. */
  renewed(row: BrowserSessionRow, endsAtMs: number): void {
    this.row = row
    this.endsAtMs = endsAtMs
  }

  #detach(): void {
    if (this.live.lease === this) this.live.lease = undefined
  }
}
