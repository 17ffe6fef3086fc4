import { z } from 'zod'
import { requireKeys } from './require-keys.js'

const text = z.string().min(1)

/** How an extracted text becomes a value. */
export const RULE_TYPES = ['string', 'number', 'integer', 'boolean', 'date', 'url'] as const

/** How an extracted text becomes a value. */
export type RuleType = (typeof RULE_TYPES)[number]

/** The rule object of a selector map. */
export interface SelectorRule {
  /** CSS selector, relative to the match around it. Exactly one of `css`, `xpath`, `role`, `testId`, `label`. */
  css?: string | undefined
  /** XPath expression, relative to the match around it. */
  xpath?: string | undefined
  /** ARIA role, usually with `name`. */
  role?: string | undefined
  /** Accessible name, only with `role`. */
  name?: string | undefined
  /** Value of `data-testid`. */
  testId?: string | undefined
  /** Text of the element's label. */
  label?: string | undefined
  /** Takes this attribute instead of the text. */
  attr?: string | undefined
  /** Takes the inner HTML instead of the text. */
  html?: boolean | undefined
  /** Takes every match, as a list. */
  all?: true | undefined
  /** Makes a list of objects, one a match; its rules are relative to the match. */
  each?: Selectors | undefined
  /** Regular expression over the text; its first group, or the whole match when it has none. Not a template. Of a text the first 100,000 characters are searched, for 250 ms. */
  pattern?: string | undefined
  /** How the text becomes a value. Numbers are read with locale separators, URLs are made absolute. @default 'string' */
  type?: RuleType | undefined
  /** Whether a field without a match is null instead of an error. @default false */
  optional?: boolean | undefined
}

/** One field: a CSS selector (trimmed text of the first match), or a rule. */
export type Rule = string | SelectorRule

/** What to read from a page: a rule for each field of the result. */
export type Selectors = { [field: string]: Rule }

const isRegExp = (source: string) => {
  try {
    new RegExp(source, 'u')
    return true
  } catch {
    return false
  }
}

const ruleObjectSchema = requireKeys(
  z.strictObject({
    css: text.optional(),
    xpath: text.optional(),
    role: text.optional(),
    name: text.optional(),
    testId: text.optional(),
    label: text.optional(),
    attr: text.optional(),
    html: z.boolean().optional(),
    all: z.literal(true).optional(),
    get each(): z.ZodOptional<z.ZodType<Selectors, Selectors>> {
      return selectorsSchema.optional()
    },
    pattern: z
      .string()
      .min(1)
      .refine(isRegExp, { error: 'not a regular expression', params: { expected: 'a regular expression' } })
      .optional(),
    type: z.enum(RULE_TYPES).optional(),
    optional: z.boolean().optional(),
  }),
  'exactly one',
  ['css', 'xpath', 'role', 'testId', 'label'],
)
  .refine((rule) => !isRule(rule) || rule.name === undefined || rule.role !== undefined, {
    when: () => true,
    error: 'name needs role',
    path: ['name'],
    params: { expected: 'role beside name' },
  })
  .refine((rule) => !isRule(rule) || [rule.attr, rule.html || undefined, rule.each].filter((key) => key !== undefined).length <= 1, {
    when: () => true,
    error: 'attr, html and each exclude each other',
    params: { expected: 'at most one of attr, html, each' },
  })
  .refine((rule) => !isRule(rule) || rule.each === undefined || (rule.pattern === undefined && rule.type === undefined && !rule.all), {
    when: () => true,
    error: 'each makes objects: all, pattern and type do not go with it',
    params: { expected: 'each without all, pattern and type' },
  })

const isRule = (value: unknown): value is SelectorRule => typeof value === 'object' && value !== null

/** Schema of {@link Rule}. */
export const ruleSchema: z.ZodType<Rule, Rule> = z.lazy(() => z.union([text, ruleObjectSchema]))

/** Schema of {@link Selectors}: at least one field. */
export const selectorsSchema: z.ZodType<Selectors, Selectors> = z
  .record(z.string().min(1), ruleSchema)
  .refine((selectors) => Object.keys(selectors).length > 0, {
    error: 'no field',
    params: { expected: 'at least one field' },
  })
