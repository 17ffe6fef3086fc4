import { isDeepStrictEqual } from 'node:util'
import type { TriggeredRun, TriggerRunRequest } from '../../blocks/index.js'
import { BlockFailed, type Json } from '../../errors/index.js'
import { raceAbort } from '../../runtime/index.js'
import type { BlockEntry } from '../block-journal.js'
import type { RunState } from '../run-state.js'

/** Starts a run in the name of a block attempt, and waits for it where that is asked for; see `BlockContext.triggerRun`. */
export async function triggerRun(
  { state, entry, signal }: { readonly state: RunState; readonly entry: BlockEntry; readonly signal: AbortSignal },
  request: TriggerRunRequest,
): Promise<TriggeredRun> {
  const { environment, run, workflow, browser, secrets } = state
  // references are resolved by the execution that made them, and nothing that is stored holds a secret
  if (!isDeepStrictEqual(secrets.redact(request.parameters as Json), request.parameters)) {
    throw new BlockFailed('a secret cannot be handed to another run: its workflow has to declare it', { code: 'SECRET_IN_PAYLOAD' })
  }
  if (request.useParentBrowserSession !== true) return environment.children.trigger({ request, parent: run, entry, signal })
  if (!request.waitForCompletion) {
    throw new BlockFailed('a run in the browser of its parent has to be waited for', { code: 'CHILD_RUN_NOT_AWAITED' })
  }
  await raceAbort(browser.open(), signal)
  const { lease } = browser
  if (lease === null) throw new BlockFailed('the browser is gone that was to be lent', { code: 'SESSION_LOST' })
  const lent = { lease, workflowPolicy: workflow.row.scopePolicy }
  return environment.children.trigger({ request, parent: run, entry, signal, lent })
}
