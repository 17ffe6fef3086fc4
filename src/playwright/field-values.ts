import type { Locator } from 'playwright-core'
import { describeTarget, type Target } from '../definition/index.js'
import { ActionError } from '../errors/index.js'
import { type Blind, GUARD_TOOLS, type GuardTools } from './blinder-scripts.js'
import { type PageElement, pageScript } from './dom.js'

/** For the look at a field after it was filled: one that is gone, or whose page goes elsewhere, is not waited for. */
const LOOK_WITHIN_MS = 250

interface Filled extends PageElement {
  readonly control?: Filled | null
  readonly options?: ArrayLike<{ readonly label: string; readonly value: string; readonly disabled: boolean; readonly selected: boolean }>
}

/** Formats of the inputs that take a fixed one. */
const FORMATS: Readonly<Record<string, string>> = {
  date: '2024-12-31',
  time: '23:59',
  'datetime-local': '2024-12-31T23:59',
  month: '2024-12',
  week: '2024-W52',
  color: '#aabbcc',
  number: '12.5',
  range: '50',
}

/** Inputs whose value Playwright itself compares after setting it. */
const COMPARED = new Set(['date', 'time', 'datetime-local', 'month', 'week', 'color', 'range'])

/** Runs in the page, as text: the field that an element stands for, as Playwright sees it: itself, or that of its label. */
function fieldOf(element: Filled): Filled {
  if (element.matches('input, textarea, select') || element.isContentEditable === true) return element
  return (element.closest('label') as Filled | null)?.control ?? element
}

interface FieldTools extends GuardTools {
  fieldOf: typeof fieldOf
}

/** Runs in the page, as text: what a field holds, and whether it has the focus; null for what holds nothing. */
function readField(this: FieldTools, given: Filled): { value: string; hasFocus: boolean } | null {
  const element = this.fieldOf(given)
  const root = element.getRootNode() as { readonly activeElement?: unknown }
  // biome-ignore lint/performance/useDomNodeTextContent: the text that a reader sees, without hidden parts
  const text = element.isContentEditable === true ? (element.innerText ?? element.textContent ?? '') : null
  const value = typeof element.value === 'string' ? element.value : text
  return value === null ? null : { value, hasFocus: root.activeElement === element }
}

const READ_FIELD = pageScript(readField, { ...GUARD_TOOLS, fieldOf })

/** Runs in the page, as text: what a list offers to who may see it, and which of that is chosen; null for what is no list. */
function readOptions(this: FieldTools, given: Filled, blind: Blind): { labels: string[]; chosen: string[] } | null {
  const { options } = this.fieldOf(given)
  if (options === undefined) return null
  const guard = blind === null ? null : this.guardOf(blind)
  const all = Array.from(options).filter((option) => guard === null || !guard.isBlinded(option))
  return {
    labels: all.filter((option) => !option.disabled).map((option) => option.label),
    chosen: all.filter((option) => option.selected).map((option) => option.value),
  }
}

const READ_OPTIONS = pageScript(readOptions, { ...GUARD_TOOLS, fieldOf })

export interface FieldParams {
  readonly locator: Locator
  readonly target: Target
  readonly signal: AbortSignal
  /** Null where it could not be read. */
  readonly inputType: string | null
  readonly blind: Blind
}

/**
 * Whether a field that was given a text holds it. Fields that format what they are given (telephone numbers, amounts, capitals) count: what
 * was asked must stand in it, in its order. Pure.
 */
export function holdsText(asked: string, held: string): boolean {
  if (asked === held) return true
  if (/^\s*[-−]\s*\d/.test(asked) && !/[-−(]/.test(held)) return false // a sign is no formatting
  const wanted = [...letters(asked)]
  if (wanted.length === 0) return tidy(held) === tidy(asked) || (asked !== '' && tidy(held).includes(tidy(asked)))
  let place = 0
  for (const letter of letters(held)) if (letter === wanted[place]) place += 1
  return place === wanted.length
}

const letters = (text: string) =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
const tidy = (text: string) => text.replace(/\s+/g, ' ').trim()

/**
 * Looks whether a field holds what was typed.
 *
 * @throws {ActionError} `ACTION_FAILED`, with lengths only: a value may be a secret
 */
export async function expectTyped(params: FieldParams, typed: string, isAppended: boolean): Promise<void> {
  if (params.inputType !== null && COMPARED.has(params.inputType)) return
  const field = await look(params, READ_FIELD)
  if (field === null) return
  if (isAppended && !field.hasFocus) return // it handed the focus on while it was typed into, as fields for codes do
  if (holdsText(typed, field.value)) return
  throw new ActionError(
    `input_text on ${describeTarget(params.target)} did not take: ${typed.length} characters were typed, the field holds ${field.value.length}, and not those`,
    { code: 'ACTION_FAILED', details: { expected: `${typed.length} characters`, received: `${field.value.length} characters` } },
  )
}

/**
 * Looks whether a list shows what was chosen: a page may put it back.
 *
 * @throws {ActionError} `ACTION_FAILED`, expected and received
 */
export async function expectChosen(params: FieldParams, chosen: readonly string[]): Promise<void> {
  const list = await look(params, READ_OPTIONS)
  if (list === null || chosen.every((value) => list.chosen.includes(value))) return
  throw new ActionError(`select_option on ${describeTarget(params.target)} did not take: the page chose otherwise`, {
    code: 'ACTION_FAILED',
    details: { expected: [...chosen], received: list.chosen },
  })
}

/** Says more of a failed choice: which options there are. Any other failure comes out as it is. */
export async function explainChoice(error: unknown, params: FieldParams, asked: readonly string[]): Promise<unknown> {
  if (!ActionError.is(error) || error.details.obstacle !== 'did not find some options') return error
  const list = await look(params, READ_OPTIONS)
  if (list === null) return error
  const shown = list.labels.slice(0, 20).map((label) => JSON.stringify(label.trim().slice(0, 60)))
  const more = list.labels.length > shown.length ? ` and ${list.labels.length - shown.length} more` : ''
  return new ActionError(
    `select_option on ${describeTarget(params.target)}: no such option${asked.length > 1 ? 's' : ''} as asked; it has ${shown.join(', ') || 'none'}${more}`,
    { code: error.code, cause: error, retryable: true, details: { ...error.details, options: list.labels.slice(0, 100) } },
  )
}

/** Says more of a text that an input cannot hold: the format that it takes. Any other failure comes out as it is. */
export function explainFormat(error: unknown, { target, inputType }: FieldParams): unknown {
  if (!ActionError.is(error) || error.code !== 'ACTION_FAILED' || !/Malformed value|Cannot type text into/.test(error.message)) return error
  const format = FORMATS[inputType ?? '']
  return new ActionError(
    `input_text on ${describeTarget(target)} failed: ${article(inputType)} input does not take this value`.concat(
      format === undefined ? '' : `; it takes the form ${format}`,
    ),
    { code: 'ACTION_FAILED', cause: error, details: { ...error.details, inputType: inputType ?? undefined, expected: format } },
  )
}

const article = (type: string | null) => `${/^[aeiou]/.test(type ?? '') ? 'an' : 'a'} ${type ?? 'typed'}`

async function look<T>({ locator, signal, blind }: FieldParams, read: (element: never, blind: Blind) => T | null): Promise<T | null> {
  try {
    return await locator.evaluate<T | null, Blind>(read as never, blind, { timeout: LOOK_WITHIN_MS, signal })
  } catch {
    signal.throwIfAborted()
    return null // gone, or on its way elsewhere: its page took it
  }
}
