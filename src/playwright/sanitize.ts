import type { BrowserContext, Page } from 'playwright-core'
import type { SanitizeParams } from '../sessions/ports.js'

/** Of every site, but for cookies. */
const STORAGE_TYPES = 'cache_storage,file_systems,indexeddb,local_storage,service_workers,shader_cache,storage_buckets,websql'

/**
 * Takes out of a browser what the next holder is not to find. Pages go first: what runs in them could write anew. A page that does not
 * close, or does not answer, makes it fail by the caller's deadline.
 */
export async function sanitize(context: BrowserContext, what: SanitizeParams, signal: AbortSignal): Promise<void> {
  const old = context.pages()
  const page = await context.newPage()
  try {
    if (what.tabs) await Promise.all(old.map((one) => one.close()))
    signal.throwIfAborted()
    if (what.caches || what.storage) await clearByPage(context, page, what)
    signal.throwIfAborted()
    if (what.cookies) await context.clearCookies()
    if (what.storage && !what.tabs) await Promise.all(old.map((one) => clearTab(one)))
  } finally {
    if (!what.tabs) await page.close()
  }
}

async function clearByPage(context: BrowserContext, page: Page, what: SanitizeParams): Promise<void> {
  const cdp = await context.newCDPSession(page)
  try {
    if (what.caches || what.storage) await cdp.send('Network.clearBrowserCache')
    // the asterisk is no origin, which Chromium takes for every one; only the session of a page may ask for it
    if (what.storage) await cdp.send('Storage.clearDataForOrigin', { origin: '*', storageTypes: STORAGE_TYPES })
  } finally {
    await cdp.detach()
  }
}

/** What a tab keeps for itself: the browser has no call for all of them. A frame without storage has nothing to clear. */
async function clearTab(page: Page): Promise<void> {
  const clear = '(() => { try { sessionStorage.clear() } catch (error) { if (error.name !== "SecurityError") throw error } })()'
  await Promise.all(page.frames().map((frame) => frame.evaluate(clear)))
}
