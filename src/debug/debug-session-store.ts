import { DebugSessionNotFoundError } from '../errors/index.js'
import type { Storage } from '../storage/index.js'
import type { DebugPlace, DebugSession } from './debug-session.js'

/** Reads debug sessions. */
export class DebugSessionStore {
  readonly #storage: Storage

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /** The live one; the storage holds no second. */
  async live(place: DebugPlace): Promise<DebugSession | undefined> {
    return (await this.#storage.find({ table: 'debug_sessions', where: { ...place, status: 'created', deletedAt: null }, limit: 1 }))[0]
  }

  /** @throws {DebugSessionNotFoundError} */
  async get(organizationId: string, debugSessionId: string): Promise<DebugSession> {
    const row = await this.#storage.get('debug_sessions', debugSessionId)
    if (row !== undefined && row.organizationId === organizationId && row.deletedAt === null) return row
    throw new DebugSessionNotFoundError(debugSessionId)
  }
}
