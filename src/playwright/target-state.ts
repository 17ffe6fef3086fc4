import type { TargetState } from '../sessions/ports.js'
import type { BlinderGuard } from './blinder-guard.js'
import { type Blind, READING_TOOLS, type ReadingTools } from './blinder-scripts.js'
import { type PageElement, pageScript } from './dom.js'

interface Rendered extends PageElement {
  getBoundingClientRect(): { readonly width: number; readonly height: number }
}

declare const getComputedStyle: (element: Rendered) => { readonly visibility: string }

/** Runs in the page, as text: the elements that lie behind no blinder, and the document's guard. */
function unblinded<E extends PageElement>(
  this: ReadingTools,
  all: readonly E[],
  blind: Blind,
): { elements: readonly E[]; guard: BlinderGuard | null } {
  if (blind === null) return { elements: all, guard: null }
  const guard = this.guardOf(blind)
  guard.apply()
  return { elements: all.filter((element) => !guard.isBlinded(element)), guard }
}

interface StateTools extends ReadingTools {
  unblinded: typeof unblinded
}

const STATE_TOOLS: StateTools = { ...READING_TOOLS, unblinded }

/** Runs in the page, as text: what a target's elements are like. */
function readState(this: StateTools, all: readonly Rendered[], blind: Blind): TargetState {
  const { elements, guard } = this.unblinded(all, blind)
  const [first] = elements
  if (first === undefined) return { count: 0, visible: false, enabled: null, checked: null, value: null, text: null }
  const tag = first.tagName.toLowerCase()
  const { width, height } = first.getBoundingClientRect()
  const isBox = tag === 'input' && (first.type === 'checkbox' || first.type === 'radio')
  const ariaChecked = first.getAttribute('aria-checked')
  return {
    count: elements.length,
    visible: width > 0 && height > 0 && getComputedStyle(first).visibility === 'visible',
    enabled: !first.matches(':disabled') && first.closest('[aria-disabled="true"]') === null,
    checked: isBox ? first.checked === true : ariaChecked === null ? null : ariaChecked === 'true',
    value: tag === 'input' || tag === 'textarea' || tag === 'select' ? (first.value ?? '') : null,
    text: this.shownText(first, guard, blind?.selectors ?? []).trim(),
  }
}

/** Page function that gives the {@link TargetState} of a list of elements. */
export const READ_STATE = pageScript(readState, STATE_TOOLS)

/** Runs in the page, as text: the trimmed text of the first element that may be seen; null where there is none. */
function readText(this: StateTools, all: readonly PageElement[], blind: Blind): string | null {
  const { elements, guard } = this.unblinded(all, blind)
  const [first] = elements
  return first === undefined ? null : this.shownText(first, guard, blind?.selectors ?? []).trim()
}

/** Page function that gives the text of the first of some elements. */
export const READ_TEXT = pageScript(readText, STATE_TOOLS)

/** Runs in the page, as text: how many of some elements lie behind no blinder. */
function countUnblinded(this: StateTools, all: readonly PageElement[], blind: Blind): number {
  return this.unblinded(all, blind).elements.length
}

/** Page function that counts the elements that may be seen. */
export const COUNT_UNBLINDED = pageScript(countUnblinded, STATE_TOOLS)

/** Arguments of {@link countShowing}. */
export interface ShowingParams {
  readonly blind: Blind
  readonly text: string
}

/** Runs in the page, as text: how many of some elements, found by a text, have it without what is blinded. */
function countShowing(this: StateTools, all: readonly PageElement[], { blind, text }: ShowingParams): number {
  const { elements, guard } = this.unblinded(all, blind)
  const tidy = (one: string) => one.replace(/\s+/g, ' ').trim().toLowerCase()
  const shows = (element: PageElement) => {
    if (guard === null || guard.within(element).length === 0) return true
    return tidy(this.strippedCopy(element, guard, blind?.selectors ?? []).textContent ?? '').includes(tidy(text))
  }
  return elements.filter(shows).length
}

/** Page function that counts the elements that show a text. */
export const COUNT_SHOWING = pageScript(countShowing, STATE_TOOLS)
