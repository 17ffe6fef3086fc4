import type { Action, Target } from '../definition/index.js'
import { ActionError, CredentialError, type Json, RunwrightError, TemplateError } from '../errors/index.js'
import { type Clock, forkAbort, withDeadline } from '../runtime/index.js'
import type { BrowserHandle, PageDialog, PageDriver, PageOperationOptions } from '../sessions/ports.js'
import type { ActionContext } from './action-context.js'
import { bindAction } from './bind-action.js'
import { describeAction } from './describe-action.js'
import {
  isPageless,
  locateForDryRun,
  NAVIGATING_ACTIONS,
  type Performed,
  performOnPage,
  performWithoutPage,
  TAB_ACTIONS,
} from './performers.js'
import { refuseAction } from './scope/refuse-action.js'
import { ScopeWatch } from './scope/scope-watch.js'

/** Time that a driver has, after an action's deadline, to say so itself. */
const DRIVER_GRACE_MS = 1_000
/** Limit of the look at a page after an action. */
const SETTLE_LIMIT_MS = 1_000

type PageAction = Exclude<Action, { type: 'wait' | 'complete' | 'terminate' }>

/** What one attempt at an action came to. */
export interface AttemptOutcome {
  readonly performed: Performed
  readonly error: ActionError | null
  readonly url: string | null
  readonly dialogs: readonly PageDialog[]
  /** The page that was acted on last; null: none. */
  readonly page: PageDriver | null
}

/** One attempt at one action: holds what must be known of it after it failed. */
export class ActionAttempt {
  /** The action with its templates rendered, secrets as references; the authored one until then. */
  bound: Action
  /** The same with its own target, where another way to its element was taken. */
  asAuthored: Action
  readonly #alternativeTarget: Target | null
  readonly #mustNotRepeat: boolean
  readonly #context: ActionContext
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #dialogs: PageDialog[] = []
  #page: PageDriver | null = null

  constructor(params: {
    readonly action: Action
    readonly context: ActionContext
    readonly clock: Clock
    readonly timeoutMs: number
    readonly alternativeTarget?: Target | null
    readonly mustNotRepeat?: boolean
  }) {
    this.bound = params.action
    this.asAuthored = params.action
    this.#alternativeTarget = params.alternativeTarget ?? null
    this.#mustNotRepeat = params.mustNotRepeat ?? false
    this.#context = params.context
    this.#clock = params.clock
    this.#timeoutMs = params.timeoutMs
  }

  /** Never rejects. */
  async run(): Promise<AttemptOutcome> {
    try {
      this.#passStopGate()
      const performed = await this.#perform(this.#context.signal)
      return this.#outcome(performed, null)
    } catch (cause) {
      return this.#outcome({}, this.#failure(cause))
    }
  }

  #passStopGate(): void {
    const { signal, stuck } = this.#context
    signal.throwIfAborted()
    if (stuck.stopReason !== null) throw new ActionError(`the attempt was stopped: ${stuck.stopReason}`, { code: 'STUCK' })
  }

  async #perform(signal: AbortSignal): Promise<Performed> {
    const { texts, dryRun } = this.#context
    this.asAuthored = bindAction(this.bound, (text) => texts.render(text))
    // a recorded target came from a page: it is no template, and must not become one
    this.bound = this.#alternativeTarget === null ? this.asAuthored : ({ ...this.asAuthored, target: this.#alternativeTarget } as Action)
    const action = await texts.reveal(this.bound)
    refuseAction(this.#context.scope, action)
    if (isPageless(action)) return dryRun && action.type === 'wait' ? {} : performWithoutPage(action, signal, this.#clock)
    return this.#bounded(action, signal)
  }

  async #bounded(action: PageAction, signal: AbortSignal): Promise<Performed> {
    const browser = await this.#context.browser()
    const timeoutMs = this.#timeoutMs
    const what = describeAction(this.bound)
    const onTimeout = () => new ActionError(`it took longer than ${timeoutMs} ms`, { code: 'ACTION_TIMEOUT', details: { action: what } })
    // an abort is left to the driver, which stops what it can: only one that does not keep the deadline is left behind
    const run = async (isLate: AbortSignal) => {
      const fork = forkAbort(signal, isLate)
      try {
        return await this.#performIn(browser, action, { signal: fork.signal, timeoutMs })
      } finally {
        fork.dispose()
      }
    }
    return withDeadline({ run, timeoutMs: timeoutMs + DRIVER_GRACE_MS, onTimeout, clock: this.#clock })
  }

  async #performIn(browser: BrowserHandle, action: PageAction, options: PageOperationOptions): Promise<Performed> {
    const { context } = { context: this.#context }
    const watch = new ScopeWatch(context, browser, this.#clock)
    this.#page = await browser.activePage(options)
    this.#page = await watch.before(this.bound, this.#page, options)
    if (context.dryRun) return locateForDryRun(action, this.#page, options)
    const page = this.#page
    await context.beforeActing?.(this.bound, this.#mustNotRepeat)
    page.answerDialogs(('dialog' in action ? action.dialog : undefined) ?? null)
    try {
      const performed = await performOnPage({ action, options, browser, page, context, clock: this.#clock }).catch((error: unknown) => {
        throw watch.explain(error)
      })
      await this.#afterwards(browser, action, options)
      return performed
    } finally {
      page.answerDialogs(null)
      this.#dialogs.push(...page.takeDialogs())
      await watch.after()
    }
  }

  async #afterwards(browser: BrowserHandle, action: PageAction, options: PageOperationOptions): Promise<void> {
    if (NAVIGATING_ACTIONS.has(action.type)) {
      this.#page = await browser.activePage(options)
      const limits = { ...options, timeoutMs: Math.min(options.timeoutMs, SETTLE_LIMIT_MS) }
      await this.#page.settle(limits)
      if (this.#context.scope !== null) await this.#letLeave(this.#page, limits)
    } else if (TAB_ACTIONS.has(action.type)) {
      this.#page = browser.pages().length === 0 ? null : await browser.activePage(options)
    }
  }

  /**
   * A form's submission and what a script puts off begin a moment after the action: under a policy they are waited for, so that where they
   * lead counts as this action's doing. The look waits for two frames of the page, as every reading does.
   */
  async #letLeave(page: PageDriver, limits: PageOperationOptions): Promise<void> {
    await page.fingerprint(limits).catch(() => {}) // it is leaving, or gone
    if (!page.isClosed()) await page.settle(limits)
  }

  #outcome(performed: Performed, error: ActionError | null): AttemptOutcome {
    const page = this.#page
    const url = page === null || page.isClosed() ? null : page.url()
    return { performed, error, url, dialogs: this.#redactedDialogs(), page: page?.isClosed() === false ? page : null }
  }

  #redactedDialogs(): PageDialog[] {
    return this.#dialogs.map((dialog) => ({ ...dialog, message: this.#context.texts.redact(dialog.message) }))
  }

  /** The failure as callers get it: without secrets, which a driver may have put into its message. */
  #failure(cause: unknown): ActionError {
    const { texts } = this.#context
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = String(texts.redact(`${describeAction(this.bound)}: ${reason}`))
    const details = cause instanceof RunwrightError ? (texts.redact(cause.details as Json) as RunwrightError['details']) : {}
    const code = codeOf(cause)
    return new ActionError(message, { code, details, cause, retryable: cause instanceof ActionError && cause.retryable })
  }
}

function codeOf(cause: unknown): ActionError['code'] {
  if (cause instanceof ActionError) return cause.code
  if (cause instanceof TemplateError || cause instanceof CredentialError) return cause.code as ActionError['code']
  return 'ACTION_FAILED'
}
