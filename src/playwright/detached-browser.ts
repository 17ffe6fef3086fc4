import type { Page } from 'playwright-core'
import { BrowserLaunchError } from '../errors/index.js'
import type { Clock } from '../runtime/index.js'
import type { AdoptSpec, LaunchSpec, ProcessIdentity } from '../sessions/ports.js'
import { BrowserStateKeeper } from './browser-state.js'
import type { BrowserFolders } from './launch-arguments.js'
import { loadPlaywright } from './load-playwright.js'
import { PlaywrightBrowser } from './playwright-browser.js'
import { collectBrowserProcesses, identify, isProcessAlive } from './process-tree.js'
import type { ProcessWatch } from './process-watch.js'
import { verifyProfile } from './profile-lock.js'
import { Recordings } from './recordings.js'

export interface DetachedBrowserParams {
  readonly spec: LaunchSpec
  readonly folders: BrowserFolders
  readonly browserAddress: string
  readonly clock: Clock
  readonly watch: ProcessWatch
  readonly timeoutMs: number
  /** Of one that is taken over; null: whoever answers is the one, as it was launched just now. */
  readonly expected: ProcessIdentity | null
  readonly signal: AbortSignal
}

/**
 * Connects to a browser that we, or a process before us, launched as `detached`: its windows and its profile, driven as any other. What a
 * connection has to say of pages (their size, the session's headers) is said here; the rest its process was started with.
 */
export async function connectDetached(params: DetachedBrowserParams): Promise<PlaywrightBrowser> {
  const { spec, folders, browserAddress, clock, watch, expected, signal } = params
  const chromium = await loadPlaywright()
  const connecting = chromium.connectOverCDP(browserAddress, {
    isLocal: true,
    artifactsDir: folders.artifacts,
    timeout: Math.max(1, params.timeoutMs),
  })
  // one that answers too late is let go again
  connecting.then((late) => (signal.aborted ? late.close() : undefined)).catch(() => {})
  const browser = await connecting
  try {
    const [context] = browser.contexts()
    if (context === undefined) throw new Error('the browser shows no window')
    const browserSession = await browser.newBrowserCDPSession()
    const { processInfo } = await browserSession.send('SystemInfo.getProcessInfo')
    const pid = processInfo.find((info) => info.type === 'browser')?.id
    const identity = pid === undefined ? null : identify(pid)
    assertSame(spec, identity, expected)
    await verifyProfile(spec, folders.profile, identity)
    const controls = {
      end: () => browserSession.send('Browser.close'),
      leave: () => browser.close(),
      prepare: async (page: Page) => {
        if (spec.viewport !== null) await page.setViewportSize(spec.viewport)
      },
    }
    if (spec.extraHttpHeaders !== undefined) await context.setExtraHTTPHeaders({ ...spec.extraHttpHeaders })
    context.on('page', (page) => controls.prepare(page).catch(() => {})) // closed at once
    await Promise.all(context.pages().map((page) => controls.prepare(page)))
    const state = new BrowserStateKeeper({ context, clock, spec })
    await state.restore()
    const recordings = new Recordings({ context, folder: folders.artifacts, kinds: spec.record ?? [], clock })
    await recordings.start()
    const parts = { context, browserSession, process: identity, spec, clock, watch, state, recordings, browserAddress, detached: controls }
    const handle = new PlaywrightBrowser(parts)
    await handle.start()
    return handle
  } catch (error) {
    await browser.close().catch(() => {}) // the connection is gone already
    throw error
  }
}

/**
 * Tests, before anything is said to it, that the process is the one that was launched: by id, start time and the mark in its environment.
 * @throws {BrowserLaunchError} `BROWSER_LAUNCH_FAILED`, category `unreachable`
 */
export function assertAdoptable(spec: AdoptSpec): void {
  const { process: expected, directory } = spec
  if (!isProcessAlive(expected)) throw notTheOne(spec, `process ${expected.pid} is gone, or another one has its number`)
  const isMarked = collectBrowserProcesses(null, directory).some(({ pid }) => pid === expected.pid)
  if (!isMarked) throw notTheOne(spec, `process ${expected.pid} is not of this session`)
}

function assertSame(spec: LaunchSpec, found: ProcessIdentity | null, expected: ProcessIdentity | null): void {
  if (expected === null) return
  if (found?.pid === expected.pid && found.startTime === expected.startTime) return
  throw notTheOne(spec, `process ${found?.pid ?? 'unknown'} answers instead of ${expected.pid}`)
}

function notTheOne({ browserSessionId }: LaunchSpec, what: string): BrowserLaunchError {
  return new BrowserLaunchError(`The browser of session ${browserSessionId} cannot be adopted: ${what}`, {
    category: 'unreachable',
    details: { browserSessionId },
  })
}
