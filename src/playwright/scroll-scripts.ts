import type { PageDocument, PageElement } from './dom.js'

declare const document: PageDocument
declare const innerWidth: number
declare const innerHeight: number

export interface ScrollStep {
  readonly direction: 'up' | 'down' | 'left' | 'right'
  /** Null: one screen. */
  readonly amountPx: number | null
}

/** Runs in the page, as text: scrolls an element. */
export function scrollElement(element: PageElement, { direction, amountPx }: ScrollStep): void {
  const isVertical = direction === 'up' || direction === 'down'
  const sign = direction === 'up' || direction === 'left' ? -1 : 1
  const amount = sign * (amountPx ?? (isVertical ? element.clientHeight : element.clientWidth))
  element.scrollBy({ left: isVertical ? 0 : amount, top: isVertical ? amount : 0, behavior: 'instant' })
}

/** Runs in the page, as text: scrolls the page or, where the page itself does not scroll, what does so around its middle. */
export function scrollPage({ direction, amountPx }: ScrollStep): void {
  const isVertical = direction === 'up' || direction === 'down'
  const sign = direction === 'up' || direction === 'left' ? -1 : 1
  function scrolls(element: PageElement): boolean {
    return isVertical ? element.scrollHeight > element.clientHeight + 1 : element.scrollWidth > element.clientWidth + 1
  }
  const root = document.scrollingElement ?? document.documentElement
  let scrolled = root
  if (!scrolls(root)) {
    let around = document.elementFromPoint(innerWidth / 2, innerHeight / 2)
    while (around !== null && !scrolls(around)) around = around.parentElement
    scrolled = around ?? root
  }
  const screen = scrolled === root ? (isVertical ? innerHeight : innerWidth) : isVertical ? scrolled.clientHeight : scrolled.clientWidth
  const amount = sign * (amountPx ?? screen)
  scrolled.scrollBy({ left: isVertical ? 0 : amount, top: isVertical ? amount : 0, behavior: 'instant' })
}
