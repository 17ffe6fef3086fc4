import { systemRandom } from '../../../src/runtime/index.js'
import { SessionPool, type SessionPoolOptions } from '../../../src/sessions/index.js'
import type { LaunchSpec, PageOperationOptions } from '../../../src/sessions/ports.js'
import type { Storage } from '../../../src/storage/index.js'
import { FakeBrowserDriver, type FakeBrowserHandle, type FakeClock } from '../../../src/testing/index.js'
import { ModelClock } from './model-clock.js'
import { FAIR, ModelStorage } from './model-storage.js'

/** What every host of a schedule has. */
export interface HostWorld {
  readonly clock: FakeClock
  readonly storage: Storage
  readonly ids: NonNullable<SessionPoolOptions['ids']>
  readonly baseDirectory: string
  readonly options: Partial<SessionPoolOptions> & { readonly maxSessions: number }
  readonly onViolation: (what: string) => void
}

/** A driver that sees to it that no more browsers live than may, and no two for one session. */
class ModelDriver extends FakeBrowserDriver {
  readonly #maxSessions: number
  readonly #onViolation: (what: string) => void
  readonly #launching = new Map<string, number>()

  constructor(params: { clock: ModelClock; maxSessions: number; onViolation: (what: string) => void }) {
    super({ clock: params.clock })
    this.#maxSessions = params.maxSessions
    this.#onViolation = params.onViolation
  }

  override async launch(spec: LaunchSpec, options: PageOperationOptions): Promise<FakeBrowserHandle> {
    const { browserSessionId: id } = spec
    if (this.liveHandles + this.pendingLaunches >= this.#maxSessions) this.#onViolation(`a launch beyond maxSessions, for ${id}`)
    if (this.handleOf(id)?.isAlive === true || this.#launching.has(id)) this.#onViolation(`a second browser for ${id}`)
    this.#launching.set(id, 1)
    try {
      return await super.launch(spec, options)
    } finally {
      this.#launching.delete(id)
    }
  }
}

/** One process: a pool with its own clock, its own way to the storage, its own browsers. */
export class ModelHost {
  readonly hostId: string
  readonly clock: ModelClock
  readonly storage: ModelStorage
  readonly driver: FakeBrowserDriver
  readonly pool: SessionPool
  readonly baseDirectory: string
  readonly #disconnected = new Set<FakeBrowserHandle>()
  isDead = false
  /** Whether its pool is being stopped to be started again: a browser that cannot be ended then is the machine’s. */
  isRestarting = false

  constructor(hostId: string, world: HostWorld) {
    const { options, ids, onViolation } = world
    this.hostId = hostId
    this.baseDirectory = `${world.baseDirectory}/${hostId}`
    this.clock = new ModelClock(world.clock)
    this.storage = new ModelStorage(world.storage, this.clock)
    this.driver = new ModelDriver({ clock: this.clock, maxSessions: options.maxSessions, onViolation })
    const random = { bytes: (size: number) => systemRandom.bytes(size), fraction: () => 0.5 } // no jitter
    const { clock, driver, baseDirectory } = this
    this.pool = new SessionPool({ ...options, hostId, storage: this.storage.storage, clock, driver, ids, random, baseDirectory })
  }

  /** Its process is killed, and its browsers with it; nobody is told. */
  die(): void {
    this.isDead = true
    this.clock.die()
    this.storage.die()
    for (const handle of this.driver.handles) handle.crash('its host is gone')
  }

  /** Those that have not ended, oldest first. */
  get browsers(): readonly FakeBrowserHandle[] {
    return this.driver.handles.filter(({ isAlive }) => isAlive)
  }

  disconnect(handle: FakeBrowserHandle): void {
    this.#disconnected.add(handle)
    handle.disconnect()
  }

  /** Whether a browser is there for whoever holds it. */
  isUsable(handle: FakeBrowserHandle): boolean {
    return handle.isAlive && !this.#disconnected.has(handle)
  }

  /** Whatever was wrong is no more. */
  recover(): void {
    this.storage.weather = FAIR
    for (const handle of this.driver.handles) handle.resume()
  }
}
