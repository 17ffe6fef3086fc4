import type { Locator } from 'playwright-core'
import { ActionError } from '../errors/index.js'
import { type PageElement, pageScript } from './dom.js'

interface Limits {
  readonly timeout: number
  readonly signal: AbortSignal
}

interface Box extends PageElement {
  checkVisibility?(options: object): boolean
  getBoundingClientRect(): { readonly width: number; readonly height: number }
}

interface BoxFacts {
  /** Whether it is an input that does not show, while its label does. */
  readonly standsIn: boolean
  readonly checked: boolean
}

/** Runs in the page, as text. */
function readBox(element: Box): BoxFacts {
  const isShown = (one: Box) => {
    const { width, height } = one.getBoundingClientRect()
    return width > 1 && height > 1 && one.checkVisibility?.({ checkVisibilityCSS: true }) !== false
  }
  const labels = Array.from(element.labels ?? []) as Box[]
  return {
    standsIn: element.matches('input[type=checkbox], input[type=radio]') && !isShown(element) && labels.some(isShown),
    checked: element.checked === true,
  }
}

const READ_BOX = pageScript(readBox)

/** Runs in the page, as text: the label that shows. */
function shownLabel(element: Box): Box | null {
  const isShown = (one: Box) => {
    const { width, height } = one.getBoundingClientRect()
    return width > 1 && height > 1 && one.checkVisibility?.({ checkVisibilityCSS: true }) !== false
  }
  return (Array.from(element.labels ?? []) as Box[]).find(isShown) ?? null
}

const SHOWN_LABEL = pageScript(shownLabel)

/**
 * Checks or unchecks a box. One that a page hides and draws by its label is clicked there. Playwright tests the state of any other itself.
 *
 * @throws {ActionError} `ACTION_FAILED` when the box is not as asked afterwards
 */
export async function setChecked(locator: Locator, checked: boolean, limits: () => Limits): Promise<void> {
  const box = await locator.evaluate<BoxFacts, undefined>(READ_BOX as never, undefined, limits())
  if (!box.standsIn) return locator.setChecked(checked, limits())
  if (box.checked === checked) return
  const label = (await locator.evaluateHandle<unknown, undefined>(SHOWN_LABEL as never, undefined, limits())).asElement()
  try {
    await label?.click(limits())
  } finally {
    label?.dispose().catch(() => {}) // its document is gone, and it with it
  }
  const after = await locator.evaluate<BoxFacts, undefined>(READ_BOX as never, undefined, limits())
  if (after.checked === checked) return
  const name = (state: boolean) => (state ? 'checked' : 'unchecked')
  throw new ActionError(`a click on its label left the box ${name(after.checked)}`, {
    code: 'ACTION_FAILED',
    details: { expected: name(checked), received: name(after.checked) },
  })
}
