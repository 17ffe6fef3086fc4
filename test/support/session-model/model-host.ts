import { BrowserLaunchError } from '../../../src/errors/index.js'
import { systemRandom } from '../../../src/runtime/index.js'
import { SessionPool, type SessionPoolOptions } from '../../../src/sessions/index.js'
import type { ConnectSpec, LaunchSpec, PageOperationOptions } from '../../../src/sessions/ports.js'
import type { Storage } from '../../../src/storage/index.js'
import { FakeBrowserDriver, type FakeBrowserHandle, type FakeClock } from '../../../src/testing/index.js'
import { HostClock } from '../host-clock.js'
import { FAIR, ModelStorage } from './model-storage.js'

/** What every host of a schedule has. */
export interface HostWorld {
  readonly clock: FakeClock
  readonly storage: Storage
  readonly ids: NonNullable<SessionPoolOptions['ids']>
  readonly baseDirectory: string
  readonly options: Partial<SessionPoolOptions> & { readonly maxSessions: number }
  readonly onViolation: (what: string) => void
  /** The browser of a session that was launched by whichever host, and has not ended. */
  readonly browserOf: (browserSessionId: string) => FakeBrowserHandle | undefined
}

/** By browser: what ends the connections of other hosts to it. */
const onGone = new WeakMap<FakeBrowserHandle, (() => void)[]>()

/** Calls back when a browser has ended, in whichever way. */
function whenGone(handle: FakeBrowserHandle, tell: () => void): void {
  const { crash, kill, close } = handle
  const told = () => {
    if (!handle.isAlive) tell()
  }
  handle.crash = (reason) => {
    crash.call(handle, reason)
    told()
  }
  handle.kill = () => kill.call(handle).finally(told)
  handle.close = (options) => close.call(handle, options).finally(told)
}

/** A driver that sees to it that no more browsers live than may, and no two for one session. */
class ModelDriver extends FakeBrowserDriver {
  readonly #maxSessions: number
  readonly #onViolation: (what: string) => void
  readonly #launching = new Set<string>()
  readonly #browserOf: HostWorld['browserOf']
  /** By connection: the browser. */
  readonly #behind = new Map<FakeBrowserHandle, FakeBrowserHandle>()

  constructor(params: { clock: HostClock; maxSessions: number } & Pick<HostWorld, 'onViolation' | 'browserOf'>) {
    super({ clock: params.clock })
    this.#browserOf = params.browserOf
    this.#maxSessions = params.maxSessions
    this.#onViolation = params.onViolation
  }

  override async launch(spec: LaunchSpec, options: PageOperationOptions): Promise<FakeBrowserHandle> {
    const { browserSessionId: id } = spec
    if (this.liveHandles + this.pendingLaunches >= this.#maxSessions) this.#onViolation(`a launch beyond maxSessions, for ${id}`)
    if (this.handleOf(id)?.isAlive === true || this.#launching.has(id)) this.#onViolation(`a second browser for ${id}`)
    this.#launching.add(id)
    try {
      const handle = await super.launch(spec, options)
      whenGone(handle, () => {
        for (const hangUp of onGone.get(handle) ?? []) hangUp()
      })
      return handle
    } finally {
      this.#launching.delete(id)
    }
  }

  /** Answers if the browser does, and is lost with it. */
  override async connect(spec: ConnectSpec, options: PageOperationOptions): Promise<FakeBrowserHandle> {
    const handle = await super.connect(spec, options)
    const browser = this.#browserOf(spec.browserSessionId)
    if (browser === undefined || browser.browserAddress !== spec.browserAddress) {
      await handle.kill()
      throw new BrowserLaunchError('no such browser', { category: 'unreachable' })
    }
    this.#behind.set(handle, browser)
    onGone.set(browser, [...(onGone.get(browser) ?? []), () => handle.disconnect()])
    return handle
  }

  /** Those of its own: a connection to another host’s is no browser. */
  override get liveHandles(): number {
    return this.handles.filter(({ isAlive, process }) => isAlive && process !== null).length
  }

  override get pendingLaunches(): number {
    return this.#launching.size
  }

  /** Whether what is behind a handle lives. */
  isThere(handle: FakeBrowserHandle): boolean {
    return handle.isAlive && (this.#behind.get(handle)?.isAlive ?? true)
  }
}

/** One process: a pool with its own clock, its own way to the storage, its own browsers. */
export class ModelHost {
  readonly hostId: string
  readonly clock: HostClock
  readonly storage: ModelStorage
  readonly driver: ModelDriver
  readonly pool: SessionPool
  readonly baseDirectory: string
  readonly #disconnected = new Set<FakeBrowserHandle>()
  isDead = false

  constructor(hostId: string, world: HostWorld) {
    const { options, ids, onViolation, browserOf } = world
    this.hostId = hostId
    this.baseDirectory = `${world.baseDirectory}/${hostId}`
    this.clock = new HostClock(world.clock)
    this.storage = new ModelStorage(world.storage, this.clock)
    this.driver = new ModelDriver({ clock: this.clock, maxSessions: options.maxSessions, onViolation, browserOf })
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
    return this.driver.isThere(handle) && !this.#disconnected.has(handle)
  }

  /** Whatever was wrong is no more. */
  recover(): void {
    this.storage.weather = FAIR
    for (const handle of this.driver.handles) handle.resume()
  }
}
