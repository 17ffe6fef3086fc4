import { type ActionInput, actionSchema, type Selectors, type Target } from '../definition/index.js'
import { type Json, parseArgument } from '../errors/index.js'
import type { ActionResult } from './action-result.js'

/** An element: a CSS selector, or a target. */
export type TargetLike = string | Target

/** Deadline of one call, in milliseconds; without it the engine's default holds. */
export interface PageCallOptions {
  readonly timeoutMs?: number
  /** Why it is done, for the timeline. */
  readonly intention?: string
}

/**
 * The page as handlers of `code` blocks and custom blocks get it. Every call is an action: checked, recorded, canceled like any other.
 * Each rejects with an `ActionError` when the action fails.
 */
export interface PageFacade {
  /** Opens an address; a missing scheme becomes https. */
  goto(url: string, options?: PageCallOptions): Promise<{ url: string; title: string; httpStatus: number | null }>
  click(target: TargetLike, options?: PageCallOptions): Promise<void>
  hover(target: TargetLike, options?: PageCallOptions): Promise<void>
  /** Replaces what the field holds. */
  fill(target: TargetLike, value: string, options?: PageCallOptions): Promise<void>
  /** Chooses by value or label. */
  select(target: TargetLike, value: string, options?: PageCallOptions): Promise<void>
  check(target: TargetLike, options?: PageCallOptions): Promise<void>
  uncheck(target: TargetLike, options?: PageCallOptions): Promise<void>
  /** Key or chord, for example `Enter` or `Control+A`. */
  press(key: string, options?: PageCallOptions & { readonly target?: TargetLike }): Promise<void>
  /** Waits until the element is visible. */
  waitFor(target: TargetLike, options?: PageCallOptions): Promise<void>
  /** Reads the page by the selectors grammar. */
  extract<T extends Json = Json>(selectors: Selectors, options?: PageCallOptions): Promise<T>
  /** Takes a picture; gives its artifact id. */
  screenshot(options?: PageCallOptions & { readonly fullPage?: boolean }): Promise<string>
  /** Performs any action. */
  perform(action: ActionInput): Promise<Json>
}

/** Makes a facade over "perform this action". */
export function createPageFacade(execute: (action: ReturnType<typeof actionSchema.parse>) => Promise<ActionResult>): PageFacade {
  const perform = async (input: ActionInput): Promise<Json> => {
    const result = await execute(parseArgument(actionSchema, input, 'action'))
    if (result.error !== null) throw result.error
    return result.value
  }
  const act = async (input: ActionInput): Promise<void> => {
    await perform(input)
  }
  return forgiving({
    perform,
    goto: async (url, options) =>
      (await perform({ type: 'goto_url', url, ...options })) as { url: string; title: string; httpStatus: number | null },
    click: (target, options) => act({ type: 'click', target: toTarget(target), ...options }),
    hover: (target, options) => act({ type: 'hover', target: toTarget(target), ...options }),
    fill: (target, value, options) => act({ type: 'input_text', target: toTarget(target), value, ...options }),
    select: (target, value, options) => act({ type: 'select_option', target: toTarget(target), value, ...options }),
    check: (target, options) => act({ type: 'check', target: toTarget(target), ...options }),
    uncheck: (target, options) => act({ type: 'uncheck', target: toTarget(target), ...options }),
    press: (key, { target, ...options } = {}) =>
      act({ type: 'press_key', key, ...(target === undefined ? {} : { target: toTarget(target) }), ...options }),
    waitFor: (target, options) => act({ type: 'wait_for', target: toTarget(target), ...options }),
    extract: async <T extends Json>(selectors: Selectors, options?: PageCallOptions) =>
      (await perform({ type: 'extract', selectors, ...options })) as T,
    screenshot: async (options) => (await perform({ type: 'screenshot', ...options })) as string,
  })
}

/** A handler may forget to await a call: that it failed is on record, and must not end the host as an unhandled rejection. */
function forgiving(facade: PageFacade): PageFacade {
  const wrap =
    (call: (...args: never[]) => Promise<unknown>) =>
    (...args: never[]) => {
      const outcome = call(...args)
      outcome.catch(() => {})
      return outcome
    }
  return Object.fromEntries(Object.entries(facade).map(([name, call]) => [name, wrap(call)])) as unknown as PageFacade
}

const toTarget = (target: TargetLike): Target => (typeof target === 'string' ? { css: target } : target)
