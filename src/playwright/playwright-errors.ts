import { describeTarget, type Target } from '../definition/index.js'
import { ActionError, type ActionErrorCode, type Json, RunwrightError } from '../errors/index.js'
import type { PageOperationOptions } from '../sessions/ports.js'

/** What was attempted, for the message of an error. */
export interface Attempt {
  /** For example `click` or `Navigation to https://…`. */
  readonly what: string
  readonly target?: Target | undefined
  /** The page's address. */
  readonly url: string
  readonly timeoutMs: number
  /** Whether an element that meets the target had been found. */
  readonly wasFound?: () => boolean
}

/**
 * Makes an error of ours out of one of Playwright's: the only place that reads its texts.
 * An abort gives the signal's reason as it is; errors of ours pass.
 */
export function mapError(cause: unknown, attempt: Attempt, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  if (RunwrightError.is(cause)) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  const name = cause instanceof Error ? cause.name : ''
  const fail = (code: ActionErrorCode, text: string, more: Record<string, Json | undefined> = {}, retryable = false) =>
    new ActionError(text, { code, cause, retryable, details: { ...facts(attempt), ...more } })
  const subject = attempt.target === undefined ? attempt.what : `${attempt.what} on ${describeTarget(attempt.target)}`
  if (isClosed(message)) return fail('PAGE_CLOSED', `${subject} failed: the page is closed`)
  const count = /strict mode violation: .* resolved to (\d+) elements/s.exec(message)?.[1]
  if (count !== undefined) return fail('TARGET_AMBIGUOUS', ambiguous(attempt, Number(count)), { count: Number(count) })
  const netError = /(net::ERR_\w+)/.exec(message)?.[1] ?? navigationProblem(message)
  if (netError !== undefined)
    return fail('NAVIGATION_FAILED', `${subject} failed: ${netError}`, { reason: netError }, isTransient(netError))
  if (name !== 'TimeoutError') return fail('ACTION_FAILED', `${subject} failed: ${firstLine(message)}`)
  if (attempt.target === undefined) return fail('ACTION_TIMEOUT', `${subject} took longer than ${attempt.timeoutMs} ms`, {}, true)
  if (attempt.wasFound?.() !== true && !message.includes('locator resolved to')) {
    return fail('TARGET_NOT_FOUND', `${describeTarget(attempt.target)} matched nothing within ${attempt.timeoutMs} ms`, {}, true)
  }
  const obstacle = obstacleIn(message)
  // without an obstacle it is the page that did not answer: it may have acted (a text typed into a field whose handler never ends);
  // an obstacle before the last attempt to act says nothing of that attempt either
  if (obstacle === null || (message.match(/[\s\S]*performing \w+ action/)?.[0].length ?? 0) > obstacle.endsAt) {
    return fail('ACTION_TIMEOUT', `${subject} took longer than ${attempt.timeoutMs} ms: the page did not answer`, {}, true)
  }
  return fail(
    'TARGET_NOT_ACTIONABLE',
    `${subject} was not possible within ${attempt.timeoutMs} ms: ${obstacle.text}`,
    { obstacle: obstacle.text },
    true,
  )
}

/** Runs a call of Playwright; what it throws comes out as an error of ours. */
export async function atBoundary<T>(attempt: Attempt, options: PageOperationOptions, call: () => Promise<T>): Promise<T> {
  try {
    options.signal.throwIfAborted()
    return await call()
  } catch (error) {
    throw mapError(error, attempt, options.signal)
  }
}

function facts(attempt: Attempt): Record<string, Json | undefined> {
  return {
    action: attempt.what,
    target: attempt.target === undefined ? undefined : { ...attempt.target },
    url: attempt.url,
    timeoutMs: attempt.timeoutMs,
  }
}

function ambiguous(attempt: Attempt, count: number): string {
  const target = attempt.target === undefined ? 'The target' : describeTarget(attempt.target)
  return `${target} matches ${count} elements; make it more exact, or pick one with nth (0 to ${count - 1})`
}

const isClosed = (message: string) =>
  /Target page, context or browser has been closed|Target crashed|Page crashed|Frame was detached|Session closed|Target closed/.test(
    message,
  )

const navigationProblem = (message: string) =>
  /Cannot navigate to invalid URL|interrupted by another navigation to "[^"]*"|Download is starting/.exec(message)?.[0]

/** Whether the same navigation may succeed when it is repeated. */
const isTransient = (netError: string) =>
  /CONNECTION|TIMED_OUT|NETWORK_CHANGED|INTERNET_DISCONNECTED|NAME_NOT_RESOLVED|EMPTY_RESPONSE|interrupted/.test(netError)

/** What Playwright's log says last about why it did not act. */
function obstacleIn(message: string): { readonly text: string; readonly endsAt: number } | null {
  const signs = [
    /<[^\n]* intercepts pointer events/,
    /did not find some options/,
    /element is not (visible|enabled|stable|editable)/,
    /element is outside of the viewport/,
    /element was detached from the DOM/,
  ]
  const found = signs
    .map((sign) => [...message.matchAll(new RegExp(sign, 'g'))].at(-1))
    .filter((match) => match !== undefined)
    .sort((a, b) => b.index - a.index)[0]
  return found === undefined ? null : { text: strip(found[0]), endsAt: found.index + found[0].length }
}

const strip = (text: string) => text.replaceAll(/\p{Cc}\[\d+m/gu, '').trim()

/** Without Playwright's own prefix (`locator.click: `) and without its log. */
const firstLine = (message: string) => strip(message.split('\n')[0] ?? '').replace(/^\w+\.\w+: (Error: )?/, '')
