import type { BrowserContext, Frame, Page } from 'playwright-core'
import { type Clock, withDeadline } from '../runtime/index.js'
import type { TabStorage } from '../sessions/browser-state.js'

/** A frame that does not answer within this time is left out: a stuck tab must not keep everything else from being saved. */
const FRAME_LIMIT_MS = 2_000

/** What the open documents of a browser keep in their tabs, newest tab last: where two tabs have an origin, the newer one's counts. */
export async function readTabStorage(pages: readonly Page[], clock: Clock, signal: AbortSignal): Promise<TabStorage[]> {
  const perPage = await Promise.all(pages.map((page) => readPage(page, clock, signal)))
  signal.throwIfAborted()
  const byOrigin = new Map(perPage.flat().map((storage) => [storage.origin, storage]))
  return [...byOrigin.values()]
}

async function readPage(page: Page, clock: Clock, signal: AbortSignal): Promise<TabStorage[]> {
  const frames = page.frames().filter((frame) => originOf(frame.url()) !== null)
  const read = await Promise.all(frames.map((frame) => readFrame(frame, clock, signal)))
  return read.filter((storage) => storage !== null)
}

async function readFrame(frame: Frame, clock: Clock, signal: AbortSignal): Promise<TabStorage | null> {
  const script = '(() => [location.origin, Object.entries(sessionStorage)])()'
  const run = () => frame.evaluate<[string, [string, string][]]>(script)
  const onTimeout = () => new Error('the frame does not answer')
  try {
    const [origin, items] = await withDeadline({ run, timeoutMs: FRAME_LIMIT_MS, onTimeout, signal, clock })
    return { origin, items }
  } catch {
    return null // stuck, gone, or sandboxed away from its own storage
  }
}

/**
 * Puts what tabs kept back into one tab, which has not been used yet: it is taken to each origin, where an empty page answers in the
 * site's stead, and back. (A script at the start of every document could not tell the first one of a tab from a later one: it would bring
 * back what a site has cleared, a sign-out for example.)
 */
export async function restoreTabStorage(context: BrowserContext, tabs: readonly TabStorage[]): Promise<void> {
  const filled = tabs.filter(({ items }) => items.length > 0)
  if (filled.length === 0) return
  await visitOrigins(
    context,
    filled.map(({ origin }) => origin),
    async (page, origin) => {
      const items = filled.find((tab) => tab.origin === origin)?.items ?? []
      await page.evaluate(`${JSON.stringify(items)}.forEach(([key, value]) => sessionStorage.setItem(key, value))`)
    },
  )
}

/** Takes the first tab to origins without asking anybody, and leaves it blank, with nothing to go back to. */
export async function visitOrigins(
  context: BrowserContext,
  origins: readonly string[],
  atEach: (page: Page, origin: string) => Promise<void> = async () => {},
): Promise<void> {
  if (origins.length === 0) return
  const page = context.pages()[0] ?? (await context.newPage())
  await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }))
  try {
    for (const origin of origins) {
      await page.goto(`${origin}/`)
      await atEach(page, origin)
    }
  } finally {
    await page.unroute('**/*')
  }
  await page.goto('about:blank')
  const cdp = await context.newCDPSession(page)
  try {
    await cdp.send('Page.resetNavigationHistory')
  } finally {
    await cdp.detach()
  }
}

/** Origin of an address under which sites keep things; null for any other. Pure. */
export function originOf(url: string): string | null {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return null
  return new URL(url).origin
}
