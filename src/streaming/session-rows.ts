import { SessionEndedError, SessionNotFoundError } from '../errors/index.js'
import type { BrowserSessionRow, Storage } from '../storage/index.js'

const FINAL: readonly BrowserSessionRow['status'][] = ['completed', 'failed', 'timeout']

/** Condition of every write that gives something to a session: it has not ended. */
export const notEnded = { status: { notIn: FINAL } } as const

export const hasEnded = (row: BrowserSessionRow) => FINAL.includes(row.status)

/**
 * The row of a session that has not ended.
 *
 * @throws {SessionNotFoundError} when there is none in the organization. {@link SessionEndedError} when it has ended.
 */
export async function liveSession(storage: Storage, key: { organizationId: string; browserSessionId: string }): Promise<BrowserSessionRow> {
  const row = await storage.get('browser_sessions', key.browserSessionId)
  if (row === undefined || row.organizationId !== key.organizationId) throw new SessionNotFoundError(key.browserSessionId)
  if (hasEnded(row)) throw endedError(row)
  return row
}

export const endedError = (row: BrowserSessionRow) =>
  new SessionEndedError(row.browserSessionId, { code: 'SESSION_ENDED', status: row.status, closeReason: row.closeReason })
