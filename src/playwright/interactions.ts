import type { Locator, Page } from 'playwright-core'
import { ActionError } from '../errors/index.js'
import { type Clock, withDeadline } from '../runtime/index.js'
import type { ElementDescriptor, PageInteraction, PageOperationOptions } from '../sessions/ports.js'
import { pageScript } from './dom.js'
import { type ElementFacts, READ_FACTS, toDescriptor } from './element-descriptor.js'
import { resolveLocator } from './locators.js'
import { atBoundary } from './playwright-errors.js'
import { scrollElement, scrollPage } from './scroll-scripts.js'
import { toInputFile } from './upload-file.js'

/** What an interaction works with; every call of Playwright gets `limits`. */
interface InteractionParams<T extends PageInteraction> {
  readonly page: Page
  readonly interaction: T
  /** The element of the target. */
  readonly locator: Locator
  readonly limits: { readonly timeout: number; readonly signal: AbortSignal }
}

type Performer<T extends PageInteraction['type']> = (params: InteractionParams<Extract<PageInteraction, { type: T }>>) => Promise<unknown>

const performers: { readonly [T in PageInteraction['type']]: Performer<T> } = {
  click: ({ locator, interaction: { button, clickCount }, limits }) => locator.click({ button, clickCount, ...limits }),
  hover: ({ locator, limits }) => locator.hover(limits),
  input_text: async ({ locator, interaction: { value, clear }, limits }) => {
    if (clear) return locator.fill(value, limits)
    await locator.press('Control+End', limits)
    return locator.pressSequentially(value, limits)
  },
  select_option: ({ locator, interaction: { value, values }, limits }) => locator.selectOption(values ?? value ?? [], limits),
  check: ({ locator, limits }) => locator.check(limits),
  uncheck: ({ locator, limits }) => locator.uncheck(limits),
  press_key: ({ page, locator, interaction: { key, target }, limits }) =>
    target === undefined ? page.keyboard.press(key) : locator.press(key, limits),
  upload_file: ({ locator, interaction: { file }, limits }) => locator.setInputFiles(toInputFile(file), limits),
  drag_and_drop: async ({ page, locator, interaction: { destination }, limits }) =>
    locator.dragTo(await resolveLocator(page, destination), limits),
  scroll: ({ page, locator, interaction: { target, direction, amountPx }, limits }) => {
    const step = { direction: direction ?? 'down', amountPx: amountPx ?? null }
    if (target === undefined) return page.evaluate(pageScript(scrollPage), step)
    return direction === undefined ? locator.scrollIntoViewIfNeeded(limits) : locator.evaluate(pageScript(scrollElement), step, limits)
  },
}

/**
 * Finds the interaction's element, notes what it is, and acts on it, all within the interaction's own `timeoutMs` or the call's,
 * whichever is shorter.
 */
export async function performInteraction(
  page: Page,
  interaction: PageInteraction,
  options: PageOperationOptions,
  clock: Clock,
): Promise<ElementDescriptor | null> {
  const timeoutMs = Math.min(interaction.timeoutMs ?? Number.POSITIVE_INFINITY, options.timeoutMs)
  const endsAtMs = clock.monotonicMs() + timeoutMs
  const { target, type } = interaction
  const attempt = { what: type, target, url: page.url(), timeoutMs }
  const bounded = { signal: options.signal, timeoutMs }
  const limits = (signal: AbortSignal) => ({ timeout: Math.max(1, endsAtMs - clock.monotonicMs()), signal })
  /** For the calls that take no signal, and for a page that does not answer at all. */
  const onTimeout = () =>
    new ActionError(`${type} took longer than ${timeoutMs} ms: the page does not answer`, {
      code: 'ACTION_TIMEOUT',
      details: { url: page.url(), timeoutMs },
      retryable: true,
    })
  const run = async (signal: AbortSignal) => {
    const locator = target === undefined ? page.locator('html') : await resolveLocator(page, target)
    const facts =
      target === undefined
        ? null
        : await atBoundary(attempt, bounded, () => locator.evaluate<ElementFacts, undefined>(READ_FACTS, undefined, limits(signal)))
    const perform = performers[type] as Performer<PageInteraction['type']>
    const found = { ...attempt, wasFound: true }
    await atBoundary(found, bounded, () => perform({ page, interaction: interaction as never, locator, limits: limits(signal) }))
    return facts === null ? null : toDescriptor(facts, target?.frame)
  }
  return withDeadline({ run, timeoutMs: timeoutMs + GRACE_MS, onTimeout, signal: options.signal, clock })
}

/** Playwright's own deadline, whose error says more, comes first. */
const GRACE_MS = 250
