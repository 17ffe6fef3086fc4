import type { Action, ActionOf, ActionType } from '../definition/index.js'
import type { Json } from '../errors/index.js'
import { type Clock, sleep } from '../runtime/index.js'
import type {
  BrowserHandle,
  ElementDescriptor,
  PageDriver,
  PageInteraction,
  PageOperationOptions,
  WaitCondition,
} from '../sessions/ports.js'
import { absoluteUrl } from './absolute-url.js'
import type { ActionContext } from './action-context.js'
import type { ActionEnding } from './action-result.js'
import { assertPage } from './assert-page.js'
import { findTab, tabAt } from './tabs.js'

/** What a performer works with. The action is bound, its secrets revealed: nothing of it may be stored. */
export interface PerformParams<T extends ActionType> {
  readonly action: ActionOf<T>
  readonly browser: BrowserHandle
  readonly page: PageDriver
  readonly options: PageOperationOptions
  readonly context: ActionContext
  readonly clock: Clock
}

export interface Performed {
  readonly value?: Json
  readonly ending?: ActionEnding
  /** What was touched. */
  readonly element?: ElementDescriptor | null
}

type Performer<T extends ActionType> = (params: PerformParams<T>) => Promise<Performed>

const interact = async ({ action, page, options }: Omit<PerformParams<ActionType>, 'action'> & { readonly action: PageInteraction }) => {
  return { element: (await page.perform(action, options)).element }
}

/** The types that need no page. */
type PagelessType = 'wait' | 'complete' | 'terminate'
type PageType = Exclude<ActionType, PagelessType>

/** How each action type that touches a page is performed. */
const performers: { readonly [T in PageType]: Performer<T> } = {
  click: interact,
  hover: interact,
  input_text: interact,
  select_option: interact,
  check: interact,
  uncheck: interact,
  press_key: interact,
  upload_file: async ({ action, page, options, context }) => {
    const { element } = await page.perform({ ...action, file: await context.files.dataAddress(action.file) }, options)
    return { element }
  },
  drag_and_drop: interact,
  scroll: interact,
  goto_url: async ({ action, page, options, context }) => ({
    value: { ...(await page.navigate(absoluteUrl(action.url, context.scope), options)) },
  }),
  go_back: async ({ page, options }) => ({ value: { ...(await page.goBack(options)) } }),
  reload: async ({ page, options }) => ({ value: { ...(await page.reload(options)) } }),
  new_tab: async ({ action, browser, options, context }) => {
    const page = await browser.newPage(options)
    return action.url === undefined ? {} : { value: { ...(await page.navigate(absoluteUrl(action.url, context.scope), options)) } }
  },
  switch_tab: async ({ action, browser, options }) => {
    await (await findTab(browser, action, options)).bringToFront(options)
    return {}
  },
  close_tab: async ({ action, browser, page, options }) => {
    await (action.index === undefined ? page : tabAt(browser, action.index)).close(options)
    return {}
  },
  wait_for: async ({ action, page, options }) => {
    await page.waitFor(waitCondition(action), options)
    return {}
  },
  screenshot: async ({ action, page, options, context }) => {
    const picture = await page.screenshot({ format: 'png', fullPage: action.fullPage, target: action.target }, options)
    return { value: await context.files.saveScreenshot(picture, 'png') }
  },
  extract: async ({ action, page, options }) => {
    const data = await page.extract(action.selectors, options)
    return { value: action.as === undefined ? data : { [action.as]: data } }
  },
  locate_element: async ({ action, page, options }) => {
    const element = await page.locate(action.target, options)
    return { value: element as unknown as Json, element }
  },
  assert: async ({ action, page, options, clock }) => {
    await assertPage(action, page, options, clock)
    return {}
  },
}

/** Performs a bound action on a page. */
export function performOnPage(params: PerformParams<PageType>): Promise<Performed> {
  return (performers[params.action.type] as Performer<PageType>)(params)
}

/** Performs a bound action that needs no page. */
export async function performWithoutPage(action: ActionOf<PagelessType>, signal: AbortSignal, clock: Clock): Promise<Performed> {
  switch (action.type) {
    case 'wait':
      await sleep(clock, action.waitSec * 1_000, signal)
      return {}
    case 'complete':
      return { ending: { kind: 'complete' } }
    case 'terminate':
      return { ending: { kind: 'terminate', reason: action.reason ?? null, errorCode: action.errorCode ?? null } }
  }
}

/** Whether an action is performed without a page. */
export function isPageless(action: Action): action is ActionOf<PagelessType> {
  return action.type === 'wait' || action.type === 'complete' || action.type === 'terminate'
}

/** What an action would touch, found but not touched; one without a target needs a page only. */
export async function locateForDryRun(action: ActionOf<PageType>, page: PageDriver, options: PageOperationOptions): Promise<Performed> {
  const target = 'target' in action ? action.target : undefined
  const isAwaited = action.type === 'wait_for' || action.type === 'assert' // may be about something that is not there
  return target === undefined || isAwaited ? {} : { element: await page.locate(target, options) }
}

/** The types after which the page may be another one: the router settles and looks again. */
export const NAVIGATING_ACTIONS: ReadonlySet<ActionType> = new Set([
  'click',
  'press_key',
  'select_option',
  'check',
  'uncheck',
  'drag_and_drop',
  'goto_url',
  'go_back',
  'reload',
  'new_tab',
  'upload_file',
])

/** The types after which another tab is the active one. */
export const TAB_ACTIONS: ReadonlySet<ActionType> = new Set(['switch_tab', 'close_tab'])

function waitCondition(action: ActionOf<'wait_for'>): WaitCondition {
  if (action.target !== undefined) return { target: action.target, state: action.state ?? 'visible' }
  if (action.url !== undefined) return { url: action.url }
  if (action.text !== undefined) return { text: action.text }
  return { loadState: action.loadState ?? 'load' }
}
