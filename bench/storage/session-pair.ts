import { randomBytes } from 'node:crypto'
import { type BrowserSessionRow, increment, type NewEvent, type NewRow, type Storage, storageNow, type Write } from 'runwright'

export const ORGANIZATION = 'org_bench'
export const HOST = 'host_bench'
export const LEASE_TTL_MS = 30_000
/** How long a lapsed lease still keeps others out; the pool's rule for this TTL. */
export const GRACE_MS = 3_000
const HOUR_MS = 3_600_000

/** A session whose browser runs and that nobody holds. */
export function freeSession(browserSessionId: string): NewRow<BrowserSessionRow> {
  return {
    browserSessionId,
    organizationId: ORGANIZATION,
    status: 'running',
    private: false,
    attachable: false,
    detached: false,
    leaseFence: 0,
    hostId: HOST,
    machineId: 'machine_bench',
    hostLeaseExpiresAt: storageNow({ plusMs: HOUR_MS }),
    pid: 4_711,
    pidStartTime: '123456',
    displayBackend: 'xvnc',
    displayNumber: 99,
    displayDir: '/tmp/runwright/bench',
    guarded: false,
    interactor: 'agent',
    timeoutMinutes: 60,
    startedAt: storageNow(),
    expiresAt: storageNow({ plusMs: HOUR_MS }),
    lastActivityAt: storageNow(),
    uses: 0,
    browserType: 'chromium',
    viewport: { width: 1_280, height: 720 },
    createdAt: storageNow(),
    modifiedAt: storageNow(),
  }
}

/** One occupation of a session. */
export interface Occupation {
  readonly browserSessionId: string
  readonly runnableId: string
  readonly token: string
  readonly fence: number
}

/** The next occupation of a session whose last one had the fence `fence - 1`. */
export function occupation(browserSessionId: string, fence: number): Occupation {
  return { browserSessionId, runnableId: `wr_${fence}`, token: randomBytes(18).toString('base64url'), fence }
}

/** The commit that takes a session, as the SessionPool writes it (src/sessions/lease-keeper.ts, lease-terms.ts). */
export function occupyBatch({ browserSessionId, runnableId, token, fence }: Occupation): readonly Write[] {
  const isFree = [{ leaseToken: null }, { leaseExpiresAt: { lt: storageNow({ plusMs: -GRACE_MS }) } }]
  return [
    {
      op: 'update',
      table: 'browser_sessions',
      id: browserSessionId,
      where: {
        organizationId: ORGANIZATION,
        status: 'running',
        expiresAt: { gt: storageNow() },
        hostId: HOST,
        hostLeaseExpiresAt: { gt: storageNow() },
        leaseFence: fence - 1,
        any: isFree,
      },
      set: {
        runnableType: 'workflow_run',
        runnableId,
        leaseToken: token,
        leaseFence: fence,
        leaseHolder: HOST,
        leaseRequestId: null,
        leaseSince: storageNow(),
        leaseExpiresAt: storageNow({ plusMs: LEASE_TTL_MS }),
        uses: increment(),
        modifiedAt: storageNow(),
      },
    },
    append(browserSessionId, 'session.occupied', { browserSessionId, runnableType: 'workflow_run', runnableId, leaseFence: fence }),
  ]
}

/** The commit that gives it back. */
export function releaseBatch({ browserSessionId, runnableId, token, fence }: Occupation): readonly Write[] {
  return [
    {
      op: 'update',
      table: 'browser_sessions',
      id: browserSessionId,
      where: { leaseToken: token, leaseFence: fence },
      set: {
        runnableType: null,
        runnableId: null,
        leaseToken: null,
        leaseHolder: null,
        leaseRequestId: null,
        leaseSince: null,
        leaseExpiresAt: null,
        lastActivityAt: storageNow(),
        modifiedAt: storageNow(),
      },
    },
    append(browserSessionId, 'session.released', { browserSessionId, runnableType: 'workflow_run', runnableId, leaseFence: fence }),
  ]
}

const append = (browserSessionId: string, type: string, payload: NewEvent['payload']): Write => ({
  op: 'append',
  stream: `session:${browserSessionId}`,
  events: [newEvent(type, payload)],
})

let events = 0
const idPrefix = `evt_${randomBytes(10).toString('hex')}`

export function newEvent(type: string, payload: NewEvent['payload']): NewEvent {
  return { id: `${idPrefix}_${++events}`, type, organizationId: ORGANIZATION, payload }
}

/** Commits, and fails the benchmark where the storage refuses. */
export async function mustCommit(storage: Storage, batch: readonly Write[]): Promise<void> {
  const result = await storage.commit(batch)
  if (!result.ok) throw new Error(`Write ${result.index} was refused: ${result.reason} ${JSON.stringify(result.current ?? null)}`)
}

/** Takes a session and gives it back, again and again; each client works on a session of its own. */
export class PairWorker {
  readonly #storage: Storage
  readonly #browserSessionId: string
  #fence = 0

  constructor(storage: Storage, browserSessionId: string) {
    this.#storage = storage
    this.#browserSessionId = browserSessionId
  }

  async create(): Promise<void> {
    await mustCommit(this.#storage, [{ op: 'insert', table: 'browser_sessions', row: freeSession(this.#browserSessionId) }])
  }

  async once(): Promise<void> {
    const taken = occupation(this.#browserSessionId, ++this.#fence)
    await mustCommit(this.#storage, occupyBatch(taken))
    await mustCommit(this.#storage, releaseBatch(taken))
  }
}
