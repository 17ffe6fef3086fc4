import type { Storage } from 'runwright'
import type { BenchContext } from '../lib/area.js'
import { openStorage, sharedServer } from '../lib/postgres.js'
import { Worker } from '../lib/worker.js'
import { isWonOnce, strayRefusals } from './race-verdict.js'
import type { RaceWorker } from './race-worker.js'

const PROCESSES = 4
const RACERS = 64
const SESSIONS = 8
const ORGANIZATION = 'org_bench'

type Processes = readonly Worker<RaceWorker>[]

/**
 * Rounds of 64 racers from 4 processes, through the pool of each: for 8 sessions, two of each process, by `occupy`; and in turns for the 8
 * sessions that an organisation may have, by `createOccupied`. A violation is a session without exactly one winner, whose row names another
 * one or that has not exactly its event; more or fewer than 8 sessions; or a loser who was told anything else.
 */
export async function measureRace(context: BenchContext): Promise<{ race: number }> {
  const rounds = context.isQuick ? 6 : 200
  context.progress(`race, ${rounds} rounds`)
  const url = await sharedServer(context)
  const opened = await openStorage({ url, clients: 2 })
  const processes: Processes = Array.from({ length: PROCESSES }, () => new Worker<RaceWorker>(new URL('./race-worker.ts', import.meta.url)))
  try {
    const { schema, storage } = opened
    await Promise.all(processes.map((each) => each.call('open', { url, schema, clients: RACERS / PROCESSES, perOrganization: SESSIONS })))
    const made = await Promise.all(
      processes.map((each) => each.call('create', { organizationId: ORGANIZATION, count: SESSIONS / PROCESSES })),
    )
    let violations = 0
    for (let round = 0; round < rounds; round++) {
      violations += round % 2 === 0 ? await occupyRound(processes, storage, made.flat()) : await makeRound(processes, storage, round)
    }
    return { race: violations }
  } finally {
    await Promise.allSettled(processes.map((each) => each.call('close', undefined as never)))
    await Promise.all(processes.map((each) => each.end()))
    await opened.close()
  }
}

async function occupyRound(processes: Processes, storage: Storage, ids: readonly string[]): Promise<number> {
  const before = await Promise.all(ids.map((id) => occupations(storage, id)))
  const racers = (offset: number) => Array.from({ length: RACERS / PROCESSES }, (_, index) => ids[(index + offset) % ids.length] ?? '')
  const outcomes = await Promise.all(
    processes.map((each, index) => each.call('occupy', { organizationId: ORGANIZATION, ids: racers(index * 3) })),
  )
  const told = outcomes.flat()
  let violations = strayRefusals(told)
  for (const [index, id] of ids.entries()) {
    const row = await storage.get('browser_sessions', id)
    const events = (await occupations(storage, id)) - (before[index] ?? 0)
    if (!isWonOnce(told, row) || events !== 1) violations++
  }
  await Promise.all(processes.map((each) => each.call('settle', { isOver: false })))
  return violations
}

async function makeRound(processes: Processes, storage: Storage, round: number): Promise<number> {
  const organizationId = `round_${round}`
  const outcomes = await Promise.all(processes.map((each) => each.call('make', { organizationId, count: RACERS / PROCESSES })))
  const told = outcomes.flat()
  const rows = await storage.find({ table: 'browser_sessions', where: { organizationId, status: 'running' }, limit: RACERS })
  const violations = strayRefusals(told) + Math.abs(rows.length - SESSIONS) + rows.filter((row) => !isWonOnce(told, row)).length
  await Promise.all(processes.map((each) => each.call('settle', { isOver: true })))
  return violations
}

/** How often a session was taken. */
async function occupations(storage: Storage, browserSessionId: string): Promise<number> {
  const events = await storage.readEvents({ stream: `session:${browserSessionId}`, limit: 10_000 })
  return events.filter(({ type }) => type === 'session.occupied').length
}
