import type { ElementHandle, Page } from 'playwright-core'
import type { SelectorRule, Selectors } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import { type Blind, READING_TOOLS, type ReadingTools } from './blinder-scripts.js'
import { pageScript } from './dom.js'
import { asRule, extractValues } from './extract-values.js'
import { allMatches } from './locators.js'
import { type FieldPlan, readPage } from './page-reader.js'

// Its lists are elements in the page, and handles here.
const READ_PAGE = pageScript(readPage as (this: ReadingTools, params: unknown) => ReturnType<typeof readPage>, READING_TOOLS)

/** What `querySelectorAll` does not know and Playwright's own engine does. */
const PLAYWRIGHT_CSS = /:(has-text|text|text-is|text-matches|visible|nth-match|right-of|left-of|above|below|near|light)\b/

/**
 * Reads a page by the selectors grammar, in one evaluation: all fields are of the same moment.
 * What is behind blinders is not there. Only roles, labels and Playwright's own CSS need a look beforehand each, as the page cannot find them by itself.
 */
export async function extractFromPage(page: Page, selectors: Selectors, blind: Blind): Promise<Json> {
  const finders = new Map<string, SelectorRule>()
  const plan = planFields(selectors, finders)
  const lists: ElementHandle[][] = []
  try {
    for (const rule of finders.values()) lists.push(await allMatches(page, rule).elementHandles())
    const read = await page.evaluate<ReturnType<typeof readPage>, unknown>(READ_PAGE, { plan, lists, blind })
    return extractValues(selectors, read.fields, read)
  } finally {
    for (const handle of lists.flat()) handle.dispose().catch(() => {}) // the page may be gone, and its handles with it
  }
}

/** Turns selectors into what the page's reader understands; `finders` collects the rules that Playwright must find. */
export function planFields(selectors: Selectors, finders: Map<string, SelectorRule>): readonly FieldPlan[] {
  return Object.entries(selectors).map(([field, ruleOrCss]) => {
    const rule = asRule(ruleOrCss)
    return {
      field,
      ...finderOf(rule, finders),
      read: readingOf(rule),
      attribute: rule.attr,
      all: rule.all === true,
      each: rule.each === undefined ? [] : planFields(rule.each, finders),
    }
  })
}

function finderOf(rule: SelectorRule, finders: Map<string, SelectorRule>): Pick<FieldPlan, 'css' | 'xpath' | 'list'> {
  if (rule.testId !== undefined) return { css: `[data-testid=${JSON.stringify(rule.testId)}]` }
  if (rule.xpath !== undefined) return { xpath: rule.xpath }
  if (rule.css !== undefined && !PLAYWRIGHT_CSS.test(rule.css)) return { css: rule.css }
  const { css, role, name, label } = rule
  const key = JSON.stringify([css, role, name, label])
  if (!finders.has(key)) finders.set(key, { css, role, name, label })
  return { list: [...finders.keys()].indexOf(key) }
}

function readingOf(rule: SelectorRule): FieldPlan['read'] {
  if (rule.each !== undefined) return 'each'
  if (rule.html === true) return 'html'
  if (rule.attr !== undefined) return 'attribute'
  return rule.type === 'url' ? 'link' : 'text'
}
