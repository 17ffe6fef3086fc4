import type { Action } from '../definition/index.js'
import { ActionError, type Json, RunwrightError } from '../errors/index.js'
import { type Clock, forkAbort, type Ids, withDeadline } from '../runtime/index.js'
import type { BrowserHandle, PageDriver, PageOperationOptions } from '../sessions/ports.js'
import type { ActionContext } from './action-context.js'
import type { ActionResult } from './action-result.js'
import { bindAction } from './bind-action.js'
import { describeAction } from './describe-action.js'
import { isPageless, NAVIGATING_ACTIONS, type Performed, performOnPage, performWithoutPage, TAB_ACTIONS } from './performers.js'

/** Deadlines of actions that name none, in milliseconds. */
export interface ActionTimeouts {
  /** @default 15,000 */
  readonly actionTimeoutMs: number
  /** For `goto_url`, `go_back`, `reload` and `new_tab`. @default 30,000 */
  readonly navigationTimeoutMs: number
}

/** Time that a driver has, after an action's deadline, to say so itself. */
const DRIVER_GRACE_MS = 1_000

const NAVIGATIONS: ReadonlySet<Action['type']> = new Set(['goto_url', 'go_back', 'reload', 'new_tab'])

/**
 * The one door to a page: steps, handlers and single actions all come through here.
 * In order: stop gate, target and page, perform within its deadline, settle, record.
 */
export class ActionRouter {
  readonly #clock: Clock
  readonly #ids: Ids
  readonly #timeouts: ActionTimeouts

  constructor(options: { readonly clock: Clock; readonly ids: Ids; readonly timeouts: ActionTimeouts }) {
    this.#clock = options.clock
    this.#ids = options.ids
    this.#timeouts = options.timeouts
  }

  /** Performs one action, whose texts are templates still. Never rejects: a failure is a result with its cause. */
  async execute(action: Action, context: ActionContext, stepIndex: number): Promise<ActionResult> {
    const startedMs = this.#clock.monotonicMs()
    const attempt = new ActionAttempt(action, context, this.#clock, this.#timeoutFor(action))
    const outcome = await attempt.run()
    const result: ActionResult = {
      type: action.type,
      status: statusOf(outcome.error, context.signal),
      value: outcome.performed.value ?? null,
      error: outcome.error,
      ending: outcome.performed.ending ?? null,
      url: outcome.url,
      durationMs: this.#clock.monotonicMs() - startedMs,
    }
    try {
      this.#record(attempt.bound, result, context, stepIndex)
    } catch {
      // what happened on the page has happened: a failing recorder changes nothing
    }
    return result
  }

  #timeoutFor(action: Action): number {
    if (action.type === 'wait') return action.waitSec * 1_000 + this.#timeouts.actionTimeoutMs
    return action.timeoutMs ?? (NAVIGATIONS.has(action.type) ? this.#timeouts.navigationTimeoutMs : this.#timeouts.actionTimeoutMs)
  }

  #record(bound: Action, result: ActionResult, context: ActionContext, stepIndex: number): void {
    const { texts } = context
    const { code, message } = result.error ?? {}
    context.record({
      actionId: this.#ids.next('act'),
      workflowRunId: context.workflowRunId,
      blockLabel: context.blockLabel,
      runBlockId: context.runBlockId,
      stepIndex,
      type: result.type,
      target: 'target' in bound ? texts.redact((bound.target ?? null) as Json) : null,
      intention: texts.redact(bound.intention ?? null),
      value: texts.redact(recordedValue(bound)),
      status: result.status,
      error: code === undefined || message === undefined ? null : texts.redact({ code, message }),
      url: texts.redact(result.url),
      screenshotArtifactId: result.type === 'screenshot' && typeof result.value === 'string' ? result.value : null,
      durationMs: Math.round(result.durationMs * 1_000) / 1_000,
    })
  }
}

type PageAction = Exclude<Action, { type: 'wait' | 'complete' | 'terminate' }>

interface AttemptOutcome {
  readonly performed: Performed
  readonly error: ActionError | null
  readonly url: string | null
}

/** One attempt at one action: holds what must be known of it after it failed. */
class ActionAttempt {
  /** The action with its templates rendered, secrets as references; the authored one until then. */
  bound: Action
  readonly #context: ActionContext
  readonly #clock: Clock
  readonly #timeoutMs: number
  #page: PageDriver | null = null

  constructor(action: Action, context: ActionContext, clock: Clock, timeoutMs: number) {
    this.bound = action
    this.#context = context
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  async run(): Promise<AttemptOutcome> {
    const { signal } = this.#context
    try {
      signal.throwIfAborted()
      const performed = await this.#perform(signal)
      return { performed, error: null, url: this.#page?.url() ?? null }
    } catch (cause) {
      return { performed: {}, error: this.#failure(cause), url: this.#page === null || this.#page.isClosed() ? null : this.#page.url() }
    }
  }

  async #perform(signal: AbortSignal): Promise<Performed> {
    const { texts } = this.#context
    this.bound = bindAction(this.bound, (text) => texts.render(text))
    const action = await texts.reveal(this.bound)
    if (isPageless(action)) return performWithoutPage(action, signal, this.#clock)
    return this.#performOnPage(action, signal)
  }

  async #performOnPage(action: PageAction, signal: AbortSignal): Promise<Performed> {
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
    this.#page = await browser.activePage(options)
    const performed = await performOnPage({ action, options, browser, page: this.#page, context: this.#context })
    if (NAVIGATING_ACTIONS.has(action.type)) {
      this.#page = await browser.activePage(options)
      await this.#page.settle({ ...options, timeoutMs: Math.min(options.timeoutMs, 1_000) })
    } else if (TAB_ACTIONS.has(action.type)) {
      this.#page = browser.pages().length === 0 ? null : await browser.activePage(options)
    }
    return performed
  }

  /** The failure as callers get it: without secrets, which a driver may have put into its message. */
  #failure(cause: unknown): ActionError {
    const { texts } = this.#context
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = String(texts.redact(`${describeAction(this.bound)}: ${reason}`))
    const details = cause instanceof RunwrightError ? (texts.redact(cause.details as Json) as RunwrightError['details']) : {}
    const code = cause instanceof ActionError ? cause.code : 'ACTION_FAILED'
    return new ActionError(message, { code, details, cause, retryable: cause instanceof ActionError && cause.retryable })
  }
}

function statusOf(error: ActionError | null, signal: AbortSignal): ActionResult['status'] {
  if (error === null) return 'completed'
  if (error.code === 'ACTION_BLOCKED') return 'blocked'
  return signal.aborted ? 'canceled' : 'failed'
}

function recordedValue(action: Action): Json {
  switch (action.type) {
    case 'input_text':
      return action.value
    case 'select_option':
      return action.value ?? action.values ?? null
    case 'press_key':
      return action.key
    case 'upload_file':
      return action.file.startsWith('data:') ? `data: (${action.file.length} characters)` : action.file
    case 'goto_url':
    case 'new_tab':
      return action.url ?? null
    case 'wait':
      return action.waitSec
    case 'extract':
      return action.selectors as Json
    default:
      return null
  }
}
