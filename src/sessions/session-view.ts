import { StreamingError } from '../errors/index.js'
import type { SessionView } from '../streaming/session-view.js'
import type { BrowserHandle, PageDriver } from './ports.js'

/** Limit of each question to a page on behalf of a viewer, in milliseconds. */
const VIEW_TIMEOUT_MS = 5_000

/** What the streaming supervisor may ask of a browser; looking never opens a page. */
export function createSessionView(browserSessionId: string, browser: BrowserHandle): SessionView {
  const bounded = (signal = new AbortController().signal) => ({ signal, timeoutMs: VIEW_TIMEOUT_MS })
  const activePage = async (signal?: AbortSignal): Promise<PageDriver | null> =>
    browser.pages().length === 0 ? null : browser.activePage(bounded(signal))
  return {
    async pages() {
      const active = await activePage()
      const others = browser.pages().filter((page) => page.pageId !== active?.pageId)
      return Promise.all(
        (active === null ? [] : [active, ...others]).map(async (page) => ({
          pageId: page.pageId,
          url: page.url(),
          title: await page.title(bounded()).catch(() => ''), // closed, or busy: it has no title to show
        })),
      )
    },
    async screenshot({ format, quality, signal }) {
      const page = await activePage(signal)
      if (page === null) {
        throw new StreamingError(`Session ${browserSessionId} has no open page to take a picture of`, {
          code: 'STREAM_UNAVAILABLE',
          details: { browserSessionId },
        })
      }
      return page.screenshot({ format, ...(quality === undefined ? {} : { quality }) }, bounded(signal))
    },
  }
}
