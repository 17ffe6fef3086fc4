import type { SelectorRule, Selectors, Target } from '../definition/index.js'
import { ActionError, type Json } from '../errors/index.js'
import { type FakeElement, matchElements } from './fake-site.js'

/**
 * Answers selectors from scripted elements: text, `attr`, `all`, `optional`, and numbers for `type: 'number' | 'integer'`.
 * A page that needs more scripts its own `extract`.
 */
export function extractFromElements(selectors: Selectors, elements: readonly FakeElement[]): Json {
  const data: Record<string, Json> = {}
  for (const [field, ruleOrCss] of Object.entries(selectors)) {
    const rule: SelectorRule = typeof ruleOrCss === 'string' ? { css: ruleOrCss } : ruleOrCss
    const found = matchElements(elements, rule as Target)
    const values = found.map((element) => readElement(rule, element)).filter((value) => value !== undefined)
    if (values.length === 0 && rule.optional !== true) {
      throw new ActionError(`No element for field ${field}`, { code: 'EXTRACTION_FAILED', details: { field, rule: { ...rule } as Json } })
    }
    data[field] = rule.all === true || rule.each !== undefined ? values : (values[0] ?? null)
  }
  return data
}

function readElement(rule: SelectorRule, element: FakeElement): Json | undefined {
  if (rule.each !== undefined) return extractFromElements(rule.each, [element])
  const text = rule.attr === undefined ? (element.text ?? element.value) : element.attributes?.[rule.attr]
  if (text === undefined) return undefined
  return rule.type === 'number' || rule.type === 'integer' ? Number(text) : text.trim()
}
