import type { Clock } from '../runtime/index.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import type { BrowserStartRequest } from './browser-start.js'

/** What becomes of a session whose browser is lost. */
export type OnBrowserLost = 'fail' | 'relaunch'

/** How a session is to live, and how worn it is: known to the host that has its browser. */
export interface SessionLife {
  /** Null: it may idle until its end. */
  readonly idleTimeoutMinutes: number | null
  readonly onBrowserLost: OnBrowserLost
  /** How its browser is started again; null: it cannot be. Without a profile, when what it gave was taken away. */
  start: BrowserStartRequest | null
  /** When its browser and its present context began, by the monotonic clock. */
  readonly bornAtMs: number
  contextBornAtMs: number
  /** Leases that ended, of the browser and of its present context. */
  uses: number
  contextUses: number
  /** Resident memory of its processes when last measured, in bytes; null: not measured. */
  memoryBytes: number | null
  /** The measurement under way; settles, never rejects. */
  measuring: Promise<void>
  /** Why it takes no new holder and ends with its lease; null: it does. */
  unfit: CloseReason | null
  /** Whether it is being sanitised: a lease that is lost meanwhile leaves it tainted. */
  isUnclean: boolean
  /** Probes in a row to which its browser did not answer in time while it was held. */
  missedProbes: number
  /** When its browser was relaunched, by the monotonic clock. */
  readonly relaunchedAtMs: readonly number[]
}

export function newLife(params: {
  readonly clock: Clock
  readonly idleTimeoutMinutes?: number | null | undefined
  readonly onBrowserLost?: OnBrowserLost | undefined
  readonly start?: BrowserStartRequest | undefined
  readonly relaunchedAtMs?: readonly number[]
}): SessionLife {
  const nowMs = params.clock.monotonicMs()
  return {
    idleTimeoutMinutes: params.idleTimeoutMinutes ?? null,
    onBrowserLost: params.onBrowserLost ?? 'fail',
    start: params.start ?? null,
    bornAtMs: nowMs,
    contextBornAtMs: nowMs,
    uses: 0,
    contextUses: 0,
    memoryBytes: null,
    measuring: Promise.resolve(),
    unfit: null,
    isUnclean: false,
    missedProbes: 0,
    relaunchedAtMs: params.relaunchedAtMs ?? [],
  }
}
