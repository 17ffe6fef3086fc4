import { SessionNotFoundError } from '../errors/index.js'
import type { Storage } from '../storage/storage.js'
import type { SessionStatus } from '../storage/tables/browser-sessions.js'
import { type BrowserSession, toBrowserSession } from './browser-session.js'

export interface ListRequest {
  readonly organizationId: string
  readonly status?: readonly SessionStatus[] | undefined
  readonly includePrivate: boolean
  readonly after?: string | undefined
  readonly limit: number
}

/** Scoped reads of sessions. */
export class SessionReader {
  readonly #storage: Storage

  constructor(storage: Storage) {
    this.#storage = storage
  }

  async get(organizationId: string, browserSessionId: string): Promise<BrowserSession> {
    const row = await this.#storage.get('browser_sessions', browserSessionId)
    if (row === undefined || row.organizationId !== organizationId) throw new SessionNotFoundError(browserSessionId)
    return toBrowserSession(row)
  }

  async list(request: ListRequest): Promise<BrowserSession[]> {
    const { organizationId, status, includePrivate, after, limit } = request
    const rows = await this.#storage.find({
      table: 'browser_sessions',
      where: { organizationId, ...(status === undefined ? {} : { status: { in: status } }), ...(includePrivate ? {} : { private: false }) },
      orderBy: [{ column: 'createdAt', direction: 'desc' }],
      limit,
      ...(after === undefined ? {} : { after }),
    })
    return rows.map(toBrowserSession)
  }
}
