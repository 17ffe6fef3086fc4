import type { Storage } from 'runwright'
import type { BenchContext } from '../lib/area.js'
import { openStorage, sharedServer } from '../lib/postgres.js'
import { withProcesses } from './processes.js'
import type { RaceEntry, RaceWin } from './race-writes.js'
import { freeSession, mustCommit, ORGANIZATION } from './session-pair.js'

const PROCESSES = 4
const WRITERS = 64
const ROWS = 8

/**
 * Rounds of 64 writers from 4 processes for 8 free sessions, by conditional update and by claim in turns. A violation is a session that
 * nobody or more than one writer won, that says another winner than the one who was told so, or that has not exactly its winner's event.
 */
export async function measureRace(context: BenchContext): Promise<{ race: number }> {
  const rounds = context.isQuick ? 10 : 200
  context.progress(`race, ${rounds} rounds`)
  const url = await sharedServer(context)
  const opened = await openStorage({ url, clients: 4 })
  try {
    const { schema, storage } = opened
    const race = await withProcesses({ count: PROCESSES, url, schema, clients: WRITERS / PROCESSES }, async (processes) => {
      let violations = 0
      for (let round = 0; round < rounds; round++) {
        const isClaim = round % 2 === 1
        const organizationId = isClaim ? `round_${round}` : ORGANIZATION
        const ids = Array.from({ length: ROWS }, (_, index) => `pbs_${round}_${index}`)
        const rows = ids.map((id) => ({ ...freeSession(id), organizationId }))
        await mustCommit(
          storage,
          rows.map((row) => ({ op: 'insert', table: 'browser_sessions', row })),
        )
        const entries = (offset: number): RaceEntry[] =>
          Array.from({ length: WRITERS / PROCESSES }, (_, index) => {
            const browserSessionId = ids[(index + offset) % ROWS] ?? ''
            return { round: organizationId, browserSessionId, isClaim }
          })
        const wins = await Promise.all(processes.map((process, index) => process.call('race', entries(index * 3))))
        violations += await countViolations(storage, ids, wins.flat(), isClaim ? 0 : 1)
      }
      return violations
    })
    return { race }
  } finally {
    await opened.close()
  }
}

async function countViolations(storage: Storage, ids: readonly string[], wins: readonly RaceWin[], eventsWanted: number): Promise<number> {
  let violations = wins.filter(({ browserSessionId }) => !ids.includes(browserSessionId)).length
  for (const browserSessionId of ids) {
    const winners = wins.filter((win) => win.browserSessionId === browserSessionId)
    const row = await storage.get('browser_sessions', browserSessionId)
    const events = await storage.readEvents({ stream: `session:${browserSessionId}` })
    if (winners.length !== 1) violations++
    else if (row?.leaseToken !== winners[0]?.token) violations++
    else if (events.length !== eventsWanted) violations++
  }
  return violations
}
