import type { TargetState } from '../sessions/ports.js'
import type { PageElement } from './dom.js'
import { pageScript } from './dom.js'

interface Rendered extends PageElement {
  getBoundingClientRect(): { readonly width: number; readonly height: number }
}

declare const getComputedStyle: (element: Rendered) => { readonly visibility: string }

/** Runs in the page, as text: what a target's elements are like. */
function readState(elements: readonly Rendered[]): TargetState {
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
    // biome-ignore lint/performance/useDomNodeTextContent: the text that a reader sees, without hidden parts
    text: (first.innerText ?? first.textContent ?? '').trim(),
  }
}

/** Page function that gives the {@link TargetState} of a list of elements. */
export const READ_STATE = pageScript(readState)
