import type { Page } from 'playwright-core'
import { type Clock, raceAbort, sleep, withDeadline } from '../runtime/index.js'
import type { PageOperationOptions } from '../sessions/ports.js'
import type { PageDocument } from './dom.js'
import { pageScript } from './dom.js'
import type { ActivityMark, PageActivity } from './page-activity.js'

declare const document: PageDocument
declare const requestAnimationFrame: (callback: () => void) => void
declare const setTimeout: (callback: () => void, ms: number) => void

/** As long as `settle` ever waits. */
export const SETTLE_BUDGET_MS = 1_000

/** Between two looks at a page that is still busy; its requests' ends are heard of at once. */
const LOOK_EVERY_MS = 50

/** Runs in the page, as text: two frames on, whatever a handler did at once has been drawn. A hidden page draws none. */
function afterFrames(): Promise<string> {
  return new Promise((resolve) => {
    const done = () => resolve(document.readyState)
    setTimeout(done, 60)
    requestAnimationFrame(() => requestAnimationFrame(done))
  })
}

const AFTER_FRAMES = pageScript(afterFrames)

export interface SettleParams {
  readonly page: Page
  readonly activity: PageActivity
  /** Only what began after it is waited for. */
  readonly mark: ActivityMark
  /** Whether a tab that the page opened is not there yet. */
  readonly isOpeningTab: () => boolean
  readonly options: PageOperationOptions
  readonly clock: Clock
}

/**
 * Waits until a page draws nothing new of its own: loaded when it is another document than before, no request in flight that began since,
 * no tab on its way. Rejects only for an abort.
 */
export async function settle(params: SettleParams): Promise<void> {
  const { options, clock } = params
  const timeoutMs = Math.min(SETTLE_BUDGET_MS, options.timeoutMs)
  try {
    await withDeadline({
      run: (signal) => untilQuiet(params, signal),
      timeoutMs,
      onTimeout: () => new Error('busy'),
      signal: options.signal,
      clock,
    })
  } catch {
    options.signal.throwIfAborted() // anything else: it did not come to rest, which is no failure
  }
}

async function untilQuiet(params: SettleParams, signal: AbortSignal): Promise<void> {
  const { page, activity, mark, isOpeningTab, clock } = params
  while (!page.isClosed() && !signal.aborted) {
    const readyState = await raceAbort(
      page.evaluate<string, undefined>(AFTER_FRAMES, undefined).catch(() => 'navigating'),
      signal,
    )
    const isLoaded = readyState === 'complete' || (readyState !== 'navigating' && !activity.hasNavigatedSince(mark))
    if (isLoaded && activity.isQuietSince(mark) && !isOpeningTab()) return
    await nextChange(activity, clock, signal)
  }
}

function nextChange(activity: PageActivity, clock: Clock, signal: AbortSignal): Promise<void> {
  let untie = () => {}
  const change = new Promise<void>((resolve) => {
    untie = activity.onChange(resolve)
  })
  return Promise.race([change, sleep(clock, LOOK_EVERY_MS, signal)]).finally(() => untie())
}
