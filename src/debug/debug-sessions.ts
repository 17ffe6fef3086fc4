import type { RunHandle } from '../engine/index.js'
import { InvalidArgumentError, type Json, parseArgument } from '../errors/index.js'
import type { AnyEvent, DebugEventType, Listener } from '../events/index.js'
import { createIds } from '../runtime/index.js'
import { guardStorage } from '../storage/index.js'
import { blockRunsOf, newestOutputs } from './block-outputs.js'
import { BlockRunStarter } from './block-run-starter.js'
import { DebugBrowsers } from './debug-browsers.js'
import { DebugJournal } from './debug-journal.js'
import {
  type BlockOutputsParams,
  blockOutputsSchema,
  type DebugPlaceParams,
  type DebugRunsParams,
  type DebugSessionRef,
  type DebugSessionsOptions,
  type DebugSettings,
  debugPlaceSchema,
  debugRunsSchema,
  debugSessionRefSchema,
  debugSessionsOptionsSchema,
  type RunBlocksParams,
  runBlocksSchema,
} from './debug-options.js'
import type { BlockRun, DebugSession } from './debug-session.js'
import { DebugSessionKeeper } from './debug-session-keeper.js'
import { DebugSessionStore } from './debug-session-store.js'
import { labelsOf } from './definition-labels.js'
import { type DebugCalls, OrganizationDebugSessions } from './organization-debug-sessions.js'

/**
 * Editing workflows on a live browser: a user runs single blocks of a workflow, one after another, on a browser that stays, and each block
 * has the outputs of those that were run before.
 *
 * @example
 * ```ts
 * const debug = new DebugSessions({ storage, engine, sessions, organizationId: 'acme' })
 * const { debugSessionId } = await debug.getOrCreate({ userId: 'ada', workflowPermanentId })
 * const run = await debug.runBlocks({ debugSessionId, labels: ['sign_in'] })
 * console.log((await run.result()).status) // 'completed'
 * ```
 */
export class DebugSessions implements DebugCalls {
  readonly #settings: DebugSettings
  readonly #store: DebugSessionStore
  readonly #journal: DebugJournal
  readonly #browsers: DebugBrowsers
  readonly #keeper: DebugSessionKeeper
  readonly #starter: BlockRunStarter

  /** @throws {InvalidArgumentError} `INVALID_ARGUMENT` when an option does not fit */
  constructor(options: DebugSessionsOptions) {
    const { ids, storage, ...parsed } = parseArgument(debugSessionsOptionsSchema, options, 'DebugSessions')
    const settings = { ...parsed, storage: guardStorage(storage), ids: ids ?? createIds({ clock: parsed.clock }) }
    this.#settings = settings
    this.#store = new DebugSessionStore(settings.storage)
    this.#journal = new DebugJournal(settings)
    this.#browsers = new DebugBrowsers(settings, this.#journal)
    const parts = { settings, store: this.#store, browsers: this.#browsers, journal: this.#journal }
    this.#keeper = new DebugSessionKeeper(parts)
    this.#starter = new BlockRunStarter(parts)
  }

  /**
   * The live debug session of a user and a workflow, or a new one with a browser of its own. There is one at most: the storage holds to
   * that, and calls at the same time get the same one, in whatever process. The browser's end is put off to now + `debugTimeoutMinutes`; a
   * browser that is lost (expired, crashed, closed, retired, its host gone) is replaced, and the debug session stays.
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`
   * @throws {BrowserLaunchError} `BROWSER_NOT_FOUND`, `BROWSER_LAUNCH_FAILED`, and what else `create` of the pool throws
   * @throws {DebugSessionConflictError} `DEBUG_SESSION_CONFLICT`, retryable
   */
  async getOrCreate(params: DebugPlaceParams): Promise<DebugSession> {
    const { organizationId, ...place } = parseArgument(debugPlaceSchema, params, 'getOrCreate')
    return this.#keeper.getOrCreate({ ...place, organizationId: this.#organization(organizationId) })
  }

  /**
   * A new debug session with a new browser; the live one is completed, and its browser closed behind the call, whoever is on it. A live one
   * that is younger than 30 s, and whose browser is alive, is given back instead.
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`; else as `getOrCreate`
   */
  async recreate(params: DebugPlaceParams): Promise<DebugSession> {
    const { organizationId, ...place } = parseArgument(debugPlaceSchema, params, 'recreate')
    return this.#keeper.recreate({ ...place, organizationId: this.#organization(organizationId) })
  }

  /** @throws {DebugSessionNotFoundError} `DEBUG_SESSION_NOT_FOUND` */
  async get(ref: DebugSessionRef): Promise<DebugSession> {
    const request = parseArgument(debugSessionRefSchema, ref, 'get')
    return this.#store.get(this.#organization(request.organizationId), request.debugSessionId)
  }

  /**
   * Ends a debug session; resolves when its browser is gone, whoever was on it. A browser that could not be closed is told of by
   * `debug_session.failed`. One that has ended already is given back as it is.
   * @throws {DebugSessionNotFoundError} `DEBUG_SESSION_NOT_FOUND`
   */
  async complete(ref: DebugSessionRef): Promise<DebugSession> {
    const request = parseArgument(debugSessionRefSchema, ref, 'complete')
    return this.#keeper.complete(this.#organization(request.organizationId), request.debugSessionId)
  }

  /**
   * Runs single blocks on the debug session's browser, as its last run has left it. The other blocks count as run: their outputs are those
   * that are given, else those of `blockOutputs()`. The browser's end is put off as by `getOrCreate`.
   * @returns the run, queued
   * @throws {BlockNotFoundError} `BLOCK_NOT_FOUND` before anything else is looked at
   * @throws {DebugSessionNotFoundError} `DEBUG_SESSION_NOT_FOUND`
   * @throws {DebugSessionEndedError} `DEBUG_SESSION_ENDED`
   * @throws {SessionOccupiedError} `SESSION_OCCUPIED` while a run is on the browser or waits for it, unless `wait`
   * @throws {SessionError} `SESSION_ENDED`, `SESSION_EXPIRED`, … when the browser is lost: `getOrCreate` replaces it
   * @throws {ParameterError} `UNKNOWN_PARAMETERS`, `MISSING_PARAMETERS` or `INVALID_PARAMETERS`; a failed run is on record, see `workflowRunId`
   */
  async runBlocks(params: RunBlocksParams): Promise<RunHandle> {
    const request = parseArgument(runBlocksSchema, params, 'runBlocks')
    return this.#starter.start({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /**
   * What the blocks of a workflow gave when this user last ran each by itself, in a run that completed: output by label, for those blocks
   * that have one. Blocks in loops are among them.
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`
   */
  async blockOutputs(params: BlockOutputsParams): Promise<Record<string, Json>> {
    const { version, userId, workflowPermanentId, ...request } = parseArgument(blockOutputsSchema, params, 'blockOutputs')
    const organizationId = this.#organization(request.organizationId)
    const { definition } = await this.#settings.engine.getWorkflow({ organizationId, workflowPermanentId, version })
    return newestOutputs(this.#settings.storage, { organizationId, userId, workflowPermanentId }, labelsOf(definition.blocks))
  }

  /**
   * The blocks that were run in a debug session, newest first, each with its run's status; a page at a time.
   * @param params - the debug session's id, or which page of which one
   * @throws {DebugSessionNotFoundError} `DEBUG_SESSION_NOT_FOUND`
   */
  async runs(params: string | DebugRunsParams): Promise<BlockRun[]> {
    const request = parseArgument(debugRunsSchema, typeof params === 'string' ? { debugSessionId: params } : params, 'runs')
    const organizationId = this.#organization(request.organizationId)
    await this.#store.get(organizationId, request.debugSessionId)
    return blockRunsOf(this.#settings.storage, { ...request, organizationId })
  }

  /** Calls the listener for what this process does to debug sessions; returns the function that ends it. */
  on<K extends DebugEventType>(type: K, listener: Listener<K>): () => void {
    return this.#journal.bus.on(type, listener)
  }

  onAny(listener: (event: AnyEvent<DebugEventType>) => void): () => void {
    return this.#journal.bus.onAny(listener)
  }

  /** The same calls, bound to an organisation. */
  forOrganization(organizationId: string): OrganizationDebugSessions {
    return new OrganizationDebugSessions(this, organizationId)
  }

  /** Resolves when no browser is being closed in the background any more. Debug sessions stay; there is nothing to start. */
  stop(): Promise<void> {
    return this.#browsers.settled()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #organization(organizationId: string | undefined): string {
    const id = organizationId ?? this.#settings.organizationId
    if (id !== undefined && id !== '') return id
    throw new InvalidArgumentError('organizationId is missing: name it in the call, or give the DebugSessions one', {
      path: 'organizationId',
      expected: 'string',
      received: String(organizationId),
    })
  }
}
