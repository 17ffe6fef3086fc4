/**
 * The parts of the DOM that our page functions use. The project is compiled without the library "dom", so that no host code
 * leans on a global of the browser by mistake.
 */
export interface PageNode {
  readonly nodeType: number
  readonly nodeValue: string | null
  readonly textContent: string | null
  readonly parentElement: PageElement | null
  contains(other: unknown): boolean
}

export interface PageElement extends PageNode {
  readonly tagName: string
  readonly id: string
  readonly innerText?: string
  readonly innerHTML: string
  readonly shadowRoot: PageRoot | null
  readonly ownerDocument: PageDocument
  readonly children: ArrayLike<PageElement>
  readonly labels?: ArrayLike<PageElement> | null
  readonly type?: string
  readonly value?: string
  readonly checked?: boolean
  readonly disabled?: boolean
  readonly href?: unknown
  readonly src?: unknown
  readonly selectedOptions?: ArrayLike<{ readonly text: string }>
  readonly isContentEditable?: boolean
  readonly scrollHeight: number
  readonly scrollWidth: number
  readonly clientHeight: number
  readonly clientWidth: number
  getAttribute(name: string): string | null
  hasAttribute(name: string): boolean
  closest(selector: string): PageElement | null
  matches(selector: string): boolean
  querySelector(selector: string): PageElement | null
  querySelectorAll(selector: string): ArrayLike<PageElement>
  getRootNode(): unknown
  scrollBy(options: { left: number; top: number; behavior: 'instant' }): void
}

export interface PageRoot {
  readonly nodeType: number
  querySelectorAll(selector: string): ArrayLike<PageElement>
}

export interface PageDocument extends PageRoot {
  readonly baseURI: string
  readonly documentElement: PageElement
  readonly scrollingElement: PageElement | null
  readonly readyState: string
  contains(other: unknown): boolean
  getElementById(id: string): PageElement | null
  elementFromPoint(x: number, y: number): PageElement | null
  evaluate(
    expression: string,
    context: unknown,
    resolver: null,
    type: number,
    result: null,
  ): { readonly snapshotLength: number; snapshotItem(index: number): unknown }
}

/**
 * Makes a function that Playwright evaluates in the page, where only its text arrives, and that of its tools: other functions, which it
 * and they reach as `this`, as a bundler may give names of a module other names. One that keeps names (esbuild, and so tsx) puts calls
 * of `__name` into every function; in the page there is none, so the text brings its own.
 */
export function pageScript<T extends object, A extends unknown[], R>(run: (this: T, ...args: A) => R, tools?: T): (...args: A) => R {
  const declared = Object.entries(tools ?? {}).map(([name, tool]) => `${name}: ${String(tool)}`)
  const text = `(...args) => { const __name = (f) => f; return (${String(run)}).apply({ ${declared.join(',\n')} }, args) }`
  return Object.assign((...args: A) => run.apply((tools ?? {}) as T, args), { toString: () => text })
}
