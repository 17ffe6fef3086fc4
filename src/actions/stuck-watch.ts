import type { Action } from '../definition/index.js'
import type { Clock } from '../runtime/index.js'
import { withDeadline } from '../runtime/index.js'
import type { AttemptOutcome } from './action-attempt.js'
import type { ActionContext } from './action-context.js'
import type { StuckVerdict } from './stuck-detector.js'

/** Limit of the look at a page, in milliseconds. */
const LOOK_LIMIT_MS = 1_000

/**
 * Counts an action that has ended, and says whether its attempt gets on. A page is looked at for repetitions only, and what was only
 * checked is not counted: nothing could change by it. Never rejects.
 */
export async function watchForStuck(
  { stuck, signal, texts, dryRun }: ActionContext,
  bound: Action,
  { error, page }: AttemptOutcome,
  clock: Clock,
): Promise<StuckVerdict> {
  if (signal.aborted || dryRun) return 'ok'
  const key = JSON.stringify(texts.redact(bound as never))
  const fingerprint = page === null || !stuck.isRepetition(key) ? null : await lookAt(page, signal, clock)
  return stuck.note({ key, failed: error !== null, page: fingerprint })
}

async function lookAt(page: NonNullable<AttemptOutcome['page']>, signal: AbortSignal, clock: Clock): Promise<string | null> {
  try {
    return await withDeadline({
      run: (bounded) => page.fingerprint({ signal: bounded, timeoutMs: LOOK_LIMIT_MS }),
      timeoutMs: LOOK_LIMIT_MS,
      onTimeout: () => new Error('the page does not answer'),
      signal,
      clock,
    })
  } catch {
    return null // a page that says nothing counts as one that shows the same
  }
}
