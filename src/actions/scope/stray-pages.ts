import { type Clock, withDeadline } from '../../runtime/index.js'
import type { BlockedRequest, BrowserHandle, PageDriver, PageOperationOptions } from '../../sessions/ports.js'
import type { ActionScope, ScopeRefusal } from './action-scope.js'
import { canonicalHost } from './hosts.js'

/** A page that shows what it may not. */
export interface Stray {
  readonly page: PageDriver
  readonly refusal: ScopeRefusal
  /** The refused request that it failed with; null: it shows what was never asked of the network guard. */
  readonly request: BlockedRequest | null
}

/** Limit of everything that is done about one page, in milliseconds. */
const UNDO_LIMIT_MS = 3_000
/** Of the look at an error page. */
const TITLE_LIMIT_MS = 1_000

export interface FindStraysParams {
  readonly scope: ActionScope
  readonly pages: readonly PageDriver[]
  /** Requests that were refused after so many ones may explain an error page. */
  readonly blockedBefore: number
  readonly clock: Clock
}

/** The pages that are outside, by their address, a frame's, or the request that they failed with. Costs nothing when all is well. */
export async function findStrays({ scope, pages, blockedBefore, clock }: FindStraysParams): Promise<readonly Stray[]> {
  const strays: Stray[] = []
  for (const page of pages) {
    if (page.isClosed()) continue
    const refusal = refusalOf(scope, page)
    if (refusal !== null) strays.push({ page, refusal, request: null })
    else if (isErrorPage(page)) {
      const request = await explanationOf(page, scope.blockedSince(blockedBefore), clock)
      if (request !== null) strays.push({ page, refusal: refusalFor(request), request })
    }
  }
  return strays
}

function refusalOf(scope: ActionScope, page: PageDriver): ScopeRefusal | null {
  const [main = page.url(), ...frames] = page.frameUrls()
  const refusal = scope.checkUrl(page.url(), 'page')
  if (refusal !== null) return refusal
  for (const frame of frames) {
    // what a local file may show, its frames may; a page of the web may not
    const kind = frame.startsWith('file:') && main.startsWith('file:') ? 'page' : 'frame'
    const refused = scope.checkUrl(frame, kind)
    if (refused !== null) return refused
  }
  return null
}

const isErrorPage = (page: PageDriver): boolean => page.url().startsWith('chrome-error:')

/** The refused request that a page failed with: the title of Chromium's error page is the host. */
async function explanationOf(page: PageDriver, requests: readonly BlockedRequest[], clock: Clock): Promise<BlockedRequest | null> {
  if (requests.length === 0) return null
  const title = await bounded(clock, TITLE_LIMIT_MS, (options) => page.title(options)).catch(() => null)
  if (title === null) return requests.at(-1) ?? null // it cannot be told: rather brought back once too often
  const host = canonicalHost(title)
  return requests.findLast((request) => canonicalHost(request.host) === host) ?? null
}

function refusalFor({ rule, reason, url, host, port }: BlockedRequest): ScopeRefusal {
  return { rule, reason, url: url ?? `${host}:${port}` }
}

export interface UndoStrayParams {
  readonly stray: Stray
  readonly scope: ActionScope
  readonly browser: BrowserHandle
  /** Where the page was before; null: it was not there. */
  readonly wasAt: string | null
  readonly clock: Clock
}

/**
 * Closes a page that was opened outside; brings one back that went there: to the page before when that one is in scope, else to an empty
 * page. Never rejects: a page that does not let go is found again before the next action.
 */
export async function undoStray({ stray, scope, browser, wasAt, clock }: UndoStrayParams): Promise<void> {
  const { page } = stray
  await bounded(clock, UNDO_LIMIT_MS, async (options) => {
    // a browser may end with its last page
    if (wasAt === null && browser.pages().length > 1) return page.close(options)
    if (wasAt !== null && /^https?:/.test(wasAt) && scope.checkUrl(wasAt, 'page') === null) {
      await page.goBack(options).catch(() => {}) // then it is emptied
      if (!isErrorPage(page) && refusalOf(scope, page) === null) return
    }
    await page.navigate('about:blank', options)
  }).catch(() => {})
}

function bounded<T>(clock: Clock, timeoutMs: number, run: (options: PageOperationOptions) => Promise<T>): Promise<T> {
  const onTimeout = () => new Error(`a page does not answer within ${timeoutMs} ms`)
  return withDeadline({ run: (signal) => run({ signal, timeoutMs }), timeoutMs, onTimeout, clock })
}
