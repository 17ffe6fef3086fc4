import type { Action } from '../definition/index.js'
import { ActionError, type Json, RunwrightError } from '../errors/index.js'
import type { Clock, Ids } from '../runtime/index.js'
import type { PageDriver } from '../sessions/ports.js'
import type { ActionContext } from './action-context.js'
import type { ActionResult } from './action-result.js'
import { bindAction } from './bind-action.js'
import { describeAction } from './describe-action.js'
import { isPageless, NAVIGATING_ACTIONS, type Performed, performOnPage, performWithoutPage } from './performers.js'

/** Deadlines of actions that name none, in milliseconds. */
export interface ActionTimeouts {
  /** @default 15,000 */
  readonly actionTimeoutMs: number
  /** For `goto_url`, `go_back`, `reload` and `new_tab`. @default 30,000 */
  readonly navigationTimeoutMs: number
}

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
      status: outcome.error === null ? 'completed' : context.signal.aborted ? 'canceled' : 'failed',
      value: outcome.performed.value ?? null,
      error: outcome.error,
      ending: outcome.performed.ending ?? null,
      url: outcome.url,
      durationMs: this.#clock.monotonicMs() - startedMs,
    }
    this.#record(attempt.bound, result, context, stepIndex)
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
      intention: bound.intention ?? null,
      value: texts.redact(recordedValue(bound)),
      status: result.status,
      error: code === undefined || message === undefined ? null : texts.redact({ code, message }),
      url: texts.redact(result.url),
      screenshotArtifactId: result.type === 'screenshot' && typeof result.value === 'string' ? result.value : null,
      durationMs: Math.round(result.durationMs * 1_000) / 1_000,
    })
  }
}

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

  async #performOnPage(action: Exclude<Action, { type: 'wait' | 'complete' | 'terminate' }>, signal: AbortSignal): Promise<Performed> {
    const options = { signal, timeoutMs: this.#timeoutMs }
    const browser = await this.#context.browser()
    this.#page = await browser.activePage(options)
    const performed = await performOnPage({ action, options, browser, page: this.#page, context: this.#context })
    if (NAVIGATING_ACTIONS.has(action.type)) {
      this.#page = await browser.activePage(options)
      await this.#page.settle({ signal, timeoutMs: Math.min(this.#timeoutMs, 1_000) })
    }
    return performed
  }

  #failure(cause: unknown): ActionError {
    const what = describeAction(this.bound)
    if (cause instanceof ActionError) {
      return new ActionError(`${what}: ${cause.message}`, { code: cause.code, details: cause.details, cause, retryable: cause.retryable })
    }
    const message = cause instanceof Error ? cause.message : String(cause)
    const details = cause instanceof RunwrightError ? cause.details : {}
    return new ActionError(`${what}: ${message}`, { code: 'ACTION_FAILED', details, cause })
  }
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
      return action.file
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
