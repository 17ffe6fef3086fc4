import { type RunRow, type Storage, type Where, whereLapsed } from '../../storage/index.js'
import type { RunDispatcher } from '../dispatcher.js'

export interface AbandonedLookOptions {
  readonly storage: Storage
  readonly dispatcher: Pick<RunDispatcher, 'dispatch'>
  /** Whether this host executes a run: its own heartbeat decides about that. */
  readonly isOurs: (workflowRunId: string) => boolean
}

const PAGE_SIZE = 100

/** Hands runs to this host's dispatcher that have begun and that nobody executes: their claim decides who goes on with them, or ends them. */
export class AbandonedLook {
  readonly #options: AbandonedLookOptions

  constructor(options: AbandonedLookOptions) {
    this.#options = options
  }

  /** Runs that a host gave back, or whose pause was decided, and nobody has taken so far. */
  unheld(): Promise<void> {
    return this.#dispatch({ status: 'running', leaseHolder: null })
  }

  /** Runs of hosts that died or froze. */
  lapsed(): Promise<void> {
    return this.#dispatch({ status: 'running', ...whereLapsed() })
  }

  /** Paused runs that were cancelled, and that the host of their session is to end. */
  canceled(): Promise<void> {
    return this.#dispatch({ status: 'paused', cancelRequestedAt: { isNull: false } })
  }

  async #dispatch(where: Where<RunRow>): Promise<void> {
    const { storage, dispatcher, isOurs } = this.#options
    const found = await storage.find({ table: 'runs', where, orderBy: [{ column: 'leaseExpiresAt' }], limit: PAGE_SIZE })
    for (const { workflowRunId, priority } of found) if (!isOurs(workflowRunId)) await dispatcher.dispatch(workflowRunId, { priority })
  }
}
