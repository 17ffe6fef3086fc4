import type { ScopeGuard } from '../actions/index.js'
import type { EventPayload } from '../events/index.js'
import type { BlockedRequest } from '../sessions/index.js'
import type { RunRow, WorkflowRow } from '../storage/index.js'
import type { RunJournal } from './run-journal.js'
import type { ScopePolicies } from './scope-policies.js'

export interface RunGuardOptions {
  readonly policies: ScopePolicies
  readonly run: RunRow
  readonly workflow: WorkflowRow
  readonly journal: Pick<RunJournal, 'stageEvent' | 'flushSoon'>
  readonly browserSessionId: () => string | null
  /** Takes secrets out of a text that holds a host name. */
  readonly redactHost: (text: string) => string
}

/** Different requests of a run that are written down: a page must not be able to flood the run's stream. */
const MAX_REQUESTS = 100

interface Counted {
  readonly payload: Omit<EventPayload<'request.blocked'>, 'count'>
  count: number
  /** Whether the event with the count of all was written already. */
  isSummedUp: boolean
}

/** What one run acts under, and the requests that it was refused. */
export class RunGuard {
  readonly #options: RunGuardOptions
  readonly #requests = new Map<string, Counted>()
  #scope: ScopeGuard | null | undefined

  constructor(options: RunGuardOptions) {
    this.#options = options
  }

  /** The policies of organisation, workflow and run; null: there is none. @throws {InvalidArgumentError} for one that cannot be held */
  get scope(): ScopeGuard | null {
    const { policies, run, workflow } = this.#options
    if (this.#scope === undefined) {
      this.#scope = policies.guardOf({
        organizationId: run.organizationId,
        workflow: workflow.scopePolicy,
        run: run.scopePolicy,
        onBlocked: (request) => this.#note(request),
      })
    }
    return this.#scope
  }

  /** A block attempt has ended: requests that were refused more than once since then get their count, once. */
  attemptEnded(): void {
    for (const counted of this.#requests.values()) {
      if (counted.count === 1 || counted.isSummedUp) continue
      counted.isSummedUp = true
      this.#options.journal.stageEvent('request.blocked', { ...counted.payload, count: counted.count })
    }
  }

  #note({ host, port, rule, reason, url }: BlockedRequest): void {
    const key = `${host} ${port} ${rule}`
    const known = this.#requests.get(key)
    if (known !== undefined) {
      known.count += 1
      return
    }
    if (this.#requests.size >= MAX_REQUESTS) return
    const { journal, run, browserSessionId, redactHost } = this.#options
    const { workflowRunId } = run
    const shown = { host: redactHost(host), port, rule, reason: redactHost(reason), url: url === undefined ? null : redactHost(url) }
    const payload = { workflowRunId, browserSessionId: browserSessionId(), ...shown }
    this.#requests.set(key, { payload, count: 1, isSummedUp: false })
    journal.stageEvent('request.blocked', { ...payload, count: 1 })
    journal.flushSoon()
  }
}
