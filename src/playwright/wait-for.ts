import type { Page } from 'playwright-core'
import { describeTarget, matchesUrl } from '../definition/index.js'
import type { PageOperationOptions, WaitCondition } from '../sessions/ports.js'
import { allMatches, resolveLocator } from './locators.js'
import { type Attempt, atBoundary } from './playwright-errors.js'

/** Waits for one condition. A target may match several elements here: one visible match is enough, all must be hidden. */
export function waitForCondition(page: Page, condition: WaitCondition, options: PageOperationOptions): Promise<void> {
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
      await counted.first().waitFor({ state: isPresence ? 'attached' : 'detached', ...limits })
    })
  }
  if ('url' in condition) {
    return bounded({ what: `Waiting for the address ${condition.url}` }, () =>
      page.waitForURL((url) => matchesUrl(condition.url, url.href), { waitUntil: 'commit', ...limits }),
    )
  }
  if ('text' in condition) {
    return bounded({ what: 'wait_for', target: { text: condition.text } }, () =>
      page
        .getByText(condition.text)
        .filter({ visible: true })
        .first()
        .waitFor({ state: 'attached', ...limits }),
    )
  }
  return bounded({ what: `Waiting for ${condition.loadState}` }, () => page.waitForLoadState(condition.loadState, limits))
}
