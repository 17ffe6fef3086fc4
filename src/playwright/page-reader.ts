import type { Blind, ReadingTools } from './blinder-scripts.js'
import type { PageDocument, PageElement, PageRoot } from './dom.js'

declare const document: PageDocument

/** How the page finds and reads one field. */
export interface FieldPlan {
  readonly field: string
  readonly css?: string | undefined
  readonly xpath?: string | undefined
  /** Place in the lists of elements that Playwright has found beforehand, for what the page cannot find by itself (roles, labels). */
  readonly list?: number | undefined
  readonly read: 'text' | 'html' | 'link' | 'attribute' | 'each'
  readonly attribute?: string | undefined
  readonly all: boolean
  readonly each: readonly FieldPlan[]
}

interface ReaderParams {
  readonly plan: readonly FieldPlan[]
  readonly lists: readonly (readonly PageElement[])[]
  readonly blind: Blind
}

interface Read {
  count: number
  values: (string | null)[]
  items?: Record<string, Read>[]
  error?: string
}

/** Runs in the page, as text: reads every field of an extraction in one go. It must not lean on anything outside of itself. */
export function readPage(
  this: ReadingTools,
  { plan, lists, blind }: ReaderParams,
): { fields: Record<string, Read>; baseUrl: string; language: string } {
  const tools = this
  const guard = blind === null ? null : tools.guardOf(blind)
  guard?.apply()
  const hidden = blind?.selectors ?? []
  /** Light DOM first; open shadow roots only when that holds nothing, as it means walking every element. */
  function queryCss(root: PageRoot | PageElement, css: string): PageElement[] {
    if (css === ':scope' && root.nodeType === 1) return [root as PageElement]
    const found = Array.from(root.querySelectorAll(css))
    if (found.length > 0) return found
    return Array.from(root.querySelectorAll('*')).flatMap((element) =>
      element.shadowRoot === null ? [] : queryCss(element.shadowRoot, css),
    )
  }
  function queryXpath(root: PageRoot | PageElement, xpath: string): PageElement[] {
    const expression = root.nodeType === 1 && xpath.startsWith('/') ? `.${xpath}` : xpath
    const result = document.evaluate(expression, root, null, 7, null) // ordered snapshot
    const found: PageElement[] = []
    for (let index = 0; index < result.snapshotLength; index += 1) {
      found.push(result.snapshotItem(index) as PageElement) // or the node of a text() or an @attribute
    }
    return found
  }
  function find(root: PageRoot | PageElement, field: FieldPlan): PageElement[] {
    const found = findAll(root, field)
    if (guard === null) return found
    return found.filter((node) => !guard.isBlinded((node as { readonly ownerElement?: unknown }).ownerElement ?? node))
  }
  function findAll(root: PageRoot | PageElement, field: FieldPlan): PageElement[] {
    if (field.css !== undefined) return queryCss(root, field.css)
    if (field.xpath !== undefined) return queryXpath(root, field.xpath)
    const list = lists[field.list ?? -1] ?? []
    return root.nodeType === 1 ? list.filter((element) => element !== root && (root as PageElement).contains(element)) : [...list]
  }
  function textOf(element: PageElement): string {
    const tag = element.tagName.toLowerCase()
    if (tag === 'select') {
      const chosen = Array.from(element.selectedOptions ?? []).filter((option) => guard === null || !guard.isBlinded(option))
      return chosen.map((option) => option.text).join(', ')
    }
    if (tag === 'input' && (element.type === 'checkbox' || element.type === 'radio')) return String(element.checked === true)
    if (tag === 'input' || tag === 'textarea') return element.value ?? ''
    return tools.shownText(element, guard, hidden)
  }
  function readOne(element: PageElement, field: FieldPlan): string | null {
    if (element.nodeType !== 1) return element.nodeValue
    if (field.read === 'html') return guard === null ? element.innerHTML : tools.strippedCopy(element, guard, hidden).innerHTML
    if (field.read === 'attribute') return element.getAttribute(field.attribute ?? '')
    if (field.read === 'link') return element.getAttribute('href') ?? element.getAttribute('src') ?? textOf(element)
    return textOf(element)
  }
  function readFields(root: PageRoot | PageElement, fields: readonly FieldPlan[]): Record<string, Read> {
    return Object.fromEntries(fields.map((field) => [field.field, readField(root, field)]))
  }
  function readField(root: PageRoot | PageElement, field: FieldPlan): Read {
    try {
      const found = find(root, field)
      if (field.read === 'each') return { count: found.length, values: [], items: found.map((element) => readFields(element, field.each)) }
      const wanted = field.all ? found : found.slice(0, 1)
      return { count: found.length, values: wanted.map((element) => readOne(element, field)) }
    } catch (error) {
      return { count: 0, values: [], error: error instanceof Error ? error.message : String(error) }
    }
  }
  return { fields: readFields(document, plan), baseUrl: document.baseURI, language: document.documentElement.getAttribute('lang') ?? '' }
}
