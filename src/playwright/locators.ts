import type { FrameLocator, Locator, Page } from 'playwright-core'
import type { Target } from '../definition/index.js'

type AriaRole = Parameters<Page['getByRole']>[0]

/** What both a page and a frame can look in. */
type Scope = Pick<Page, 'locator' | 'getByRole' | 'getByLabel' | 'getByPlaceholder' | 'getByTestId' | 'getByText'>

/**
 * The locator of a target. It is strict: an action on it fails when it matches more than one element.
 * A negative `nth` other than -1 needs {@link resolveLocator}.
 */
export function locatorOf(page: Page, target: Target): Locator {
  const all = allMatches(page, target)
  return target.nth === undefined ? all : all.nth(target.nth)
}

/** Like {@link locatorOf}, but counts for an `nth` from the end, which Playwright has for the last one only. */
export async function resolveLocator(page: Page, target: Target): Promise<Locator> {
  if (target.nth === undefined || target.nth >= -1) return locatorOf(page, target)
  const all = allMatches(page, target)
  const index = (await all.count()) + target.nth
  return index >= 0 ? all.nth(index) : all.nth(Number.MAX_SAFE_INTEGER) // matches nothing, and waits
}

/** Every element that the target matches, whatever its `nth`. */
export function allMatches(page: Page, target: Target): Locator {
  const frames = target.frame === undefined ? [] : [target.frame].flat()
  let scope: Page | FrameLocator = page
  for (const frame of frames) scope = scope.frameLocator(`css=${frame}`)
  return byKey(scope, target)
}

/** The elements of the frames that a target lies in, from the outside in. */
export function frameLocators(page: Page, target: Target): readonly Locator[] {
  const found: Locator[] = []
  let scope: Page | FrameLocator = page
  for (const frame of target.frame === undefined ? [] : [target.frame].flat()) {
    found.push(scope.locator(`css=${frame}`))
    scope = scope.frameLocator(`css=${frame}`)
  }
  return found
}

function byKey(scope: Scope, target: Target): Locator {
  if (target.css !== undefined) return scope.locator(`css=${target.css}`)
  if (target.xpath !== undefined) return scope.locator(`xpath=${target.xpath}`)
  if (target.role !== undefined) {
    return scope.getByRole(target.role as AriaRole, target.name === undefined ? {} : { name: target.name })
  }
  if (target.label !== undefined) return scope.getByLabel(target.label)
  if (target.placeholder !== undefined) return scope.getByPlaceholder(target.placeholder)
  if (target.testId !== undefined) return scope.getByTestId(target.testId)
  return scope.getByText(target.text ?? '')
}
