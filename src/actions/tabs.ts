import { type ActionOf, matchesUrl } from '../definition/index.js'
import { ActionError } from '../errors/index.js'
import type { BrowserHandle, PageDriver, PageOperationOptions } from '../sessions/ports.js'

/** The tab at a place, 0-based, negative from the end. */
export function tabAt(browser: BrowserHandle, index: number): PageDriver {
  const page = browser.pages().at(index)
  if (page !== undefined) return page
  throw new ActionError(`There is no tab ${index}; ${browser.pages().length} are open`, { code: 'NO_PAGE', details: { index } })
}

/** The tab that a `switch_tab` action means. */
export async function findTab(browser: BrowserHandle, action: ActionOf<'switch_tab'>, options: PageOperationOptions): Promise<PageDriver> {
  if (action.index !== undefined) return tabAt(browser, action.index)
  for (const page of browser.pages()) {
    if (action.url !== undefined && matchesUrl(action.url, page.url())) return page
    if (action.title !== undefined && (await page.title(options)).toLowerCase().includes(action.title.toLowerCase())) return page
  }
  throw new ActionError(`No open tab has ${action.url === undefined ? `the title "${action.title}"` : `the address ${action.url}`}`, {
    code: 'NO_PAGE',
    details: { url: action.url, title: action.title, open: browser.pages().map((page) => page.url()) },
  })
}
