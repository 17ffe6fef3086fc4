import { BrowserController, BrowserPlugin, BrowserPool } from '@crawlee/browser-pool'
import { rate } from '../lib/rates.js'
import { timedMs } from '../lib/timed.js'
import { type FakeChrome, FakeChromeLauncher, SCRIPTED_FAILURE } from './fake-chrome.js'

class FakePlugin extends BrowserPlugin {
  protected _launch(): Promise<FakeChrome> {
    return (this.library as FakeChromeLauncher).launch()
  }

  protected _createController(): BrowserController {
    return new FakeController(this)
  }

  protected async _addProxyToLaunchOptions(): Promise<void> {}

  protected _isChromiumBasedBrowser(): boolean {
    return false
  }
}

class FakeController extends BrowserController {
  protected async _newPage(): Promise<unknown> {
    const page = await (this.browser as FakeChrome).newPage()
    page.once('close', () => {
      this.activePages-- // as the controllers of Playwright and Puppeteer do
    })
    return page
  }

  protected _close(): Promise<void> {
    return (this.browser as FakeChrome).close()
  }

  protected _kill(): Promise<void> {
    return (this.browser as FakeChrome).close()
  }

  protected async _getCookies(): Promise<unknown[]> {
    return []
  }

  protected async _setCookies(): Promise<void> {}

  normalizeProxyOptions(): object {
    return {}
  }
}

interface CrawleeParams {
  readonly launcher: FakeChromeLauncher
  readonly pagesPerBrowser?: number
}

async function withCrawlee<T>({ launcher, pagesPerBrowser = 20 }: CrawleeParams, work: (pool: BrowserPool) => Promise<T>): Promise<T> {
  const pool = new BrowserPool({
    browserPlugins: [new FakePlugin(launcher)],
    useFingerprints: false,
    maxOpenPagesPerBrowser: pagesPerBrowser,
    retireBrowserAfterPageCount: Number.POSITIVE_INFINITY,
  })
  try {
    return await work(pool)
  } finally {
    await pool.destroy()
  }
}

/** Pages opened and closed a second, one after another. */
export function crawleePages(ms: number): Promise<number> {
  return withCrawlee({ launcher: new FakeChromeLauncher() }, async (pool) => {
    await (await pool.newPage()).close() // the browser is up from here on
    return rate({ clients: 1, ms, work: async () => (await pool.newPage()).close() })
  })
}

/** How long `count` callers at once wait for a page in a browser of their own. */
export function crawleeLaunches({ count, launchMs }: { readonly count: number; readonly launchMs: number }): Promise<number> {
  return withCrawlee({ launcher: new FakeChromeLauncher(launchMs), pagesPerBrowser: 1 }, (pool) =>
    timedMs(() => Promise.all(Array.from({ length: count }, () => pool.newPage()))),
  )
}

/** Callers that failed after a crash, and whose own launch it was not that failed. */
export async function crawleeInnocents({ rounds, callers }: { readonly rounds: number; readonly callers: number }): Promise<number> {
  let failed = 0
  for (let round = 0; round < rounds; round++) {
    const launcher = new FakeChromeLauncher()
    failed += await withCrawlee({ launcher }, async (pool) => {
      await pool.newPage()
      launcher.failNext = true
      launcher.chromes[0]?.crash()
      const outcomes = await Promise.allSettled(Array.from({ length: callers }, async () => (await pool.newPage()).close()))
      return outcomes.filter((outcome) => outcome.status === 'rejected' && !String(outcome.reason).includes(SCRIPTED_FAILURE)).length
    })
  }
  return failed
}
