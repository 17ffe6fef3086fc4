import type { RunHandle } from '../engine/index.js'
import { BlockNotFoundError, DebugSessionConflictError, DebugSessionEndedError, type Json, SessionOccupiedError } from '../errors/index.js'
import { storageNow, type Write } from '../storage/index.js'
import { newestOutputs } from './block-outputs.js'
import { holderOf } from './browser-state.js'
import type { DebugBrowsers } from './debug-browsers.js'
import type { DebugSettings, RunBlocksRequest } from './debug-options.js'
import type { DebugPlace, DebugSession } from './debug-session.js'
import type { DebugSessionStore } from './debug-session-store.js'
import { labelsOf } from './definition-labels.js'

const ATTEMPTS = 5
const NOT_FINAL = ['created', 'queued', 'running', 'paused'] as const

/** Runs single blocks on the browsers of debug sessions. */
export class BlockRunStarter {
  readonly #settings: DebugSettings
  readonly #store: DebugSessionStore
  readonly #browsers: DebugBrowsers

  constructor(parts: { readonly settings: DebugSettings; readonly store: DebugSessionStore; readonly browsers: DebugBrowsers }) {
    this.#settings = parts.settings
    this.#store = parts.store
    this.#browsers = parts.browsers
  }

  /**
   * The run is stored together with its block runs, on condition that the debug session is still what was looked at: so of two calls at
   * once without `wait`, one is refused.
   * @throws {DebugSessionNotFoundError} {DebugSessionEndedError} {BlockNotFoundError} {SessionOccupiedError} and what `startRun` throws
   */
  async start(request: RunBlocksRequest & { readonly organizationId: string }): Promise<RunHandle> {
    const { organizationId, debugSessionId, labels, blockOutputs: given, version: asked, wait, ...run } = request
    const { workflowPermanentId, userId } = await this.#live(organizationId, debugSessionId)
    const { definition, version } = await this.#settings.engine.getWorkflow({ organizationId, workflowPermanentId, version: asked })
    const known = labelsOf(definition.blocks)
    const unknown = [...labels, ...Object.keys(given)].filter((label) => !known.includes(label))
    if (unknown.length > 0) throw new BlockNotFoundError(unknown, known)
    const place = { organizationId, userId, workflowPermanentId }
    const blockOutputs = { ...(await this.#storedOutputs(place, known, [...labels, ...Object.keys(given)])), ...given }
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const session = await this.#live(organizationId, debugSessionId)
      await this.#browsers.renew(session)
      if (wait === undefined) await this.#assertFree(session)
      const handle = await this.#settings.engine.startBlockRun({
        ...run,
        organizationId,
        workflowPermanentId,
        ...(wait === undefined ? {} : { wait }),
        version,
        debugSessionId,
        browserSessionId: session.browserSessionId,
        blockLabels: labels,
        blockOutputs,
        companions: await this.#companions(session, labels, wait !== undefined),
      })
      if (handle !== null) return handle
    }
    throw new DebugSessionConflictError(workflowPermanentId, userId, ATTEMPTS)
  }

  async #live(organizationId: string, debugSessionId: string): Promise<DebugSession> {
    const session = await this.#store.get(organizationId, debugSessionId)
    if (session.status === 'completed') throw new DebugSessionEndedError(debugSessionId)
    return session
  }

  #storedOutputs(place: DebugPlace, known: readonly string[], without: readonly string[]): Promise<Record<string, Json>> {
    return newestOutputs(
      this.#settings.storage,
      place,
      known.filter((label) => !without.includes(label)),
    )
  }

  /** A run that waits for the browser has it as good as one that is on it. */
  async #assertFree({ organizationId, browserSessionId }: DebugSession): Promise<void> {
    const { storage } = this.#settings
    const where = { organizationId, browserSessionId, status: { in: NOT_FINAL } }
    const [run] = await storage.find({ table: 'runs', where, limit: 1 })
    if (run !== undefined) {
      const { workflowRunId, leaseHolder, startedAt, leaseExpiresAt } = run
      const holder = { runnableType: 'workflow_run', runnableId: workflowRunId, leaseHolder }
      throw new SessionOccupiedError(browserSessionId, holder, startedAt, leaseExpiresAt)
    }
    const held = holderOf(await storage.get('browser_sessions', browserSessionId), await storage.now())
    if (held !== null) throw held
  }

  /** What is stored with the run. The time of the debug session always grows, so that it tells whether somebody else was here. */
  async #companions(session: DebugSession, labels: readonly string[], mayWait: boolean): Promise<(workflowRunId: string) => Write[]> {
    const { organizationId, debugSessionId, browserSessionId, userId, workflowPermanentId, modifiedAt } = session
    const now = await this.#settings.storage.now()
    const seen = { organizationId, status: 'created', browserSessionId } as const
    const touched: Write = {
      op: 'update',
      table: 'debug_sessions',
      id: debugSessionId,
      where: mayWait ? seen : { ...seen, modifiedAt },
      set: { modifiedAt: new Date(Math.max(now.getTime(), modifiedAt.getTime() + 1)) },
    }
    const place = { organizationId, userId, debugSessionId, workflowPermanentId }
    const blockRun = (blockLabel: string, workflowRunId: string): Write => ({
      op: 'insert',
      table: 'block_runs',
      row: {
        blockRunId: this.#settings.ids.next('br'),
        ...place,
        blockLabel,
        outputParameter: `${blockLabel}_output`,
        workflowRunId,
        createdAt: storageNow(),
      },
    })
    return (workflowRunId) => [touched, ...[...new Set(labels)].map((label) => blockRun(label, workflowRunId))]
  }
}
