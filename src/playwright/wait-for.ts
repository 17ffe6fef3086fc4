import type { Locator, Page } from 'playwright-core'
import { describeTarget, matchesUrl, type Target } from '../definition/index.js'
import { type Clock, sleep, withDeadline } from '../runtime/index.js'
import type { PageOperationOptions, WaitCondition } from '../sessions/ports.js'
import type { BlinderSettings } from './blinder-guard.js'
import type { Blind } from './blinder-scripts.js'
import { allMatches, frameLocators, resolveLocator } from './locators.js'
import { type Attempt, atBoundary } from './playwright-errors.js'
import { COUNT_SHOWING, COUNT_UNBLINDED, type ShowingParams } from './target-state.js'

/** Between two looks at a page with blinders, which Playwright's own waiting does not know. */
const LOOK_EVERY_MS = 100

export interface WaitForConditionParams {
  readonly page: Page
  readonly condition: WaitCondition
  readonly blind: Blind
  readonly options: PageOperationOptions
  readonly clock: Clock
}

/**
 * Waits for one condition. A target may match several elements here: one visible match is enough, all must be hidden. What is behind
 * blinders is not there.
 */
export function waitForCondition({ page, condition, blind, options, clock }: WaitForConditionParams): Promise<void> {
  const limits = { timeout: Math.max(1, options.timeoutMs), signal: options.signal }
  const bounded = <T>(attempt: Partial<Attempt> & { what: string }, call: () => Promise<T>) =>
    atBoundary({ url: page.url(), timeoutMs: options.timeoutMs, ...attempt }, options, call).then(() => {})
  if ('target' in condition) {
    const { target, state } = condition
    const isPresence = state === 'visible' || state === 'attached'
    // Its time-out means "not found" only where something was to appear.
    const attempt = isPresence ? { what: 'wait_for', target } : { what: `Waiting for ${describeTarget(target)} to be ${state}` }
    return bounded(attempt, async () => {
      const matches = target.nth === undefined ? allMatches(page, target) : await resolveLocator(page, target)
      const counted = state === 'visible' || state === 'hidden' ? matches.filter({ visible: true }) : matches
      if (blind === null) return counted.first().waitFor({ state: isPresence ? 'attached' : 'detached', ...limits })
      return lookUntil(async () => (await countUnblinded({ page, target, counted, blind })) > 0 === isPresence, options, clock)
    })
  }
  if ('url' in condition) {
    return bounded({ what: `Waiting for the address ${condition.url}` }, () =>
      page.waitForURL((url) => matchesUrl(condition.url, url.href), { waitUntil: 'commit', ...limits }),
    )
  }
  if ('text' in condition) {
    const { text } = condition
    return bounded({ what: 'wait_for', target: { text } }, () => {
      const showing = page.getByText(text).filter({ visible: true })
      if (blind === null) return showing.first().waitFor({ state: 'attached', ...limits })
      const isShown = async () => (await showing.evaluateAll<number, ShowingParams>(COUNT_SHOWING, { blind, text })) > 0
      return lookUntil(isShown, options, clock)
    })
  }
  return bounded({ what: `Waiting for ${condition.loadState}` }, () => page.waitForLoadState(condition.loadState, limits))
}

/** Rejects at the deadline with an error of the kind that Playwright throws, for those who read its errors. */
function lookUntil(holds: () => Promise<boolean>, { timeoutMs, signal }: PageOperationOptions, clock: Clock): Promise<void> {
  const onTimeout = () => Object.assign(new Error(`Timeout ${timeoutMs}ms exceeded.`), { name: 'TimeoutError' })
  const run = async (inner: AbortSignal) => {
    while (!(await holds().catch(goneMeanwhile))) await sleep(clock, LOOK_EVERY_MS, inner)
  }
  return withDeadline({ run, timeoutMs: Math.max(1, timeoutMs), onTimeout, signal, clock })
}

/** The page is on its way elsewhere: it is looked at again. */
function goneMeanwhile(error: unknown): boolean {
  if (error instanceof Error && /Execution context was destroyed|Cannot find context/.test(error.message)) return false
  throw error
}

interface CountUnblindedParams {
  readonly page: Page
  readonly target: Target
  readonly counted: Locator
  readonly blind: BlinderSettings
}

/** How many elements lie behind no blinder, neither in their document nor by a frame around it. */
async function countUnblinded({ page, target, counted, blind }: CountUnblindedParams): Promise<number> {
  try {
    for (const locator of [...frameLocators(page, target), counted]) {
      const count = await locator.evaluateAll<number, Blind>(COUNT_UNBLINDED, blind)
      if (count === 0 || locator === counted) return count
    }
  } catch (error) {
    if (!(error instanceof Error) || !/Failed to find frame/.test(error.message)) throw error
  }
  return 0
}
