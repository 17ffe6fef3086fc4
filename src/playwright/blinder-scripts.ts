import { type BlinderGuard, type BlinderSettings, makeBlinderGuard } from './blinder-guard.js'
import { type PageElement, type PageRoot, pageScript } from './dom.js'

export type Blind = BlinderSettings | null

interface Acted extends PageElement {
  readonly control?: unknown
  readonly options?: ArrayLike<PageElement & { readonly value: string; readonly label: string }>
  readonly form?: { readonly elements: ArrayLike<PageElement> } | null
  getBoundingClientRect(): { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
  scrollIntoViewIfNeeded?(): void
}
interface Pointed extends PageRoot {
  readonly activeElement: Acted | null
  elementFromPoint(x: number, y: number): PageElement | null
  readonly documentElement: PageElement
  readonly doctype: object | null
  readonly implementation: { createHTMLDocument(title: string): Inert }
}
interface Inert {
  importNode(node: unknown, deep: boolean): Stripped
}
interface Stripped extends PageElement {
  readonly outerHTML: string
  readonly content?: Stripped
  remove(): void
  setAttribute(name: string, value: string): void
}

declare const document: Pointed
declare const DOMParser: new () => { parseFromString(text: string, type: string): { readonly documentElement: Stripped } }
declare const XMLSerializer: new () => { serializeToString(node: object): string }

/** What page functions that keep to blinders bring along, and reach as `this`. */
export interface GuardTools {
  makeBlinderGuard(): BlinderGuard
  guardOf(settings: BlinderSettings): BlinderGuard
}

/** What page functions that read texts bring along, and reach as `this`. */
export interface ReadingTools extends GuardTools {
  strip(copy: Stripped, selectors: readonly string[]): void
  strippedCopy(element: PageElement, guard: BlinderGuard, selectors: readonly string[]): Stripped
  shownText(element: PageElement, guard: BlinderGuard | null, selectors: readonly string[]): string
}

/** Runs in the page, as text: the document's guard, made when there is none yet. */
function guardOf(this: GuardTools, { selectors, key, token }: BlinderSettings): BlinderGuard {
  const world = globalThis as unknown as Record<string, ((asked: string) => BlinderGuard | undefined) | undefined>
  const present = world[key]?.(token)
  const guard = present ?? this.makeBlinderGuard()
  if (present === undefined) Object.defineProperty(world, key, { value: (asked: string) => (asked === token ? guard : undefined) })
  guard.update(selectors)
  return guard
}

/** Arguments of {@link refusal}. */
export interface RefusalParams {
  readonly blind: BlinderSettings
  readonly isPointer: boolean
  readonly isLabeled: boolean
  readonly key: string
}

/** Runs in the page, as text: what is asked of an element before it is acted on. Empty: nothing is against it. */
function refusal(this: GuardTools, element: Acted, { blind, isPointer, isLabeled, key }: RefusalParams): string {
  const guard = this.guardOf(blind)
  guard.apply()
  if (guard.isBlinded(element)) return 'it is behind a blinder'
  const label = element.closest('label') as Acted | null
  if ((isPointer || isLabeled) && label !== null && guard.isBlinded(label.control))
    return 'its label stands for an element behind a blinder'
  if (/(^|\+)(Enter|NumpadEnter)$/.test(key)) {
    const buttons = Array.from(element.form?.elements ?? []).filter((one) => /^(submit|image)$/.test(one.type ?? ''))
    if (guard.isBlinded(buttons[0])) return 'the key would press a button behind a blinder'
  }
  if (!isPointer) return ''
  element.scrollIntoViewIfNeeded?.()
  const { x, y, width, height } = element.getBoundingClientRect()
  let hit = document.elementFromPoint(x + width / 2, y + height / 2)
  for (;;) {
    const inner = (hit?.shadowRoot as Pointed | null | undefined)?.elementFromPoint(x + width / 2, y + height / 2)
    if (inner === null || inner === undefined || inner === hit) break
    hit = inner
  }
  return guard.isBlinded(hit) ? 'an element behind a blinder lies over it' : ''
}

/** Arguments of {@link choiceRefusal}. */
export interface ChoiceRefusalParams {
  readonly blind: BlinderSettings
  readonly values: readonly string[]
}

/** Runs in the page, as text: whether an option that is meant is behind a blinder. Empty: none is. */
function choiceRefusal(this: GuardTools, element: Acted, { blind, values }: ChoiceRefusalParams): string {
  const guard = this.guardOf(blind)
  guard.apply()
  const tidy = (text: string) => text.replace(/\s+/g, ' ').trim()
  const wanted = values.map(tidy)
  const control = (element.closest('label') as Acted | null)?.control as Acted | null | undefined
  const options = Array.from(element.options ?? control?.options ?? [])
  const meant = options.filter((option) => [option.value, option.label].some((text) => wanted.includes(tidy(text))))
  return meant.some((option) => guard.isBlinded(option)) ? 'the option is behind a blinder' : ''
}

/** Runs in the page, as text: the innermost element with the focus, shadow roots entered. */
function focusedElement(): Acted | null {
  let active = document.activeElement
  for (;;) {
    const inner = (active?.shadowRoot as Pointed | null | undefined)?.activeElement
    if (inner === null || inner === undefined) return active
    active = inner
  }
}

/** Runs in the page, as text: takes what is blinded out of a copy that is in no document. */
function strip(this: ReadingTools, copy: Stripped, selectors: readonly string[]): void {
  for (const selector of selectors) for (const element of Array.from(copy.querySelectorAll(selector))) (element as Stripped).remove()
  for (const element of Array.from(copy.querySelectorAll('template')) as Stripped[]) {
    if (element.content !== undefined) this.strip(element.content, selectors)
  }
  for (const element of Array.from(copy.querySelectorAll('iframe[srcdoc]')) as Stripped[]) {
    const inner = new DOMParser().parseFromString(element.getAttribute('srcdoc') ?? '', 'text/html').documentElement
    this.strip(inner, selectors)
    element.setAttribute('srcdoc', inner.outerHTML)
  }
}

/** Runs in the page, as text: a copy of an element without what is blinded. Made in another document, where nothing of it runs. */
function strippedCopy(this: ReadingTools, element: PageElement, guard: BlinderGuard, selectors: readonly string[]): Stripped {
  const copy = document.implementation.createHTMLDocument('').importNode(element, true)
  const copies = Array.from(copy.querySelectorAll('*')) as Stripped[]
  Array.from(element.querySelectorAll('*')).forEach((original, index) => {
    if (guard.isBlinded(original)) copies[index]?.remove()
  })
  this.strip(copy, selectors)
  return copy
}

/** Runs in the page, as text: the text of an element as a reader sees it, without what is blinded. */
function shownText(
  this: ReadingTools,
  element: PageElement & { checkVisibility?(): boolean },
  guard: BlinderGuard | null,
  selectors: readonly string[],
): string {
  const inside = guard === null ? [] : (guard.within(element) as PageElement[])
  // `innerText` has every option of a list, drawn or not.
  const isDrawn = 'innerText' in element && element.checkVisibility?.() === true // an SVG has no `innerText`
  const isWhole = inside.length === 0 || (isDrawn && !inside.some((one) => /^opt/i.test(one.tagName)))
  // biome-ignore lint/performance/useDomNodeTextContent: the text that a reader sees, without hidden parts
  if (guard === null || isWhole) return element.innerText ?? element.textContent ?? ''
  return this.strippedCopy(element, guard, selectors).textContent ?? '' // not drawn, so that hidden parts would count
}

/** See {@link GuardTools}. */
export const GUARD_TOOLS: GuardTools = { makeBlinderGuard, guardOf }

/** See {@link ReadingTools}. */
export const READING_TOOLS: ReadingTools = { ...GUARD_TOOLS, strip, strippedCopy, shownText }

/** Page function: why an element may not be acted on. */
export const REFUSAL = pageScript(refusal, GUARD_TOOLS)

/** Page function: why an option may not be chosen. */
export const CHOICE_REFUSAL = pageScript(choiceRefusal, GUARD_TOOLS)

/** Page function: the element that a key would go to. */
export const FOCUSED = pageScript(focusedElement)

/** Runs in the page, as text: hides what the selectors match, now. */
function applyBlinders(this: GuardTools, blind: BlinderSettings): void {
  this.guardOf(blind).apply()
}

/** Page function that brings a document up to date with its blinders. */
export const APPLY = pageScript(applyBlinders, GUARD_TOOLS)

/** Runs in the page, as text: the first selector that is none. */
function firstInvalid(selectors: readonly string[]): string | null {
  const isValid = (selector: string) => {
    try {
      document.querySelectorAll(selector)
      return true
    } catch {
      return false
    }
  }
  return selectors.find((selector) => !isValid(selector)) ?? null
}

/** Page function that tests selectors. */
export const FIRST_INVALID = pageScript(firstInvalid)

/** Runs in the page, as text: the whole document as HTML, without what is blinded. */
function contentOf(this: ReadingTools, blind: BlinderSettings): string {
  const guard = this.guardOf(blind)
  guard.apply()
  const doctype = document.doctype === null ? '' : new XMLSerializer().serializeToString(document.doctype)
  return doctype + this.strippedCopy(document.documentElement, guard, blind.selectors).outerHTML
}

/** Page function that gives a document's HTML. */
export const CONTENT = pageScript(contentOf, READING_TOOLS)
