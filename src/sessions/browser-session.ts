import type { BrowserSessionRow } from '../storage/schema.js'

/** Who asks for a session: for example `{ runnableType: 'workflow_run', runnableId: 'wr_…' }`. */
export interface Runnable {
  readonly runnableType: string
  readonly runnableId: string
}

/**
 * A browser session as the pool gives it out: its row without the secrets of the present lease.
 * `runnableType` and `runnableId` name the holder; null: free.
 */
export type BrowserSession = Readonly<Omit<BrowserSessionRow, 'leaseToken' | 'leaseRequestId'>>

export function toBrowserSession(row: BrowserSessionRow): BrowserSession {
  const { leaseToken: _token, leaseRequestId: _requestId, ...session } = row
  return session
}
