import type { BrowserSessionRow } from 'runwright'

/** What one racer was told. */
export interface RaceOutcome {
  /** Null for a racer that was refused a new session: there is none that it is about. */
  readonly browserSessionId: string | null
  /** Secret of its lease; null: it was refused. */
  readonly token: string | null
  /** Of its refusal. */
  readonly code: string | null
}

/** What a session looks like after a race. */
export type RacedSession = Pick<BrowserSessionRow, 'browserSessionId' | 'leaseToken'>

/** What a loser may be told: somebody holds it; its browser is another process's; the organisation has all that it may have. */
const REFUSALS: readonly (string | null)[] = ['SESSION_OCCUPIED', 'SESSION_HOST_UNAVAILABLE', 'POOL_SATURATED']

/** Losers who were told what no loser should be told. */
export function strayRefusals(told: readonly RaceOutcome[]): number {
  return told.filter(({ token, code }) => token === null && !REFUSALS.includes(code)).length
}

/** Whether exactly one racer was told that the session is its own, and the row says so too. */
export function isWonOnce(told: readonly RaceOutcome[], session: RacedSession | undefined): boolean {
  const winners = told.filter(({ browserSessionId, token }) => browserSessionId === session?.browserSessionId && token !== null)
  return winners.length === 1 && winners[0]?.token === session?.leaseToken
}
