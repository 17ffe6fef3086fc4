import { RunElsewhereError, RunNotFoundError, RunNotRunningError } from '../errors/index.js'
import type { Storage } from '../storage/index.js'
import type { GuestRequest, RunGuests } from './run-guests.js'
import type { SingleAction } from './single-action-params.js'
import type { SingleActionResult } from './single-action-result.js'

export interface GuestActionsOptions {
  readonly storage: Storage
  /** The guests of a run that this host executes. */
  readonly guestsOf: (workflowRunId: string) => RunGuests | undefined
}

/** Finds the run that an action from outside is to be performed in. */
export class GuestActions {
  readonly #options: GuestActionsOptions

  constructor(options: GuestActionsOptions) {
    this.#options = options
  }

  /**
   * @throws {RunNotFoundError} `RUN_NOT_FOUND`
   * @throws {RunNotRunningError} `RUN_NOT_RUNNING`
   * @throws {RunElsewhereError} `RUN_ELSEWHERE`
   * @throws {RunWithoutBrowserError} `RUN_WITHOUT_BROWSER`
   */
  async perform(
    request: GuestRequest & { readonly organizationId: string; readonly workflowRunId: string },
    single: SingleAction,
  ): Promise<SingleActionResult> {
    const { organizationId, workflowRunId } = request
    const run = await this.#options.storage.get('runs', workflowRunId)
    if (run === undefined || run.organizationId !== organizationId) throw new RunNotFoundError(workflowRunId)
    if (run.status !== 'running') throw new RunNotRunningError(workflowRunId, run.status)
    const guests = this.#options.guestsOf(workflowRunId)
    if (guests === undefined) throw new RunElsewhereError(workflowRunId, run.leaseHolder)
    return guests.perform(single, request)
  }
}
