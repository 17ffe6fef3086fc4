import { SessionPool, type Wake } from 'runwright'
import { FakeBrowserDriver } from 'runwright/testing'
import { type OpenStorage, openStorage } from '../lib/postgres.js'
import { serve, sharedNowMs } from '../lib/worker.js'
import { type RaceEntry, type RaceWin, raceWrites } from './race-writes.js'
import { ORGANIZATION } from './session-pair.js'

let opened: OpenStorage | undefined
let wakenAt: Promise<number> = Promise.resolve(0)
let followedAt: Promise<number> = Promise.resolve(0)
let onWake: (wake: Wake) => void = () => {}

const storage = () => {
  if (opened === undefined) throw new Error('The worker has no storage yet')
  return opened.storage
}

const handlers = {
  async open(params: { readonly url: string; readonly schema: string; readonly clients: number }): Promise<void> {
    opened = await openStorage(params)
  },

  async subscribe(): Promise<void> {
    await storage().subscribe?.((wake) => onWake(wake))
  },

  /** From here on it listens for a wake-up that concerns a stream. */
  arm({ stream }: { readonly stream: string }): void {
    wakenAt = new Promise((resolve) => {
      onWake = (wake) => {
        if (wake.stream === stream || (wake.stream === undefined && wake.table === undefined)) resolve(sharedNowMs())
      }
    })
  },

  /** When it came. */
  woken: (): Promise<number> => wakenAt,

  /** Follows a session's events; resolves with the first of them, from where on it is live. */
  follow({ browserSessionId, count }: { readonly browserSessionId: string; readonly count: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      followedAt = followEvents(browserSessionId, count, resolve)
      followedAt.catch(reject)
    })
  },

  /** When it had seen `count` of them. */
  followed: (): Promise<number> => followedAt,

  race: (entries: readonly RaceEntry[]): Promise<readonly RaceWin[]> => raceWrites(storage(), entries),

  async close(): Promise<void> {
    await opened?.close()
  },
}

async function followEvents(browserSessionId: string, count: number, onFirst: () => void): Promise<number> {
  const pool = new SessionPool({ storage: storage(), driver: new FakeBrowserDriver(), organizationId: ORGANIZATION })
  let seen = 0
  for await (const event of pool.events({ browserSessionId })) {
    if (event.seq !== ++seen) throw new Error(`Event ${event.seq} came as number ${seen}`)
    if (seen === 1) onFirst()
    if (seen === count) break
  }
  return sharedNowMs()
}

export type StorageWorker = typeof handlers

serve(handlers)
