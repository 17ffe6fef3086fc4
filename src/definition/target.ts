import { z } from 'zod'
import { requireKeys } from './require-keys.js'

/** The ways to name an element; a target uses exactly one of them. */
export const LOCATOR_KEYS = ['css', 'xpath', 'role', 'label', 'placeholder', 'testId', 'text'] as const

const text = z.string().min(1)

/**
 * Names one element of a page: exactly one of {@link LOCATOR_KEYS}, with `nth` and `frame` where they are needed.
 * Every text is a template.
 */
export const targetSchema = requireKeys(
  z.strictObject({
    /** CSS selector; pierces open shadow roots. */
    css: text.optional(),
    /** XPath expression. */
    xpath: text.optional(),
    /** ARIA role, for example `button`; usually with `name`. */
    role: text.optional(),
    /** Accessible name, only with `role`: matched as a substring, in any case. */
    name: text.optional(),
    /** Text of the element's label. */
    label: text.optional(),
    /** Text of the element's placeholder. */
    placeholder: text.optional(),
    /** Value of `data-testid`. */
    testId: text.optional(),
    /** Text that the element shows: matched as a substring, in any case. */
    text: text.optional(),
    /** Which match, 0-based; negative counts from the end. Without it, more than one match is an error. */
    nth: z.int().min(-10_000).max(10_000).optional(),
    /** CSS selector of the frame that holds the element; several are entered one after another. */
    frame: z.union([text, z.array(text).min(1)]).optional(),
  }),
  'exactly one',
  LOCATOR_KEYS,
).refine((target) => typeof target !== 'object' || target === null || target.name === undefined || target.role !== undefined, {
  when: () => true,
  error: 'name needs role',
  path: ['name'],
  params: { expected: 'role beside name' },
})

/** One element of a page, see `targetSchema`. */
export type Target = z.infer<typeof targetSchema>

/** Names a target in a message: `css "#go"`, `button "Save" in frame "#pay"`. */
export function describeTarget(target: Target): string {
  const { nth, frame } = target
  const key = (['css', 'xpath', 'label', 'placeholder', 'testId', 'text'] as const).find((candidate) => target[candidate] !== undefined)
  const name = target.name === undefined ? '' : ` ${JSON.stringify(target.name)}`
  const what = key === undefined ? `${target.role ?? 'element'}${name}` : `${key} ${JSON.stringify(target[key])}`
  const frames = frame === undefined ? [] : [frame].flat().map((one) => JSON.stringify(one))
  return `${what}${nth === undefined ? '' : ` nth ${nth}`}${frames.length === 0 ? '' : ` in frame ${frames.join(' > ')}`}`
}
