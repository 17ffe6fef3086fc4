import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createPageFacade } from '../../../src/actions/index.js'
import { ActionError } from '../../../src/errors/index.js'

it('does not end the host when a handler forgets to await a call that fails', async () => {
  const seen: unknown[] = []
  const onUnhandled = (reason: unknown) => seen.push(reason)
  process.on('unhandledRejection', onUnhandled)
  const error = new ActionError('no', { code: 'TARGET_NOT_FOUND' })
  const page = createPageFacade(async (action) => ({
    actionId: 'act_1',
    type: action.type,
    status: 'failed',
    value: null,
    error,
    ending: null,
    url: null,
    element: null,
    dialogs: [],
    recoveryUsed: null,
    verdict: 'ok',
    dryRun: false,
    durationMs: 1,
  }))
  void page.click('#forgotten')
  await expect(page.click('#awaited')).rejects.toBe(error)
  await turnOfLoop()
  await turnOfLoop()
  process.off('unhandledRejection', onUnhandled)
  expect(seen).toEqual([])
})
