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
  readonly clock: Clock
}

/** The pages that are outside, by their address, a frame's, or the request that they failed with. Costs nothing when all is well. */
export async function findStrays({ scope, pages, clock }: FindStraysParams): Promise<readonly Stray[]> {
  const strays: (Stray | Promise<Stray | null>)[] = []
  for (const page of pages) {
    if (page.isClosed()) continue
    const refusal = refusalOf(scope, page)
    if (refusal !== null) strays.push({ page, refusal, request: null })
    else if (isErrorPage(page)) strays.push(explained(page, scope.blockedSince(0), clock))
  }
  return strays.length === 0 ? [] : (await Promise.all(strays)).filter((stray) => stray !== null)
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

/**
 * An error page with the refused request that it is about; null: it failed for another reason. The title of Chromium's error page is the
 * host, and one that was refused once is always refused.
 */
async function explained(page: PageDriver, requests: readonly BlockedRequest[], clock: Clock): Promise<Stray | null> {
  if (requests.length === 0) return null
  const title = await bounded(clock, TITLE_LIMIT_MS, (options) => page.title(options)).catch(() => null)
  const host = title === null ? null : canonicalHost(title)
  const isAbout = (request: BlockedRequest) => canonicalHost(request.host) === host
  const request = title === null ? requests.at(-1) : requests.findLast(isAbout) // rather brought back once too often
  return request === undefined ? null : { page, refusal: refusalOfRequest(request), request }
}

/** The refusal of an action that a refused request explains. */
export function refusalOfRequest({ rule, reason, url, host, port }: BlockedRequest): ScopeRefusal {
  return { rule, reason, url: url ?? `${host}:${port}` }
}

export interface UndoStraysParams {
  readonly strays: readonly Stray[]
  readonly scope: ActionScope
  readonly browser: BrowserHandle
  /** Where each page was before, by its id; null: nobody has looked yet. */
  readonly places: ReadonlyMap<string, string> | null
  readonly clock: Clock
}

/**
 * Closes pages that were opened outside; brings those back that went there: to the page before when that one is in scope, else to an
 * empty page. All at once, in at most 3 seconds. Never rejects: a page that does not let go is found again before the next action.
 */
export async function undoStrays({ strays, scope, browser, places, clock }: UndoStraysParams): Promise<void> {
  // at the first look, what an earlier lease has left open is emptied
  const isNew = ({ page }: Stray) => places !== null && !places.has(page.pageId)
  // a browser may end with its last page
  const kept = strays.length === browser.pages().length && strays.every(isNew) ? strays[0] : undefined
  const undo = (stray: Stray) =>
    bounded(clock, UNDO_LIMIT_MS, (options) =>
      isNew(stray) && stray !== kept
        ? stray.page.close(options)
        : bringBack(stray.page, scope, places?.get(stray.page.pageId) ?? 'about:blank', options),
    ).catch(() => {}) // found again
  await Promise.all(strays.map(undo))
}

/**
 * Takes tabs off error pages that an earlier holder of the browser left, as nobody knows any more what they failed for: to the page before
 * when that one is in scope, else to an empty page. Never rejects.
 */
export async function leaveErrorPages(pages: readonly PageDriver[], scope: ActionScope, clock: Clock): Promise<void> {
  const left = pages.filter((page) => !page.isClosed() && isErrorPage(page))
  const leave = (page: PageDriver) => bounded(clock, UNDO_LIMIT_MS, (options) => goBackOrEmpty(page, scope, options)).catch(() => {})
  await Promise.all(left.map(leave)) // one that does not let go is as it was
}

async function bringBack(page: PageDriver, scope: ActionScope, wasAt: string, options: PageOperationOptions): Promise<void> {
  if (/^https?:/.test(wasAt) && scope.checkUrl(wasAt, 'page') === null) return goBackOrEmpty(page, scope, options)
  await page.navigate('about:blank', options)
}

async function goBackOrEmpty(page: PageDriver, scope: ActionScope, options: PageOperationOptions): Promise<void> {
  await page.goBack(options).catch(() => {}) // then it is emptied
  if (isErrorPage(page) || refusalOf(scope, page) !== null) await page.navigate('about:blank', options)
}

function bounded<T>(clock: Clock, timeoutMs: number, run: (options: PageOperationOptions) => Promise<T>): Promise<T> {
  const onTimeout = () => new Error(`a page does not answer within ${timeoutMs} ms`)
  return withDeadline({ run: (signal) => run({ signal, timeoutMs }), timeoutMs, onTimeout, clock })
}
