import { WorkflowEngine } from '../../../src/engine/index.js'
import { type Ids, sleep, systemRandom } from '../../../src/runtime/index.js'
import { SessionPool } from '../../../src/sessions/index.js'
import type { Storage } from '../../../src/storage/index.js'
import { FakeBrowserDriver, type FakeClock } from '../../../src/testing/index.js'
import { HostClock } from '../host-clock.js'
import { FAIR, HostStorage } from './host-storage.js'

/** Lease of runs and of sessions, in milliseconds. */
export const TTL_MS = 3_000
/** Longer than the limit of any run. */
const SLOW_MS = 90_000

/** What every host of a schedule has. */
export interface HostWorld {
  readonly clock: FakeClock
  readonly storage: Storage
  readonly ids: Ids
  readonly baseDirectory: string
  /** Of the schedule: a number in [0, 1). */
  readonly fraction: () => number
}

/** One process: an engine and a pool with their own clock, their own way to the storage, their own browsers. */
export class RunHost {
  readonly hostId: string
  readonly clock: HostClock
  readonly storage: HostStorage
  readonly driver: FakeBrowserDriver
  readonly pool: SessionPool
  readonly engine: WorkflowEngine
  isDead = false
  /** Its first start is over. */
  hasArrived = false
  /** Stopped by the schedule, and not yet started again. */
  isStopped = false
  /** A stop, or a start, that is under way. */
  changing: Promise<void> | null = null

  constructor(hostId: string, world: HostWorld) {
    const { ids, fraction } = world
    this.hostId = hostId
    this.clock = new HostClock(world.clock)
    this.storage = new HostStorage(world.storage, { clock: this.clock, fraction })
    const { clock } = this
    const { storage } = this.storage
    this.driver = new FakeBrowserDriver({ clock, site: { 'https://a.test/': { title: 'A', delayMs: 30 } }, launch: { delayMs: 100 } })
    const random = { bytes: (size: number) => systemRandom.bytes(size), fraction }
    const baseDirectory = `${world.baseDirectory}/${hostId}`
    const common = { hostId, storage, clock, ids, leaseTtlMs: TTL_MS, organizationId: 'acme' }
    this.pool = new SessionPool({ ...common, driver: this.driver, random, baseDirectory, maxSessions: 6 })
    const handlers = this.#handlers()
    this.engine = new WorkflowEngine({ ...common, sessions: this.pool, handlers, concurrency: 3, webhooks: { unsigned: true } })
  }

  async start(): Promise<void> {
    await this.pool.start()
    await this.engine.start()
  }

  /** Its process is killed, and its browsers with it; nobody is told. */
  die(): void {
    this.isDead = true
    this.clock.die()
    this.storage.die()
    for (const handle of this.driver.handles) handle.crash('its host is gone')
  }

  /** Whatever was wrong is no more. */
  recover(): void {
    this.storage.weather = FAIR
    this.clock.thaw()
  }

  #handlers() {
    const { clock } = this
    const work = ({ parameters, signal }: { parameters: Record<string, unknown>; signal: AbortSignal }) =>
      sleep(clock, Number(parameters.ms ?? 0), signal)
    const deaf = ({ parameters }: { parameters: Record<string, unknown> }) => sleep(clock, 4 * Number(parameters.ms ?? 0))
    const slow = ({ signal }: { signal: AbortSignal }) => sleep(clock, SLOW_MS, signal)
    const fail = () => {
      throw new Error('it broke')
    }
    let calls = 0
    const flaky = () => (++calls % 2 === 1 ? fail() : calls)
    return { noop: () => null, work, deaf, flaky, slow, fail }
  }
}
