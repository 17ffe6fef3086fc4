import { hostname } from 'node:os'
import { BrowserLaunchError, type LaunchFailureCategory, RunwrightError } from '../errors/index.js'
import { identify } from './process-tree.js'

/** What the output of a browser that did not come up says, first fit first. */
const SIGNS: readonly { readonly sign: RegExp; readonly category: LaunchFailureCategory; readonly what: string }[] = [
  {
    sign: /Missing X server|cannot open display|unable to open X display|without having a XServer|Authorization required/i,
    category: 'display',
    what: 'its display does not answer',
  },
  {
    sign: /ProcessSingleton|profile appears to be in use|SingletonLock|Opening in existing browser session/i,
    category: 'profile_locked',
    what: 'its profile is in use',
  },
  {
    sign: /Socket path too long/i,
    category: 'unknown',
    what: "the path of the session's folder is too long for the browser's socket; give the pool a shorter baseDirectory",
  },
  {
    sign: /Failed to bind|Address already in use|Cannot start http server for devtools/i,
    category: 'port',
    what: 'its DevTools port is taken',
  },
  { sign: /ENOENT|executable doesn't exist/i, category: 'executable_missing', what: 'its program is missing' },
  {
    sign: /No usable sandbox|Running as root without --no-sandbox/i,
    category: 'crashed',
    what: 'no sandbox is available; set chromiumSandbox: false, or allow user namespaces',
  },
  { sign: /has been closed|process did exit|Target closed|crash/i, category: 'crashed', what: 'it ended at once' },
]

/** Makes the one error of a launch out of what Playwright said. */
export function launchFailure(
  cause: unknown,
  params: { browserSessionId: string; executablePath: string; timeoutMs: number; signal: AbortSignal },
): RunwrightError {
  if (RunwrightError.is(cause)) return cause
  const { browserSessionId, executablePath, timeoutMs, signal } = params
  const text = cause instanceof Error ? cause.message : String(cause)
  const details = { browserSessionId, executablePath, output: browserOutput(text) }
  const fail = (category: LaunchFailureCategory, what: string, retryable = false) =>
    new BrowserLaunchError(`The browser of session ${browserSessionId} did not start: ${what}`, { category, retryable, cause, details })
  if (signal.aborted) return fail('aborted', 'the launch was aborted')
  if (cause instanceof Error && cause.name === 'TimeoutError') return fail('timeout', `it was not up after ${timeoutMs} ms`, true)
  const sign = SIGNS.find((candidate) => candidate.sign.test(text))
  if (sign !== undefined) return fail(sign.category, sign.what, sign.category === 'crashed')
  return fail('unknown', text.split('\n')[0] ?? 'for an unknown reason', true)
}

/** The last lines that the browser itself wrote, from Playwright's log. */
function browserOutput(text: string): string {
  const lines = [...text.matchAll(/\[err\] ?(.*)$/gm)].map((match) => (match[1] ?? '').replaceAll('\u001b[22m', '').trim())
  return [...new Set(lines)].slice(-8).join('\n').slice(-2_000)
}

/**
 * Tests Chromium's own lock on a profile before it is used: a headed Chromium would open a tab in the other browser, and exit.
 *
 * @param lock - what the link `SingletonLock` points at, `<host>-<pid>`
 * @returns why the profile cannot be used; null when it can
 */
export function lockHolder(lock: string, thisHost = hostname()): string | null {
  const dash = lock.lastIndexOf('-')
  const host = lock.slice(0, dash)
  const pid = Number(lock.slice(dash + 1))
  if (host !== thisHost) return `host ${host}`
  return identify(pid).startTime === null ? null : `process ${pid}`
}
