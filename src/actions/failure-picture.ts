import { type Clock, withDeadline } from '../runtime/index.js'
import type { AttemptOutcome } from './action-attempt.js'
import type { ActionContext, ActionPlace } from './action-context.js'

/** Limit of the picture of a failure, in milliseconds: it must not hold a run up. */
const PICTURE_LIMIT_MS = 2_000

/** Keeps what the page looked like when an action failed; gives the artifact's id, or null. Never rejects. */
export async function takeFailurePicture(
  context: ActionContext,
  place: ActionPlace,
  { error, page }: AttemptOutcome,
  clock: Clock,
): Promise<string | null> {
  const isWanted = error !== null && page !== null && place.pictureOnFailure !== false && !context.signal.aborted
  if (!isWanted) return null
  const run = async (signal: AbortSignal) => {
    const picture = await page.screenshot({ format: 'jpeg', quality: 70 }, { signal, timeoutMs: PICTURE_LIMIT_MS })
    return context.files.saveScreenshot(picture, 'jpeg')
  }
  const onTimeout = () => new Error('the page gives no picture')
  try {
    return await withDeadline({ run, timeoutMs: PICTURE_LIMIT_MS, onTimeout, signal: context.signal, clock })
  } catch {
    return null // the failure itself is the news
  }
}
