import type { SessionError } from '../errors/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import type { Runnable } from './browser-session.js'
import type { BrowserHandle } from './ports.js'

export type LeaseState = 'held' | 'releasing' | 'released' | 'lost'

export interface LeaseRecordParams {
  readonly runnable: Runnable
  readonly token: string
  readonly fence: number
  readonly browser: BrowserHandle
  readonly row: BrowserSessionRow
  /** End of the lease by this host's monotonic clock, counted from before the write that took it. */
  readonly endsAtMs: number
  /** Called once, when the lease is released or lost. */
  readonly onEnd: (record: LeaseRecord) => void
}

/** What this host knows of one lease; shared by the holder's `SessionLease`, the keeper and the heartbeat. */
export class LeaseRecord {
  readonly runnable: Runnable
  readonly token: string
  readonly fence: number
  readonly browser: BrowserHandle
  row: BrowserSessionRow
  endsAtMs: number
  /** Whether the heartbeat renews it: not after `release()`, so that a release that failed lapses by itself. */
  isRenewed = true
  /** Whether its holder has been active since the last heartbeat. */
  isTouched = false
  #state: LeaseState = 'held'
  #lossInWaiting: SessionError | undefined
  #isReleaseUnanswered = false
  readonly #controller = new AbortController()
  readonly #onEnd: (record: LeaseRecord) => void

  constructor(params: LeaseRecordParams) {
    this.runnable = params.runnable
    this.token = params.token
    this.fence = params.fence
    this.browser = params.browser
    this.row = params.row
    this.endsAtMs = params.endsAtMs
    this.#onEnd = params.onEnd
  }

  get browserSessionId(): string {
    return this.row.browserSessionId
  }

  get state(): LeaseState {
    return this.#state
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Whether it is released or lost; or lost while its release is being written, which its holder hears of only if that fails. */
  get isOver(): boolean {
    return this.#state === 'released' || this.#state === 'lost' || this.#lossInWaiting !== undefined
  }

  /** Tells the holder that it is no longer one. While a release is being written, the news waits for how that ends. */
  lose(reason: SessionError): void {
    if (this.#state === 'releasing') this.#loseWhileReleasing(reason)
    if (this.#state !== 'held') return
    this.#end('lost')
    this.#controller.abort(reason)
  }

  /** From here on nothing aborts the signal, unless the release turns out not to have happened. */
  beginRelease(): void {
    this.#isReleaseUnanswered = false
    if (this.#state === 'held') this.#state = 'releasing'
  }

  /** The write of its release failed, and may have been applied: its holder has let go of it, and may try again until it lapses. */
  releaseUnanswered(): void {
    this.#isReleaseUnanswered = true
    if (this.#state === 'releasing' && this.#lossInWaiting !== undefined) this.#end('released')
  }

  endRelease(committed: boolean): void {
    if (this.#state !== 'releasing') return
    if (committed) {
      this.#end('released')
    } else {
      this.#state = 'held'
      if (this.#lossInWaiting !== undefined) this.lose(this.#lossInWaiting)
    }
  }

  /** Takes over what a renewal brought. */
  renewed(row: BrowserSessionRow, endsAtMs: number): void {
    this.row = row
    this.endsAtMs = endsAtMs
  }

  /** There is nobody to be told if the release has failed already, and nothing to wait for. */
  #loseWhileReleasing(reason: SessionError): void {
    this.#lossInWaiting ??= reason
    if (this.#isReleaseUnanswered) this.#end('released')
  }

  #end(state: 'released' | 'lost'): void {
    this.#state = state
    this.#onEnd(this)
  }
}
