import type { Action } from '../../definition/index.js'
import { ActionError, type Json } from '../../errors/index.js'
import type { Clock } from '../../runtime/index.js'
import type { BlockedRequest, BrowserHandle, PageDriver, PageOperationOptions } from '../../sessions/ports.js'
import type { ActionContext } from '../action-context.js'
import type { ActionScope, ScopeRefusal } from './action-scope.js'
import { canonicalHost } from './hosts.js'
import { blocked } from './refuse-action.js'
import { findStrays, leaveErrorPages, refusalOfRequest, type Stray, undoStrays } from './stray-pages.js'

/**
 * Address of each page, by its id, when the pages of a scope were looked at last. Kept over the actions of an execution: what happens
 * between two of them is found before the second.
 */
const lastPlaces = new WeakMap<ActionScope, ReadonlyMap<string, string>>()

/** What Chromium calls a connection that the proxy refused, and a request that its own guard did. */
const REFUSED_REQUEST = /ERR_SOCKS_CONNECTION_FAILED|ERR_BLOCKED_BY_CLIENT/

/** Holds the pages of a browser to the scope, before and after one action. Without a policy it does nothing. */
export class ScopeWatch {
  readonly #context: ActionContext
  readonly #browser: BrowserHandle
  readonly #clock: Clock

  constructor(context: ActionContext, browser: BrowserHandle, clock: Clock) {
    this.#context = context
    this.#browser = browser
    this.#clock = clock
  }

  /**
   * Blinders, pages that wandered off since the action before, guardrails. Resolves to the page to act on: another one where a pop-up
   * had to be closed.
   * @throws {ActionError} `ACTION_BLOCKED`
   */
  async before(bound: Action, page: PageDriver, options: PageOperationOptions): Promise<PageDriver> {
    const { scope } = this.#context
    await this.#browser.setBlinders(scope?.blinders ?? [], options) // also without any: a lease before may have left some
    if (scope === null) return page
    if (!lastPlaces.has(scope)) await leaveErrorPages(this.#browser.pages(), scope, this.#clock)
    for (const stray of await this.#undoStrays(scope)) {
      // one that a request explains has its event already
      if (stray.request === null) scope.network.onBlocked(asRequest(stray.refusal))
    }
    const here = page.isClosed() ? await this.#browser.activePage(options) : page
    const { organizationId, workflowRunId, blockLabel, texts } = this.#context
    // guardrails write down what they are asked: a handler's actions hold secrets as they are, and pages put them into addresses
    const action = texts.redact(bound as unknown as Json) as unknown as Action
    const request = { organizationId, workflowRunId, blockLabel, action, page: { url: texts.redact(here.url()) }, signal: options.signal }
    const refusal = await scope.review(request)
    if (refusal !== null) throw blocked(refusal)
    return here
  }

  /** A failure that a refused request explains comes out as `ACTION_BLOCKED`; any other as it is. */
  explain(error: unknown): unknown {
    const { scope } = this.#context
    if (scope === null || !ActionError.is(error) || !REFUSED_REQUEST.test(error.message)) return error
    const request = scope.blockedSince(0).findLast(({ host }) => error.message.includes(host))
    return request === undefined ? error : blocked(refusalOfRequest(request))
  }

  /**
   * Undoes what has left the scope, in a time of its own: also after an action that was called off.
   * @throws {ActionError} `ACTION_BLOCKED`
   */
  async after(): Promise<void> {
    const { scope } = this.#context
    if (scope === null) return
    const [first] = await this.#undoStrays(scope)
    if (first !== undefined) throw blocked(first.refusal)
  }

  /** Brings pages back that are outside, and closes those that were opened there. */
  async #undoStrays(scope: ActionScope): Promise<readonly Stray[]> {
    const [browser, clock] = [this.#browser, this.#clock]
    const strays = await findStrays({ scope, pages: browser.pages(), clock })
    if (strays.length > 0) await undoStrays({ strays, scope, browser, places: lastPlaces.get(scope) ?? null, clock })
    lastPlaces.set(scope, new Map(browser.pages().map((page) => [page.pageId, page.url()])))
    return strays
  }
}

function asRequest({ rule, reason, url = '' }: ScopeRefusal): BlockedRequest {
  const parsed = URL.canParse(url) ? new URL(url) : null
  const host = parsed === null ? '' : (canonicalHost(parsed.hostname) ?? '')
  return { host, port: Number(parsed?.port || (parsed?.protocol === 'https:' ? 443 : 80)), rule, reason, url }
}
