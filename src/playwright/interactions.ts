import type { Locator, Page } from 'playwright-core'
import type { Target } from '../definition/index.js'
import { ActionError } from '../errors/index.js'
import { type Clock, withDeadline } from '../runtime/index.js'
import type { ElementDescriptor, PageInteraction, PageOperationOptions } from '../sessions/ports.js'
import type { Blind } from './blinder-scripts.js'
import { refuseBlinded, refuseBlindedOption, refuseFocused } from './blinders.js'
import { setChecked } from './check-boxes.js'
import { pageScript } from './dom.js'
import { type ElementFacts, READ_FACTS, toDescriptor } from './element-descriptor.js'
import { readBeside } from './facts-reader.js'
import { expectChosen, expectTyped, explainChoice, explainFormat, type FieldParams } from './field-values.js'
import { resolveLocator } from './locators.js'
import { atBoundary } from './playwright-errors.js'
import { scrollElement, scrollPage } from './scroll-scripts.js'
import { toInputFile, uploadFile } from './upload-file.js'

interface Limits {
  readonly timeout: number
  readonly signal: AbortSignal
}

/** What an interaction works with. */
interface InteractionParams<T extends PageInteraction> {
  readonly page: Page
  readonly interaction: T
  /** The element of the target. */
  readonly locator: Locator
  /** For every call of Playwright: what is left of the time. */
  readonly limits: () => Limits
  /** For a look at the field before and after. */
  readonly field: () => FieldParams
}

type Performer<T extends PageInteraction['type']> = (params: InteractionParams<Extract<PageInteraction, { type: T }>>) => Promise<unknown>

const performers: { readonly [T in PageInteraction['type']]: Performer<T> } = {
  click: ({ locator, interaction: { button, clickCount }, limits }) => locator.click({ button, clickCount, ...limits() }),
  hover: ({ locator, limits }) => locator.hover(limits()),
  input_text: async ({ locator, interaction: { value, clear }, limits, field }) => {
    if (clear) await locator.fill(value, limits())
    else {
      await locator.press('Control+End', limits())
      await locator.pressSequentially(value, limits())
    }
    await expectTyped(field(), value, !clear)
  },
  select_option: async ({ locator, interaction: { value, values }, limits, field }) =>
    expectChosen(field(), await locator.selectOption(values ?? value ?? [], limits())),
  check: ({ locator, limits }) => setChecked(locator, true, limits),
  uncheck: ({ locator, limits }) => setChecked(locator, false, limits),
  press_key: ({ page, locator, interaction: { key, target }, limits }) =>
    target === undefined ? page.keyboard.press(key) : locator.press(key, limits()),
  upload_file: ({ page, locator, interaction: { file, target }, limits }) =>
    uploadFile({ page, locator, target, file: toInputFile(file), limits }),
  drag_and_drop: async ({ page, locator, interaction: { destination }, limits }) => {
    await locator.waitFor({ state: 'attached', ...limits() })
    // Before anything is pressed: the drag itself would look for it with the button down, and name the wrong element.
    const end = await atDestination(page, destination, limits, async () => {
      const found = await resolveLocator(page, destination)
      await found.waitFor({ state: 'attached', ...limits() })
      return found
    })
    await locator.dragTo(end, limits())
  },
  scroll: ({ page, locator, interaction: { target, direction, amountPx }, limits }) => {
    const step = { direction: direction ?? 'down', amountPx: amountPx ?? null }
    if (target === undefined) return page.evaluate(pageScript(scrollPage), step)
    return direction === undefined ? locator.scrollIntoViewIfNeeded(limits()) : locator.evaluate(pageScript(scrollElement), step, limits())
  },
}

/** What goes wrong with the destination of a drag names the destination. */
function atDestination<T>(page: Page, destination: Target, limits: () => Limits, call: () => Promise<T>): Promise<T> {
  const { timeout, signal } = limits()
  const timeoutMs = Math.round(timeout)
  return atBoundary({ what: 'drag_and_drop', target: destination, url: page.url(), timeoutMs }, { signal, timeoutMs }, call)
}

/** The types that the mouse does: what lies over the element gets them. */
const POINTED: ReadonlySet<PageInteraction['type']> = new Set(['click', 'hover', 'check', 'uncheck', 'drag_and_drop'])

/** The types that act on the field that a label stands for. */
const LABELED: ReadonlySet<PageInteraction['type']> = new Set(['input_text', 'select_option', 'upload_file'])

export interface PerformInteractionParams {
  readonly page: Page
  readonly interaction: PageInteraction
  readonly blind: Blind
  readonly options: PageOperationOptions
  readonly clock: Clock
}

/**
 * Finds the interaction's element, acts on it, and notes what it is while that goes on, all within the interaction's own `timeoutMs` or
 * the call's, whichever is shorter.
 */
export async function performInteraction(params: PerformInteractionParams): Promise<ElementDescriptor | null> {
  const { page, interaction, blind, options, clock } = params
  const timeoutMs = Math.min(interaction.timeoutMs ?? Number.POSITIVE_INFINITY, options.timeoutMs)
  const { target, type } = interaction
  const run = async (signal: AbortSignal, limits: () => Limits) => {
    const attempt = { what: type, target, url: page.url(), timeoutMs }
    const bounded = { signal: options.signal, timeoutMs }
    await atBoundary(attempt, bounded, () => refuseHidden(params, limits))
    const locator = target === undefined ? page.locator('html') : await resolveLocator(page, target)
    const perform = performers[type] as Performer<PageInteraction['type']>
    const read = () => (target === undefined ? null : readBeside<ElementFacts>(locator, READ_FACTS, limits(), clock))
    let facts = POINTED.has(type) ? null : read()
    const field = () => ({ locator, target: target ?? {}, signal, inputType: facts?.current()?.inputType ?? null, blind })
    try {
      const acting = perform({ page, interaction: interaction as never, locator, limits, field })
      acting.catch(() => {}) // an abort may come before anybody waits for it
      // The mouse waits two frames for its element to stand still: what is read meanwhile costs nothing then.
      facts ??= read()
      await atBoundary({ ...attempt, wasFound: () => facts?.current() != null }, bounded, () => acting)
    } catch (error) {
      throw await explain(error, interaction, field)
    } finally {
      await facts?.finish()
    }
    const found = facts?.current() ?? null
    return found === null ? null : toDescriptor(found, target?.frame)
  }
  return inTime({ run, what: type, page, options: { ...options, timeoutMs }, clock })
}

/** Finds the element of a target, and notes what it is. */
export function locateElement(
  params: Omit<PerformInteractionParams, 'interaction'> & { readonly target: Target },
): Promise<ElementDescriptor> {
  const { page, target, blind, options, clock } = params
  const run = async (_signal: AbortSignal, limits: () => Limits) => {
    const attempt = { what: 'locate', target, url: page.url(), timeoutMs: options.timeoutMs }
    const facts = await atBoundary(attempt, options, async () => {
      if (blind !== null) await refuseBlinded({ page, blind, target, isPointer: false, limits: limits() })
      const locator = await resolveLocator(page, target)
      return locator.evaluate<ElementFacts, undefined>(READ_FACTS, undefined, limits())
    })
    return toDescriptor(facts, target.frame)
  }
  return inTime({ run, what: 'locate', page, options, clock })
}

/** Playwright's own deadline, whose error says more, comes first. */
const GRACE_MS = 500

interface InTimeParams<T> {
  readonly run: (signal: AbortSignal, limits: () => Limits) => Promise<T>
  readonly what: string
  readonly page: Page
  readonly options: PageOperationOptions
  readonly clock: Clock
}

/** For the calls that take no signal, and for a page that does not answer at all. */
function inTime<T>({ run, what, page, options, clock }: InTimeParams<T>): Promise<T> {
  const { timeoutMs, signal } = options
  const endsAtMs = clock.monotonicMs() + timeoutMs
  const onTimeout = () =>
    new ActionError(`${what} took longer than ${timeoutMs} ms: the page does not answer`, {
      code: 'ACTION_TIMEOUT',
      details: { url: page.url(), timeoutMs },
      retryable: true,
    })
  const limited = (inner: AbortSignal) => run(inner, () => ({ timeout: Math.max(1, endsAtMs - clock.monotonicMs()), signal: inner }))
  return withDeadline({ run: limited, timeoutMs: timeoutMs + GRACE_MS, onTimeout, signal, clock })
}

/** @throws {ActionError} `ACTION_BLOCKED` for an element behind a blinder, and for a key that would go to one */
async function refuseHidden({ page, interaction, blind, options }: PerformInteractionParams, limits: () => Limits): Promise<void> {
  if (blind === null) return
  const { target, type } = interaction
  const key = interaction.type === 'press_key' ? interaction.key : ''
  const isLabeled = LABELED.has(type)
  if (target !== undefined) await refuseBlinded({ page, blind, target, isPointer: POINTED.has(type), isLabeled, key, limits: limits() })
  else if (type === 'press_key') await refuseFocused(page, blind, key, options.signal)
  if (interaction.type === 'select_option') {
    const { value, values = [value ?? ''] } = interaction
    await refuseBlindedOption({ page, blind, target: interaction.target, values, limits: limits() })
  }
  if (interaction.type === 'drag_and_drop') {
    const { destination } = interaction
    await atDestination(page, destination, limits, () =>
      refuseBlinded({ page, blind, target: destination, isPointer: true, limits: limits() }),
    )
  }
}

async function explain(error: unknown, interaction: PageInteraction, field: () => FieldParams): Promise<unknown> {
  if (interaction.type === 'input_text') return explainFormat(error, field())
  if (interaction.type === 'select_option') return explainChoice(error, field(), interaction.values ?? [interaction.value ?? ''])
  return error
}
