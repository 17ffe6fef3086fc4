import { ArtifactError } from '../errors/index.js'
import { runStream, sessionStream } from '../events/index.js'
import type { Logger } from '../runtime/index.js'
import {
  type Artifacts,
  type BrowserSessionRow,
  deleteRows,
  RUN_PARTS,
  type RunRow,
  type RunStatus,
  type Storage,
  type Where,
  type WorkflowRow,
  type Write,
} from '../storage/index.js'
import { isFinalStatus, RUN_TRANSITIONS } from './run-status.js'

export interface RunPrunerOptions {
  readonly storage: Storage
  readonly artifacts: Artifacts
  readonly logger: Logger
}

export interface PruneRequest {
  readonly organizationId: string
  /** Only what ended before. */
  readonly olderThan: Date
  /** Keeps the event streams of what is removed. */
  readonly keepEvents: boolean
  /** Ends it between two batches; what was removed by then stays so. */
  readonly signal?: AbortSignal | undefined
}

/** How much a prune removed. */
export interface PruneResult {
  readonly runs: number
  readonly runBlocks: number
  readonly actions: number
  /** Auto-generated ones, of tasks and single actions. */
  readonly workflows: number
  readonly artifacts: number
  /** Ended ones, private or named. */
  readonly sessions: number
  /** Tokens of live views of those sessions. */
  readonly viewTokens: number
  /** Runs and sessions that stay because bytes of theirs could not be deleted; the next prune tries again. */
  readonly skipped: number
}

type Counts = { -readonly [K in keyof PruneResult]: number }

/** Runs, or sessions, of one page. */
const PAGE_SIZE = 100
const READ_LIMIT = 10_000
const finalStatuses = (Object.keys(RUN_TRANSITIONS) as RunStatus[]).filter(isFinalStatus)

/**
 * Removes ended runs with all that is theirs, and ended sessions with what they left: their kept state, recordings and view tokens. What
 * leads to the rest goes last: the parts of a run before its row, the run before its session. So a prune that broke off anywhere leaves only what the next one finds.
 */
export class RunPruner {
  readonly #options: RunPrunerOptions

  constructor(options: RunPrunerOptions) {
    this.#options = options
  }

  async prune(request: PruneRequest): Promise<PruneResult> {
    const counts: Counts = { runs: 0, runBlocks: 0, actions: 0, workflows: 0, artifacts: 0, sessions: 0, viewTokens: 0, skipped: 0 }
    const { storage, artifacts } = this.#options
    const { organizationId, olderThan } = request
    const ended: Where<RunRow> = { organizationId, status: { in: finalStatuses }, finishedAt: { lt: olderThan } }
    await eachPage<RunRow>({
      idOf: (run) => run.workflowRunId,
      find: (page) => storage.find({ table: 'runs', where: ended, orderBy: [{ column: 'finishedAt' }], ...page }),
      remove: (runs) => this.#removeRuns(runs, ended, request, counts),
    })
    const closed: Where<BrowserSessionRow> = { organizationId, completedAt: { lt: olderThan } }
    await eachPage<BrowserSessionRow>({
      idOf: (session) => session.browserSessionId,
      find: (page) => storage.find({ table: 'browser_sessions', where: closed, orderBy: [{ column: 'completedAt' }], ...page }),
      remove: (sessions) => this.#removeSessions(sessions, closed, request, counts),
    })
    await artifacts.tidy()
    return counts
  }

  /** Removes runs of one page; returns the ids of those that stay. */
  async #removeRuns(runs: readonly RunRow[], ended: Where<RunRow>, request: PruneRequest, counts: Counts): Promise<Set<string>> {
    const { storage } = this.#options
    const { keepEvents, signal } = request
    const kept = await this.#childrenOfLiveRoots(runs, request.olderThan)
    for (const { workflowRunId } of runs) {
      if (!kept.has(workflowRunId) && !(await this.#removeArtifacts({ workflowRunId }, request, counts))) kept.add(workflowRunId)
    }
    const gone = { in: runs.map((run) => run.workflowRunId).filter((id) => !kept.has(id)) }
    const [blocks, actions, ...others] = RUN_PARTS
    counts.runBlocks += await deleteRows({ storage, table: blocks, where: { workflowRunId: gone }, signal })
    counts.actions += await deleteRows({ storage, table: actions, where: { workflowRunId: gone }, signal })
    for (const table of others) await deleteRows({ storage, table, where: { workflowRunId: gone }, signal })
    const own = await this.#ownWorkflows(runs)
    const workflowOf = ({ workflowId }: RunRow): readonly Write[] =>
      own.has(workflowId) ? [{ op: 'delete', table: 'workflows', id: workflowId }] : []
    counts.runs += await deleteRows({
      storage,
      table: 'runs',
      where: { ...ended, workflowRunId: gone },
      also: (run) => [...workflowOf(run), ...streamOf(run, keepEvents)],
      signal,
    })
    counts.workflows += runs.filter((run) => own.has(run.workflowId) && !kept.has(run.workflowRunId)).length
    return kept
  }

  /** The workflows that were made for one of these runs each: they go with it, by the same commit. */
  async #ownWorkflows(runs: readonly RunRow[]): Promise<ReadonlySet<string>> {
    const ids = runs.flatMap((run) => (run.runType === 'task' || run.runType === 'action' ? [run.workflowId] : []))
    if (ids.length === 0) return new Set()
    const where: Where<WorkflowRow> = { workflowId: { in: ids }, status: 'auto_generated' }
    const rows = await this.#options.storage.find({ table: 'workflows', where, limit: PAGE_SIZE })
    return new Set(rows.map((row) => row.workflowId))
  }

  /** A run that goes on still reads its children: they stay as long as their root. */
  async #childrenOfLiveRoots(runs: readonly RunRow[], olderThan: Date): Promise<Set<string>> {
    const children = runs.filter((run) => run.rootWorkflowRunId !== run.workflowRunId)
    if (children.length === 0) return new Set()
    const roots = await this.#options.storage.find({
      table: 'runs',
      where: {
        workflowRunId: { in: [...new Set(children.map((run) => run.rootWorkflowRunId))] },
        any: [{ status: { notIn: finalStatuses } }, { finishedAt: { gte: olderThan } }],
      },
    })
    const live = new Set(roots.map((root) => root.workflowRunId))
    return new Set(children.filter((run) => live.has(run.rootWorkflowRunId)).map((run) => run.workflowRunId))
  }

  /**
   * Removes sessions of one page that no run names any more; returns the ids of those that stay. Of one that a live profile comes from, or
   * that a live debug session is on, the row and its events stay, and what it left goes: a profile has bytes of its own.
   */
  async #removeSessions(
    sessions: readonly BrowserSessionRow[],
    closed: Where<BrowserSessionRow>,
    request: PruneRequest,
    counts: Counts,
  ): Promise<Set<string>> {
    const { storage } = this.#options
    const { keepEvents, signal } = request
    const ids = sessions.map((session) => session.browserSessionId)
    const kept = await this.#namedByRuns(ids)
    const bare = await this.#namedByOthers(ids)
    for (const browserSessionId of ids) {
      if (kept.has(browserSessionId)) continue
      const own = { browserSessionId, workflowRunId: null } // others are of a run that another session served too
      if (!(await this.#removeArtifacts(own, request, counts))) kept.add(browserSessionId)
    }
    const ended = { in: ids.filter((id) => !kept.has(id)) }
    counts.viewTokens += await deleteRows({ storage, table: 'view_tokens', where: { browserSessionId: ended }, signal })
    for (const id of bare) kept.add(id)
    const gone = { in: ids.filter((id) => !kept.has(id)) }
    counts.sessions += await deleteRows({
      storage,
      table: 'browser_sessions',
      where: { ...closed, browserSessionId: gone },
      also: ({ browserSessionId }) => (keepEvents ? [] : [{ op: 'deleteStream', stream: sessionStream(browserSessionId) }]),
      signal,
    })
    return kept
  }

  async #namedByRuns(ids: readonly string[]): Promise<Set<string>> {
    const { storage } = this.#options
    const named = new Set<string>()
    for (;;) {
      const browserSessionId = { in: ids.filter((id) => !named.has(id)) }
      const runs = await storage.find({ table: 'runs', where: { browserSessionId }, limit: READ_LIMIT })
      for (const run of runs) named.add(run.browserSessionId as string)
      if (runs.length < READ_LIMIT) return named // else one session has so many that others were not seen
    }
  }

  async #namedByOthers(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const { storage } = this.#options
    const named = { in: ids }
    const profiles = await storage.find({
      table: 'browser_profiles',
      where: { sourceBrowserSessionId: named, deletedAt: null },
      limit: READ_LIMIT,
    })
    const debugged = await storage.find({
      table: 'debug_sessions',
      where: { browserSessionId: named, status: 'created' },
      limit: READ_LIMIT,
    })
    return new Set([
      ...profiles.map(({ sourceBrowserSessionId }) => sourceBrowserSessionId as string),
      ...debugged.map(({ browserSessionId }) => browserSessionId),
    ])
  }

  /** Whether all artifacts are gone. One whose bytes cannot be deleted must not keep every other run from being pruned. */
  async #removeArtifacts(where: Record<string, string | null>, request: PruneRequest, counts: Counts): Promise<boolean> {
    const { artifacts, logger } = this.#options
    try {
      counts.artifacts += await artifacts.deleteAll(where, { signal: request.signal })
      return true
    } catch (error) {
      if (!ArtifactError.is(error)) throw error
      logger.warn('artifacts could not be deleted, what they belong to is kept', { ...where, error })
      counts.skipped++
      return false
    }
  }
}

const streamOf = ({ workflowRunId }: RunRow, isKept: boolean): readonly Write[] =>
  isKept ? [] : [{ op: 'deleteStream', stream: runStream(workflowRunId) }]

interface EachPageParams<R> {
  readonly idOf: (row: R) => string
  readonly find: (page: { readonly limit: number; readonly after?: string }) => Promise<R[]>
  /** Removes rows and returns the ids of those that it kept. */
  readonly remove: (rows: readonly R[]) => Promise<ReadonlySet<string>>
}

/** Goes through rows that are removed on the way: the next page begins after the last row that was kept, since a removed one has no place. */
async function eachPage<R>({ idOf, find, remove }: EachPageParams<R>): Promise<void> {
  for (let after: string | undefined; ; ) {
    const rows = await find({ limit: PAGE_SIZE, ...(after === undefined ? {} : { after }) })
    if (rows.length === 0) return
    const kept = await remove(rows)
    after = rows.map(idOf).findLast((id) => kept.has(id)) ?? after
  }
}
