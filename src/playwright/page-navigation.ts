import type { Frame, Page, Response } from 'playwright-core'
import { ActionError } from '../errors/index.js'
import { type Clock, raceAbort, sleep } from '../runtime/index.js'
import type { NavigationResult, PageOperationOptions } from '../sessions/ports.js'
import type { PageDebugger } from './page-debugger.js'
import { atBoundary } from './playwright-errors.js'

/** Once the document is there: how much longer a navigation waits for pictures and other people's scripts. */
const LOAD_GRACE_MS = 5_000

/** For Chromium's own page about a navigation that failed. */
const ERROR_PAGE_WITHIN_MS = 500

export interface NavigateParams {
  readonly page: Page
  readonly tools: PageDebugger
  readonly clock: Clock
  readonly options: PageOperationOptions
  /** For messages: `Navigation to https://…`. */
  readonly what: string
}

interface Limits {
  readonly timeout: number
  readonly signal: AbortSignal
}

/** Goes somewhere: waits for the document, then a while for its load event. One that is given up is stopped in the browser as well. */
export async function navigate(params: NavigateParams, go: (limits: Limits) => Promise<Response | null>): Promise<NavigationResult> {
  const { page, tools, clock, options, what } = params
  const endsAtMs = clock.monotonicMs() + options.timeoutMs
  const limits = (atMostMs = Number.POSITIVE_INFINITY): Limits => ({
    timeout: Math.max(1, Math.min(atMostMs, endsAtMs - clock.monotonicMs())),
    signal: options.signal,
  })
  try {
    return await atBoundary({ what, url: page.url(), timeoutMs: options.timeoutMs }, options, async () => {
      const response = await goInterrupted(params, () => go(limits()))
      await page.waitForLoadState('load', limits(LOAD_GRACE_MS)).catch(() => options.signal.throwIfAborted())
      return { url: page.url(), title: await titleOf(page, options), httpStatus: response?.status() ?? null }
    })
  } catch (error) {
    if (options.signal.aborted || (ActionError.is(error) && error.code === 'ACTION_TIMEOUT')) await tools.stopLoading()
    throw error
  }
}

/**
 * Playwright gives a navigation up when another one commits: one that was on its way before. It is stopped in the browser as well, or
 * would in turn interrupt the next, and asked for again.
 */
async function goInterrupted(params: NavigateParams, go: () => Promise<Response | null>, attemptsLeft = 2): Promise<Response | null> {
  const errorPage = watchErrorPage(params.page)
  try {
    return await go()
  } catch (error) {
    const message = error instanceof Error ? error.message : ''
    if (message.includes('Download is starting')) return null // the address is a file: the page stays where it is
    if (/net::ERR_(?!ABORTED)/.test(message)) await errorPage.committed(params.clock)
    if (attemptsLeft === 0 || !message.includes('interrupted by another navigation')) throw error
    await params.tools.stopLoading()
    return goInterrupted(params, go, attemptsLeft - 1)
  } finally {
    errorPage.dispose()
  }
}

/** Chromium shows its own page about a failed navigation a moment after saying so; it would interrupt the next navigation. */
function watchErrorPage(page: Page) {
  let hasCommitted = false
  let tell = () => {}
  const onNavigated = (frame: Frame) => {
    if (frame !== page.mainFrame() || !frame.url().startsWith('chrome-error:')) return
    hasCommitted = true
    tell()
  }
  page.on('framenavigated', onNavigated)
  return {
    /** At most a moment: it need not come. */
    committed: async (clock: Clock) => {
      if (hasCommitted) return
      const arrival = new Promise<void>((resolve) => {
        tell = resolve
      })
      await Promise.race([arrival, sleep(clock, ERROR_PAGE_WITHIN_MS)])
    },
    dispose: () => page.off('framenavigated', onNavigated),
  }
}

/** A title is worth no failed navigation. */
async function titleOf(page: Page, options: PageOperationOptions): Promise<string> {
  const title = page.title().catch(() => '') // it navigates again already
  return raceAbort(title, options.signal)
}
