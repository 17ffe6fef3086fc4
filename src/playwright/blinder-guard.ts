/** What hides and refuses elements in one document, whatever the page's scripts do; made by {@link makeBlinderGuard}. */
export interface BlinderGuard {
  /** Takes other selectors. */
  update(selectors: readonly string[]): void
  /** Hides what matches now, in the document and its open shadow roots, and shows what no longer does. */
  apply(): void
  /** Whether a node is a blinded element, or inside of one; the walk goes up through slots and shadow hosts. */
  isBlinded(node: unknown): boolean
  /** Blinded elements inside of a node. */
  within(root: unknown): readonly object[]
}

/** What the page's functions are told of the blinders. */
export interface BlinderSettings {
  readonly selectors: readonly string[]
  /** Name of the guard in the page, which nobody can guess. */
  readonly key: string
  /** Who knows it may speak to the guard. */
  readonly token: string
}

interface Styled {
  readonly nodeType: number
  readonly style?: {
    getPropertyValue(name: string): string
    getPropertyPriority(name: string): string
    setProperty(name: string, value: string, priority?: string): void
  }
}
interface Sheet {
  disabled: boolean
  readonly cssRules: ArrayLike<unknown>
  replaceSync(text: string): void
}
type Root = Styled & { adoptedStyleSheets: readonly Sheet[] }

declare const document: Root
declare const Element: { readonly prototype: object }
declare const Node: { readonly prototype: object }
declare const Document: { readonly prototype: object }
declare const DocumentFragment: { readonly prototype: object }
declare const ShadowRoot: { readonly prototype: object }
declare const CSSStyleSheet: new () => Sheet
declare const getComputedStyle: (element: unknown) => { readonly display: string }

/**
 * Runs in the page, as text: makes its guard. What it needs of the platform it takes at once, at the start of a document: scripts may
 * replace it later.
 */
export function makeBlinderGuard(): BlinderGuard {
  const untie = <T>(method: unknown) =>
    Function.prototype.call.bind(method as () => void) as unknown as (self: unknown, ...args: unknown[]) => T
  const getter = <T>(prototype: object, name: string) => untie<T>(Object.getOwnPropertyDescriptor(prototype, name)?.get)
  const matches = untie<boolean>((Element.prototype as { matches?: unknown }).matches)
  const parentOf = getter<unknown>(Node.prototype, 'parentNode')
  const shadowOf = getter<Root | null>(Element.prototype, 'shadowRoot')
  const slotOf = getter<unknown>(Element.prototype, 'assignedSlot')
  const hostOf = getter<unknown>(ShadowRoot.prototype, 'host')
  const computed = getComputedStyle.bind(undefined)
  const finders = [Element.prototype, Document.prototype, DocumentFragment.prototype].map((prototype) =>
    untie<ArrayLike<object>>((prototype as { querySelectorAll?: unknown }).querySelectorAll),
  )
  const find = (root: Styled, selector: string) => finders[root.nodeType === 1 ? 0 : root.nodeType === 9 ? 1 : 2]?.(root, selector) ?? []
  const isShadow = (node: unknown) => node instanceof (ShadowRoot as unknown as new () => object)
  let sheet = new CSSStyleSheet()
  let styled: unknown = null
  const inline = new Map<Styled, readonly [string, string]>()
  let selectors: readonly string[] = []
  let hasOpposed = false

  const isMatch = (node: Styled) => selectors.some((selector) => matches(node, selector))
  const isBlinded = (start: unknown): boolean => {
    const seen = new Set<unknown>()
    const left = [start]
    while (left.length > 0) {
      const node = left.pop() as Styled | null
      if (node === null || node === undefined || seen.has(node)) continue
      seen.add(node)
      const isElement = node.nodeType === 1
      if (isElement && isMatch(node)) return true
      if (isElement) left.push(slotOf(node))
      left.push(isShadow(node) ? hostOf(node) : parentOf(node))
    }
    return false
  }
  const rootsBelow = (root: Styled): Styled[] => {
    const inner = Array.from(find(root, '*')).flatMap((element) => shadowOf(element) ?? [])
    const own = root.nodeType === 1 ? shadowOf(root) : null
    return [root, ...(own === null ? inner : [own, ...inner]).flatMap(rootsBelow)]
  }
  const within = (root: unknown) =>
    rootsBelow(root as Styled).flatMap((one) => selectors.flatMap((selector) => Array.from(find(one, selector))))
  const adopt = (root: Root) => {
    const present = Array.from(root.adoptedStyleSheets)
    if (selectors.length > 0 && !present.includes(sheet)) root.adoptedStyleSheets = [...present, sheet]
  }
  const isAdopted = () => Array.from(document.adoptedStyleSheets).includes(sheet)
  const write = () =>
    sheet.replaceSync(
      selectors.map((one) => `${one} { display: none !important; animation: none !important; transition: none !important }`).join('\n'),
    )
  const hideInline = (element: Styled) => {
    const { style } = element
    if (style === undefined || (!hasOpposed && computed(element).display === 'none')) return
    if (!inline.has(element)) inline.set(element, [style.getPropertyValue('display'), style.getPropertyPriority('display')])
    style.setProperty('display', 'none', 'important')
  }
  const apply = () => {
    for (const [element, [value, priority]] of inline) {
      if (isMatch(element)) continue
      inline.delete(element)
      element.style?.setProperty('display', value, priority)
    }
    if (styled !== document) {
      sheet = new CSSStyleSheet() // a frame's first document may be replaced below the same window
      styled = document
      write()
    } else if (selectors.length > 0 && (sheet.disabled || sheet.cssRules.length !== selectors.length || !isAdopted())) {
      hasOpposed = true
      sheet.disabled = false
      write()
    }
    for (const root of rootsBelow(document)) adopt(root as Root)
    for (const element of within(document) as Styled[]) hideInline(element)
  }
  const update = (wanted: readonly string[]) => {
    if (wanted.join('\n') === selectors.join('\n')) return
    for (const root of rootsBelow(document) as Root[]) {
      const present = Array.from(root.adoptedStyleSheets)
      if (present.includes(sheet)) root.adoptedStyleSheets = present.filter((one) => one !== sheet)
    }
    selectors = [...wanted]
    hasOpposed = false
    styled = null
    if (wanted.length === 0) apply() // shows again what it hid
  }
  return Object.freeze({ update, apply, isBlinded, within })
}
