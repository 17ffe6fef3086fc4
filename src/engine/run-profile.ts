import type { SessionLease, SessionPool } from '../sessions/index.js'
import type { RunRow, WorkflowRow } from '../storage/index.js'

/** What an engine needs of a pool to begin with a saved state, and to save it. */
export type ProfileSessions = Pick<SessionPool, 'getProfile' | 'listProfiles' | 'saveProfile'>

export interface RunProfileOptions {
  readonly sessions: ProfileSessions | undefined
  readonly run: Pick<RunRow, 'organizationId' | 'browserProfileId' | 'browserAddress'>
  readonly workflow: Pick<WorkflowRow, 'workflowPermanentId' | 'persistBrowserSession'>
}

/** The profile in which a workflow's browser state is kept from run to run, one for each organisation that runs it. */
export const workflowProfileName = (workflowPermanentId: string) => `workflow:${workflowPermanentId}`

/** What the private browser of a run begins with, and where its state goes at the end. */
export class RunProfile {
  readonly #options: RunProfileOptions
  readonly #name: string

  constructor(options: RunProfileOptions) {
    this.#options = options
    this.#name = workflowProfileName(options.workflow.workflowPermanentId)
  }

  /** Whether the workflow's state is kept: a profile that was given is left as it is, and so is somebody else's browser. */
  get #isKept(): boolean {
    const { run, workflow } = this.#options
    return workflow.persistBrowserSession && run.browserProfileId === null && run.browserAddress === null
  }

  /** The profile to make the browser from; null: a fresh one. */
  async source(): Promise<string | null> {
    const { sessions, run } = this.#options
    if (run.browserProfileId !== null) return run.browserProfileId
    if (!this.#isKept) return null
    const found = await sessions?.listProfiles({ organizationId: run.organizationId, name: this.#name, limit: 1 })
    return found?.[0]?.browserProfileId ?? null
  }

  /** Saves the state of the run's private browser, where that is wanted and the browser still lives. */
  async save(lease: SessionLease): Promise<void> {
    if (!this.#isKept || !lease.isHeld) return
    const { sessions, run } = this.#options
    const { browserSessionId, signal } = lease
    await sessions?.saveProfile({ organizationId: run.organizationId, browserSessionId, name: this.#name, lease, signal })
  }
}
