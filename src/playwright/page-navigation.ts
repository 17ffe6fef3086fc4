import type { Download, Frame, Page, Request, Response } from 'playwright-core'
import { ActionError } from '../errors/index.js'
import { type Clock, raceAbort, sleep } from '../runtime/index.js'
import type { NavigationResult, PageOperationOptions } from '../sessions/ports.js'
import { safeFilename } from './download-file.js'
import type { PageDebugger } from './page-debugger.js'
import { atBoundary } from './playwright-errors.js'

/** Once the document is there: how much longer a navigation waits for pictures and other people's scripts. */
const LOAD_GRACE_MS = 5_000

/** For Chromium's own page about a navigation that failed. */
const ERROR_PAGE_WITHIN_MS = 500

/** For the news of a download, once a navigation has ended as one. */
const DOWNLOAD_WITHIN_MS = 1_000
/** For what an aborted navigation was: a download, one of the page's own in its place, or an answer without content. */
const ABORTED_WITHIN_MS = 100

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
  const downloads = watchDownloads(page)
  try {
    return await atBoundary({ what, url: page.url(), timeoutMs: options.timeoutMs }, options, async () => {
      const response = await goInterrupted(params, () => go(limits())).catch(async (error: unknown) => {
        const download = await downloads.ofFailure(error, params)
        if (download === null) throw error
        return download
      })
      if (typeof response === 'string') {
        return { url: page.url(), title: await titleOf(page, options), httpStatus: null, download: response }
      }
      await page.waitForLoadState('load', limits(LOAD_GRACE_MS)).catch(() => options.signal.throwIfAborted())
      return { url: page.url(), title: await titleOf(page, options), httpStatus: response?.status() ?? null }
    })
  } catch (error) {
    if (options.signal.aborted || (ActionError.is(error) && error.code === 'ACTION_TIMEOUT')) await tools.stopLoading()
    throw error
  } finally {
    downloads.dispose()
  }
}

/** An address that is a file fails as a navigation: the page stays where it is. */
function watchDownloads(page: Page) {
  let begun: Download | null = null
  let tell = () => {}
  const onDownload = (download: Download) => {
    begun = download
    tell()
  }
  page.on('download', onDownload)
  const arrival = async (clock: Clock, ms: number, signal: AbortSignal) => {
    if (begun !== null) return
    const news = new Promise<void>((resolve) => {
      tell = resolve
    })
    await Promise.race([news, sleep(clock, ms, signal)])
  }
  return {
    /** Name of the file as which a navigation ended; null when it ended otherwise. */
    ofFailure: async (error: unknown, { clock, options }: NavigateParams): Promise<string | null> => {
      const message = error instanceof Error ? error.message : ''
      const isDownload = message.includes('Download is starting')
      if (!isDownload && !message.includes('net::ERR_ABORTED')) return null
      await arrival(clock, isDownload ? DOWNLOAD_WITHIN_MS : 0, options.signal)
      if (begun !== null) return safeFilename((begun as Download).suggestedFilename())
      return isDownload ? 'download' : null
    },
    dispose: () => page.off('download', onDownload),
  }
}

/**
 * Playwright gives a navigation up when another one commits: one that was on its way before, or that the page began meanwhile. It is
 * stopped in the browser as well, or would in turn interrupt the next, and asked for again.
 */
async function goInterrupted(params: NavigateParams, go: () => Promise<Response | null>, attemptsLeft = 2): Promise<Response | null> {
  const errorPage = watchErrorPage(params.page)
  const others = watchNavigations(params.page)
  try {
    return await go()
  } catch (error) {
    const message = error instanceof Error ? error.message : ''
    if (/net::ERR_(?!ABORTED)/.test(message)) await errorPage.committed(params.clock)
    const isInterrupted =
      message.includes('interrupted by another navigation') ||
      (message.includes('net::ERR_ABORTED') && (await others.hasRival(params.clock)))
    if (attemptsLeft === 0 || !isInterrupted) throw error
    await params.tools.stopLoading()
    return goInterrupted(params, go, attemptsLeft - 1)
  } finally {
    errorPage.dispose()
    others.dispose()
  }
}

/** Counts the navigations of a page's main frame that begin; a redirect is part of one. */
function watchNavigations(page: Page) {
  let count = 0
  let tell = () => {}
  const onRequest = (request: Request) => {
    if (!isOwnNavigation(page, request)) return
    count += 1
    if (count > 1) tell()
  }
  const onDownload = () => tell()
  page.on('request', onRequest)
  page.on('download', onDownload)
  return {
    /** Whether the page went elsewhere by itself; the news may come a moment after the failure that it caused. */
    hasRival: async (clock: Clock) => {
      const news = new Promise<void>((resolve) => {
        tell = resolve
      })
      if (count < 2) await Promise.race([news, sleep(clock, ABORTED_WITHIN_MS)])
      return count > 1
    },
    dispose: () => {
      page.off('request', onRequest)
      page.off('download', onDownload)
    },
  }
}

function isOwnNavigation(page: Page, request: Request): boolean {
  try {
    return request.isNavigationRequest() && request.redirectedFrom() === null && request.frame() === page.mainFrame()
  } catch {
    return false // a service worker's request has no frame
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
