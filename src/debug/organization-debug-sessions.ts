import type { RunHandle } from '../engine/index.js'
import type { Json } from '../errors/index.js'
import type { BlockOutputsParams, DebugPlaceParams, DebugRunsParams, DebugSessionRef, RunBlocksParams } from './debug-options.js'
import type { BlockRun, DebugSession } from './debug-session.js'

/** The calls of debug sessions that name an organisation. */
export interface DebugCalls {
  getOrCreate(params: DebugPlaceParams): Promise<DebugSession>
  recreate(params: DebugPlaceParams): Promise<DebugSession>
  get(ref: DebugSessionRef): Promise<DebugSession>
  complete(ref: DebugSessionRef): Promise<DebugSession>
  runBlocks(params: RunBlocksParams): Promise<RunHandle>
  blockOutputs(params: BlockOutputsParams): Promise<Record<string, Json>>
  runs(params: DebugRunsParams): Promise<BlockRun[]>
}

type Bound<P> = Omit<P, 'organizationId'>

/** The calls of debug sessions, bound to one organisation. */
export class OrganizationDebugSessions {
  readonly organizationId: string
  readonly #calls: DebugCalls

  constructor(calls: DebugCalls, organizationId: string) {
    this.#calls = calls
    this.organizationId = organizationId
  }

  getOrCreate(params: Bound<DebugPlaceParams>): Promise<DebugSession> {
    return this.#calls.getOrCreate(this.#bind(params))
  }

  recreate(params: Bound<DebugPlaceParams>): Promise<DebugSession> {
    return this.#calls.recreate(this.#bind(params))
  }

  get(ref: Bound<DebugSessionRef>): Promise<DebugSession> {
    return this.#calls.get(this.#bind(ref))
  }

  complete(ref: Bound<DebugSessionRef>): Promise<DebugSession> {
    return this.#calls.complete(this.#bind(ref))
  }

  runBlocks(params: Bound<RunBlocksParams>): Promise<RunHandle> {
    return this.#calls.runBlocks(this.#bind(params))
  }

  blockOutputs(params: Bound<BlockOutputsParams>): Promise<Record<string, Json>> {
    return this.#calls.blockOutputs(this.#bind(params))
  }

  runs(params: string | Bound<DebugRunsParams>): Promise<BlockRun[]> {
    return this.#calls.runs(this.#bind(typeof params === 'string' ? { debugSessionId: params } : params))
  }

  #bind<P extends object>(params: P): P & { organizationId: string } {
    return { ...params, organizationId: this.organizationId }
  }
}
