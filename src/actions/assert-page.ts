import { type ActionOf, describeTarget, matchesUrl, type Target } from '../definition/index.js'
import { ActionError, type Json } from '../errors/index.js'
import { type Clock, sleep } from '../runtime/index.js'
import type { PageDriver, PageOperationOptions, TargetState } from '../sessions/ports.js'

/** Between two looks at a page that does not hold yet, in milliseconds. */
const LOOK_EVERY_MS = 100

/**
 * Tests a page against an `assert` action; rejects with `ASSERTION_FAILED`, expected and received in its details. A page that does not
 * hold is given the time to come to rest, and looked at again; with a `timeoutMs` of the action's own, until that is over.
 */
export async function assertPage(action: ActionOf<'assert'>, page: PageDriver, options: PageOperationOptions, clock: Clock): Promise<void> {
  const endsAtMs = clock.monotonicMs() + (action.timeoutMs ?? 0)
  const waitsItself = action.target === undefined && action.text !== undefined
  for (let looks = 1; ; looks++) {
    try {
      return await look(action, page, options)
    } catch (cause) {
      const isUnmet = cause instanceof ActionError && cause.code === 'ASSERTION_FAILED'
      if (!isUnmet || waitsItself || (looks > 1 && clock.monotonicMs() + LOOK_EVERY_MS > endsAtMs)) throw cause
      await page.settle(options)
      if (looks > 1) await sleep(clock, LOOK_EVERY_MS, options.signal)
    }
  }
}

async function look(action: ActionOf<'assert'>, page: PageDriver, options: PageOperationOptions): Promise<void> {
  if (action.url !== undefined && !matchesUrl(action.url, page.url())) fail('the address', action.url, page.url())
  if (action.target === undefined) {
    if (action.text !== undefined) await assertText(action.text, page, options)
    return
  }
  assertTarget(action, action.target, await page.inspect(action.target, options))
}

/** Pages show texts a little later than they load: this one waits. */
async function assertText(text: string, page: PageDriver, options: PageOperationOptions): Promise<void> {
  try {
    await page.waitFor({ text }, options)
  } catch (cause) {
    if (cause instanceof ActionError && cause.code === 'ACTION_TIMEOUT') fail('the page', `text "${text}"`, 'no such text')
    throw cause
  }
}

function assertTarget(action: ActionOf<'assert'>, target: Target, found: TargetState): void {
  const name = describeTarget(target)
  if (action.count !== undefined && found.count !== action.count) fail(name, `${action.count} matches`, `${found.count}`)
  if (action.text !== undefined && !(found.text ?? '').includes(action.text)) fail(name, `text "${action.text}"`, found.text)
  if (action.value !== undefined && found.value !== action.value) fail(name, `value "${action.value}"`, found.value)
  const expectsMore = action.count !== undefined || action.text !== undefined || action.value !== undefined
  const state = action.state ?? (expectsMore ? undefined : 'visible')
  if (state !== undefined && !stateTests[state](found)) fail(name, state, found.count === 0 ? 'nothing that matches' : `not ${state}`)
}

const stateTests: { readonly [S in NonNullable<ActionOf<'assert'>['state']>]: (found: TargetState) => boolean } = {
  visible: (found) => found.visible,
  hidden: (found) => !found.visible,
  attached: (found) => found.count > 0,
  detached: (found) => found.count === 0,
  enabled: (found) => found.enabled === true,
  disabled: (found) => found.enabled === false,
  checked: (found) => found.checked === true,
  unchecked: (found) => found.checked === false,
}

function fail(what: string, expected: string, received: Json): never {
  throw new ActionError(`Expected ${what} to be ${expected}, received ${received === null ? 'nothing' : String(received)}`, {
    code: 'ASSERTION_FAILED',
    details: { expected, received },
  })
}
