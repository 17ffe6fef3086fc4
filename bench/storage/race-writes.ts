import { type BrowserSessionRow, increment, type Storage, storageNow, type Write } from 'runwright'
import { HOST, LEASE_TTL_MS, occupation, occupyBatch } from './session-pair.js'

/** One writer of a round: it wants this session, or, by a claim, any free one of the round's. */
export interface RaceEntry {
  readonly round: string
  readonly browserSessionId: string
  readonly isClaim: boolean
}

/** A writer that was told it had won. */
export interface RaceWin {
  readonly browserSessionId: string
  readonly token: string
}

/** All writers of one process at once; those that were refused are left out. */
export async function raceWrites(storage: Storage, entries: readonly RaceEntry[]): Promise<readonly RaceWin[]> {
  const wins = await Promise.all(entries.map((entry) => raceWrite(storage, entry)))
  return wins.filter((win) => win !== undefined)
}

async function raceWrite(storage: Storage, { round, browserSessionId, isClaim }: RaceEntry): Promise<RaceWin | undefined> {
  const wanted = occupation(browserSessionId, 1)
  const result = await storage.commit(isClaim ? [claim(round, wanted.token)] : occupyBatch(wanted))
  if (!result.ok) return undefined
  const row = result.rows[0]?.[0] as BrowserSessionRow
  return { browserSessionId: row.browserSessionId, token: wanted.token }
}

const claim = (round: string, token: string): Write => ({
  op: 'claim',
  table: 'browser_sessions',
  where: { organizationId: round, status: 'running', leaseToken: null },
  orderBy: [{ column: 'createdAt' }],
  set: {
    leaseToken: token,
    leaseFence: increment(),
    leaseHolder: HOST,
    leaseSince: storageNow(),
    leaseExpiresAt: storageNow({ plusMs: LEASE_TTL_MS }),
  },
})
