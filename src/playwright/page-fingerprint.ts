import { pageScript } from './dom.js'

interface Looked {
  readonly tagName?: string
  readonly type?: string
  readonly value?: string
  readonly checked?: boolean
  readonly innerText?: string
  readonly textContent: string | null
  readonly scrollTop: number
  readonly scrollLeft: number
  readonly shadowRoot: LookedRoot | null
  readonly contentDocument?: LookedRoot | null
  readonly children: ArrayLike<Looked>
  getAttribute(name: string): string | null
}

interface LookedRoot {
  readonly nodeType: number
  readonly body?: Looked | null
  readonly children: ArrayLike<Looked>
  querySelectorAll(selector: string): ArrayLike<Looked>
}

declare const document: LookedRoot
declare const location: { readonly href: string }
declare const scrollX: number
declare const scrollY: number

/** Runs in the page, as text: a number for what it looks like. Bounded on every page; texts beyond the limit count by their length. */
function fingerprint(): string {
  const mostElements = 60_000
  const mostCharacters = 1_000_000
  let high = 0xdeadbeef
  let low = 0x41c6ce57
  let elementsLeft = mostElements
  let charactersLeft = mostCharacters
  /** cyrb53: two 32-bit lanes, fit to tell texts apart, not to keep a secret. */
  const mix = (text: string) => {
    const length = Math.min(text.length, charactersLeft)
    charactersLeft -= length
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index)
      high = Math.imul(high ^ code, 2654435761)
      low = Math.imul(low ^ code, 1597334677)
    }
    high = Math.imul(high ^ text.length, 2654435761)
  }
  const mixStates = (element: Looked) => {
    const { type } = element
    if (element.value !== undefined && typeof element.value === 'string')
      mix(type === 'password' ? `${element.value.length}` : element.value)
    if (element.checked === true) mix('checked')
    for (const name of ['aria-pressed', 'aria-checked', 'aria-expanded', 'aria-selected', 'disabled'])
      mix(element.getAttribute(name) ?? '-')
  }
  const look = (root: LookedRoot, depth: number) => {
    const shown = root.nodeType === 9 ? [root.body] : Array.from(root.children)
    // biome-ignore lint/performance/useDomNodeTextContent: the text that a reader sees, without hidden parts
    for (const element of shown) mix(element?.innerText ?? element?.textContent ?? '')
    const stateful = 'input,textarea,select,button,[aria-pressed],[aria-checked],[aria-expanded],[aria-selected]'
    for (const element of Array.from(root.querySelectorAll(stateful)).slice(0, 5_000)) mixStates(element)
    for (const element of Array.from(root.querySelectorAll('*'))) {
      elementsLeft -= 1
      if (elementsLeft < 0) return
      if (element.scrollTop !== 0 || element.scrollLeft !== 0) mix(`${element.scrollTop}/${element.scrollLeft}`)
      const inner = element.shadowRoot ?? (element.tagName === 'IFRAME' ? element.contentDocument : null) // null across origins
      if (inner != null && depth < 20) look(inner, depth + 1)
    }
  }
  mix(`${location.href} ${scrollX} ${scrollY}`)
  look(document, 0)
  return `${(high >>> 0).toString(36)}-${(low >>> 0).toString(36)}`
}

/** Expression for `Runtime.evaluate` that gives a short text, another one when the page looks different. */
export const FINGERPRINT = `(${String(pageScript(fingerprint))})()`
