import { join } from 'node:path'
import { BrowserLaunchError, type LaunchFailureCategory, RunwrightError } from '../errors/index.js'
import { type Clock, withDeadline } from '../runtime/index.js'
import type { ConnectSpec, PageOperationOptions } from '../sessions/ports.js'
import { AttachedBrowser } from './attached-browser.js'
import { loadPlaywright } from './load-playwright.js'

/** What Playwright says when nothing that speaks DevTools is there. */
const SILENT =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ECONNRESET|socket hang up|Unexpected (status|server response)|Unexpected token|not valid JSON|WebSocket error|Invalid URL/i

/** Attaches to a running browser by its DevTools address: its own context, with the pages that it shows. */
export async function attach(spec: ConnectSpec, options: PageOperationOptions, clock: Clock): Promise<AttachedBrowser> {
  const { browserAddress, downloadsDirectory } = spec
  const { timeoutMs } = options
  const run = async (signal: AbortSignal) => {
    const chromium = await loadPlaywright()
    const connecting = chromium.connectOverCDP(browserAddress, {
      timeout: Math.max(1, timeoutMs),
      artifactsDir: join(downloadsDirectory, '.unfinished'),
    })
    // One that answers too late is let go again.
    connecting.then((late) => (signal.aborted ? late.close() : undefined)).catch(() => {})
    const browser = await connecting
    const [context] = browser.contexts()
    if (context === undefined) throw new Error('the browser shows no window to attach to')
    const attached = new AttachedBrowser({ browser, context, browserSession: await browser.newBrowserCDPSession(), spec, clock })
    await attached.start()
    return attached
  }
  const onTimeout = () => failure('timeout', spec, `it did not answer within ${timeoutMs} ms`)
  try {
    return await withDeadline({ run, timeoutMs, onTimeout, signal: options.signal, clock })
  } catch (error) {
    if (options.signal.aborted) throw failure('aborted', spec, 'attaching was aborted', error)
    if (RunwrightError.is(error)) throw error
    const text = error instanceof Error ? error.message : String(error)
    if (error instanceof Error && error.name === 'TimeoutError')
      throw failure('timeout', spec, `it did not answer within ${timeoutMs} ms`, error)
    throw failure(SILENT.test(text) ? 'unreachable' : 'unknown', spec, text.split('\n')[0] ?? 'for an unknown reason', error)
  }
}

function failure(category: LaunchFailureCategory, { browserAddress, browserSessionId }: ConnectSpec, what: string, cause?: unknown) {
  return new BrowserLaunchError(
    `Session ${browserSessionId} could not attach to the browser at ${withoutSecret(browserAddress)}: ${what}`,
    {
      category,
      cause,
      retryable: category === 'timeout' || category === 'unreachable',
      details: { browserSessionId, browserAddress: withoutSecret(browserAddress) },
    },
  )
}

/** Addresses of hosted browsers carry their key. */
function withoutSecret(address: string): string {
  if (!URL.canParse(address)) return address.slice(0, 100)
  const { protocol, host, pathname } = new URL(address)
  return `${protocol}//${host}${pathname.length > 1 ? '/…' : ''}`
}
