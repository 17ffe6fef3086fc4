import type { BrowserContext, Frame, Page } from 'playwright-core'
import type { Target } from '../definition/index.js'
import { ActionError, InvalidArgumentError } from '../errors/index.js'
import { type Clock, type Random, raceAbort, sleep } from '../runtime/index.js'
import type { BlinderSettings } from './blinder-guard.js'
import {
  APPLY,
  type Blind,
  CHOICE_REFUSAL,
  type ChoiceRefusalParams,
  FIRST_INVALID,
  FOCUSED,
  REFUSAL,
  type RefusalParams,
} from './blinder-scripts.js'
import { frameLocators, resolveLocator } from './locators.js'

/** How long a frame may take to hide what it should; one that does not answer draws nothing new either. */
const APPLY_WITHIN_MS = 500

interface Limits {
  readonly timeout: number
  readonly signal: AbortSignal
}

/** The blinders of a browser: the selectors, and the script that brings them into every document. */
export class Blinders {
  readonly #context: BrowserContext
  readonly #clock: Clock
  readonly #names: { readonly key: string; readonly token: string }
  #settings: Blind = null
  #script: { dispose(): Promise<void> } | null = null

  constructor(context: BrowserContext, clock: Clock, random: Random) {
    this.#context = context
    this.#clock = clock
    this.#names = { key: `_${random.bytes(9).toString('hex')}`, token: random.bytes(16).toString('hex') }
  }

  /** Null: there are none. */
  get settings(): Blind {
    return this.#settings
  }

  /**
   * Takes other selectors. The same ones again cost nothing.
   *
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for a selector that the browser does not understand; the ones before stay then
   */
  async set(selectors: readonly string[], anyPage: () => Promise<Page>, signal: AbortSignal): Promise<void> {
    const before = this.#settings?.selectors ?? []
    if (before.join('\n') === selectors.join('\n') && before.length === selectors.length) return
    if (selectors.length > 0) await this.#refuseInvalid(selectors, await anyPage(), signal)
    const settings: BlinderSettings = { selectors: [...selectors], ...this.#names }
    const isNeeded = selectors.length > 0
    const script = isNeeded
      ? await raceAbort(this.#context.addInitScript({ content: `(${String(APPLY)})(${JSON.stringify(settings)})` }), signal)
      : null
    const former = this.#script
    this.#script = script
    this.#settings = isNeeded ? settings : null
    await Promise.all(this.#context.pages().map((page) => applyToFrames(page, settings, this.#clock, signal)))
    await former?.dispose()
  }

  /** Hides again, in all frames of a page, what it may show by now. */
  async apply(page: Page, signal: AbortSignal): Promise<void> {
    if (this.#settings !== null) await applyToFrames(page, this.#settings, this.#clock, signal)
  }

  async #refuseInvalid(selectors: readonly string[], page: Page, signal: AbortSignal): Promise<void> {
    const invalid = await raceAbort(page.evaluate<string | null, readonly string[]>(FIRST_INVALID, selectors), signal)
    if (invalid === null) return
    throw new InvalidArgumentError(`The blinder ${JSON.stringify(invalid)} is no CSS selector`, {
      path: `blinders[${selectors.indexOf(invalid)}]`,
      expected: 'a CSS selector',
      received: invalid,
    })
  }
}

async function applyToFrames(page: Page, settings: BlinderSettings, clock: Clock, signal: AbortSignal): Promise<void> {
  const inFrames = page.frames().map((frame) => frame.evaluate<void, BlinderSettings>(APPLY, settings).catch(() => {})) // the frame is gone
  await Promise.race([Promise.all(inFrames), sleep(clock, APPLY_WITHIN_MS, signal)])
}

export interface RefuseBlindedParams {
  readonly page: Page
  readonly blind: BlinderSettings
  readonly target: Target
  /** Whether it is a mouse that acts: what lies over the element counts then. */
  readonly isPointer: boolean
  /** Whether it would act on the field that a label stands for. */
  readonly isLabeled?: boolean
  /** The key that it would get; empty: none. */
  readonly key?: string
  readonly limits: Limits
}

/**
 * Refuses an element behind a blinder, in its document or by a frame around it. Waits until the element is attached.
 *
 * @throws {ActionError} `ACTION_BLOCKED`, with the rule `blinder`
 */
export async function refuseBlinded(params: RefuseBlindedParams): Promise<void> {
  const { page, blind, target, isPointer, isLabeled = false, key = '', limits } = params
  for (const frame of frameLocators(page, target)) {
    blockIf(await frame.evaluate<string, RefusalParams>(REFUSAL, { blind, isPointer: false, isLabeled: false, key: '' }, limits))
  }
  const locator = await resolveLocator(page, target)
  blockIf(await locator.evaluate<string, RefusalParams>(REFUSAL, { blind, isPointer, isLabeled, key }, limits))
}

export interface RefuseBlindedOptionParams extends Pick<RefuseBlindedParams, 'page' | 'blind' | 'target' | 'limits'> {
  /** What is to be chosen: values or labels. */
  readonly values: readonly string[]
}

/** Refuses a choice that means an option behind a blinder. */
export async function refuseBlindedOption({ page, blind, target, values, limits }: RefuseBlindedOptionParams): Promise<void> {
  const locator = await resolveLocator(page, target)
  blockIf(await locator.evaluate<string, ChoiceRefusalParams>(CHOICE_REFUSAL, { blind, values }, limits))
}

/** Refuses a key when the element that has the focus, in whatever frame, is behind a blinder. */
export async function refuseFocused(page: Page, blind: BlinderSettings, key: string, signal: AbortSignal): Promise<void> {
  let frame: Frame | null = page.mainFrame()
  while (frame !== null) {
    const inFrame: Frame = frame
    const handle = (await raceAbort(inFrame.evaluateHandle<unknown>(FOCUSED), signal)).asElement()
    if (handle === null) return
    try {
      blockIf(
        await raceAbort(
          handle.evaluate<string, RefusalParams>(REFUSAL as never, { blind, isPointer: false, isLabeled: false, key }),
          signal,
        ),
      )
      frame = await raceAbort(handle.contentFrame(), signal)
    } finally {
      handle.dispose().catch(() => {}) // its document is gone, and it with it
    }
  }
}

function blockIf(reason: string): void {
  if (reason === '') return
  throw new ActionError(reason, { code: 'ACTION_BLOCKED', details: { rule: 'blinder' } })
}
