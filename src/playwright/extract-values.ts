import type { Rule, RuleType, SelectorRule, Selectors } from '../definition/index.js'
import { ActionError, type Json } from '../errors/index.js'
import { PatternMatcher, PatternTooSlow } from './match-pattern.js'
import { parseDate } from './parse-date.js'
import { parseNumber } from './parse-number.js'

/** What the page gave for one field. */
export interface RawField {
  /** Elements that matched. */
  readonly count: number
  /** A text for each match that is read, null where it lacks the attribute; `items` for a rule with `each`. */
  readonly values: readonly (string | null)[]
  readonly items?: readonly RawFields[]
  /** Why the selector could not be used. */
  readonly error?: string
}

export type RawFields = Readonly<Record<string, RawField>>

/** What of the page decides how texts are read. */
export interface PageFacts {
  /** For relative addresses. */
  readonly baseUrl: string
  /** Its `lang`; empty where it has none. */
  readonly language: string
}

/**
 * Makes the result of an extraction out of what the page gave. Pure.
 *
 * @throws {ActionError} `EXTRACTION_FAILED`, naming field and selector: the field that is missing, or that does not fit its type
 */
export function extractValues(selectors: Selectors, raw: RawFields, facts: PageFacts): Record<string, Json> {
  return valuesOf(selectors, raw, { facts, matcher: new PatternMatcher() }, '')
}

interface Reading {
  readonly facts: PageFacts
  readonly matcher: PatternMatcher
}

function valuesOf(selectors: Selectors, raw: RawFields, { facts, matcher }: Reading, path: string): Record<string, Json> {
  const data: Record<string, Json> = {}
  for (const [field, ruleOrCss] of Object.entries(selectors)) {
    const rule = asRule(ruleOrCss)
    const where = { field: path === '' ? field : `${path}.${field}`, rule, facts, matcher }
    // A field may be called __proto__: plain assignment would lose it.
    Object.defineProperty(data, field, { value: fieldValue(where, raw[field]), enumerable: true, writable: true, configurable: true })
  }
  return data
}

interface Where extends Reading {
  readonly field: string
  readonly rule: SelectorRule
}

export const asRule = (rule: Rule): SelectorRule => (typeof rule === 'string' ? { css: rule } : rule)

function fieldValue(where: Where, raw: RawField | undefined): Json {
  const { rule, field } = where
  if (raw?.error !== undefined) throw failure(where, `the selector cannot be used: ${raw.error}`)
  const isList = rule.all === true || rule.each !== undefined
  if (raw === undefined || raw.count === 0) {
    if (rule.optional === true) return isList ? [] : null
    throw failure(where, 'nothing matches')
  }
  const { each } = rule
  if (each !== undefined) return (raw.items ?? []).map((item, index) => valuesOf(each, item, where, `${field}[${index}]`))
  const values = raw.values.map((text, index) => oneValue({ ...where, field: rule.all === true ? `${field}[${index}]` : field }, text))
  return isList ? values : (values[0] ?? null)
}

function oneValue(where: Where, text: string | null): Json {
  const { rule } = where
  const result = text === null ? new Missing(`the element has no attribute "${rule.attr ?? ''}"`) : convert(text, where)
  if (!(result instanceof Missing)) return result
  if (rule.optional === true) return null
  throw failure(where, result.why)
}

class Missing {
  constructor(readonly why: string) {}
}

function convert(text: string, where: Where): Json | Missing {
  const { rule, facts, matcher } = where
  const trimmed = rule.html === true ? text : text.trim()
  const found = rule.pattern === undefined ? trimmed : matcher.match(trimmed, rule.pattern)
  if (found instanceof PatternTooSlow) {
    throw failure(where, `the pattern ${rule.pattern ?? ''} took longer than ${found.limitMs} ms on "${shorten(trimmed)}"`)
  }
  if (found === null) return new Missing(`"${shorten(trimmed)}" does not fit the pattern ${rule.pattern ?? ''}`)
  const value = toType(found, rule.type ?? 'string', facts)
  return value ?? new Missing(`"${shorten(found)}" is no ${rule.type ?? 'string'}`)
}

/** Reads a text as a value of a type; null where it is none. */
export function toType(text: string, type: RuleType, facts: PageFacts): Json {
  switch (type) {
    case 'string':
      return text
    case 'number':
      return parseNumber(text, facts.language)
    case 'integer': {
      const value = parseNumber(text, facts.language)
      return Number.isSafeInteger(value) ? value : null
    }
    case 'boolean':
      return toBoolean(text)
    case 'date':
      return parseDate(text, facts.language)
    case 'url':
      return toUrl(text, facts.baseUrl)
  }
}

const TRUE_WORDS = new Set(['true', 'yes', 'y', 'on', '1', 'checked', '✓', '✔', '☑'])
const FALSE_WORDS = new Set(['false', 'no', 'n', 'off', '0', 'unchecked', '✗', '✘', '☐'])

function toBoolean(text: string): boolean | null {
  const word = text.trim().toLowerCase()
  return TRUE_WORDS.has(word) ? true : FALSE_WORDS.has(word) ? false : null
}

function toUrl(text: string, baseUrl: string): string | null {
  const trimmed = text.trim()
  if (trimmed === '') return null
  return URL.canParse(trimmed, baseUrl) ? new URL(trimmed, baseUrl).href : null
}

/** Names the selector of a rule: `css "#total"`. */
export function describeRule(rule: SelectorRule): string {
  const key = (['css', 'xpath', 'testId', 'label'] as const).find((candidate) => rule[candidate] !== undefined)
  if (key !== undefined) return `${key} ${JSON.stringify(rule[key])}`
  return `role ${rule.role ?? '?'}${rule.name === undefined ? '' : ` ${JSON.stringify(rule.name)}`}`
}

function failure(where: Where, why: string): ActionError {
  const selector = describeRule(where.rule)
  return new ActionError(`Field ${where.field} (${selector}) was not read: ${why}`, {
    code: 'EXTRACTION_FAILED',
    details: { field: where.field, selector, reason: why },
  })
}

const shorten = (text: string) => (text.length > 80 ? `${text.slice(0, 79)}…` : text)
