import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RunwrightError, type SessionLease, SessionPool } from 'runwright'
import { FakeBrowserDriver } from 'runwright/testing'
import { type OpenStorage, openStorage } from '../lib/postgres.js'
import { serve } from '../lib/worker.js'
import { RUN } from './pool.js'
import type { RaceOutcome } from './race-verdict.js'

interface Open {
  readonly opened: OpenStorage
  readonly pool: SessionPool
  readonly baseDirectory: string
}

let open: Open | undefined
let leases: SessionLease[] = []

function pool(): SessionPool {
  if (open === undefined) throw new Error('The worker has no pool yet')
  return open.pool
}

const handlers = {
  async open(params: { readonly url: string; readonly schema: string; readonly clients: number; readonly perOrganization: number }) {
    const opened = await openStorage(params)
    const baseDirectory = await mkdtemp(join(tmpdir(), 'runwright-bench-'))
    const { storage } = opened
    const options = { maxSessions: 100, maxSessionsPerOrganization: params.perOrganization, machineId: 'machine_bench', baseDirectory }
    open = { opened, baseDirectory, pool: new SessionPool({ storage, driver: new FakeBrowserDriver(), ...options }) }
    await open.pool.start()
  },

  /** Sessions whose browsers are this process's. */
  async create({ organizationId, count }: { readonly organizationId: string; readonly count: number }): Promise<readonly string[]> {
    const sessions = await Promise.all(Array.from({ length: count }, () => pool().create({ organizationId })))
    return sessions.map(({ browserSessionId }) => browserSessionId)
  },

  /** One racer for each of these sessions, all at once. */
  occupy({ organizationId, ids }: { readonly organizationId: string; readonly ids: readonly string[] }): Promise<readonly RaceOutcome[]> {
    return race(ids, (browserSessionId) => pool().occupy({ organizationId, browserSessionId: browserSessionId ?? '', ...RUN }))
  },

  /** So many racers for a new session of an organisation, all at once. */
  make({ organizationId, count }: { readonly organizationId: string; readonly count: number }): Promise<readonly RaceOutcome[]> {
    const racers = Array.from({ length: count }, () => null)
    return race(racers, () => pool().createOccupied({ organizationId, runnable: RUN }))
  },

  /** Gives back, or closes, what this process's racers won. */
  async settle({ isOver }: { readonly isOver: boolean }): Promise<void> {
    const won = leases
    leases = []
    const close = (lease: SessionLease) => {
      const { organizationId, browserSessionId } = lease.session
      return pool().close({ organizationId, browserSessionId, lease })
    }
    await Promise.all(won.map((lease) => (isOver ? close(lease) : lease.release())))
  },

  async close(): Promise<void> {
    await open?.pool.stop()
    await open?.opened.close()
    if (open !== undefined) await rm(open.baseDirectory, { recursive: true, force: true })
  },
}

function race(racers: readonly (string | null)[], take: (id: string | null) => Promise<SessionLease>): Promise<readonly RaceOutcome[]> {
  const one = async (id: string | null): Promise<RaceOutcome> => {
    try {
      const lease = await take(id)
      leases.push(lease)
      return { browserSessionId: lease.browserSessionId, token: lease.token, code: null }
    } catch (error) {
      return { browserSessionId: id, token: null, code: RunwrightError.is(error) ? error.code : String(error) }
    }
  }
  return Promise.all(racers.map(one))
}

export type RaceWorker = typeof handlers

serve(handlers)
