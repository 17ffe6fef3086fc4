import { NotRunningError, TimeoutError } from '../errors/index.js'
import { closeAll, type Lifecycle, withDeadline } from '../runtime/index.js'
import type { PoolParts } from './compose-pool.js'
import type { ReconciliationReport } from './reconciliation.js'

/** Starts and stops the collaborators of a pool, in order. */
export class PoolService {
  readonly #parts: PoolParts
  #startedStreaming = false
  #endsDetached = false
  #report: ReconciliationReport | null = null

  constructor(parts: PoolParts) {
    this.#parts = parts
  }

  /** What the last start found; null: there was none. */
  get report(): ReconciliationReport | null {
    return this.#report
  }

  async start(): Promise<void> {
    const { settings, upkeep, meter, heartbeat, reconciliation, reaper, supply, allocator } = this.#parts
    await settings.storage.open()
    await this.#prepareDriver()
    this.#startedStreaming = (await settings.streaming?.start()) ?? false
    upkeep.gate.open()
    upkeep.relauncher.start()
    meter?.start()
    heartbeat.start() // what is adopted has to be kept alive from the first moment
    this.#report = await reconciliation.run()
    reaper.start()
    supply.spares.start(() => allocator.isIdle)
  }

  /** Before anybody has a lease that a busy event loop could let lapse. A driver that cannot be loaded says so at the first launch. */
  async #prepareDriver(): Promise<void> {
    const { driver, logger, clock, launchTimeoutMs: timeoutMs } = this.#parts.settings
    const onTimeout = () => new TimeoutError(`Loading the driver "${driver.name}"`, timeoutMs)
    try {
      await withDeadline({ run: async () => driver.prepare?.(), timeoutMs, onTimeout, clock })
    } catch (error) {
      logger.warn('the driver of browsers could not be loaded', { driver: driver.name, error })
    }
  }

  /** Detached sessions go on without this host from here; with `endsDetached` they end like the others. */
  async stop(): Promise<void> {
    const { settings, upkeep, meter, reaper, allocator, supply, launcher, attacher, detacher, ender, heartbeat, journal } = this.#parts
    const leavesDetached = !this.#endsDetached
    this.#endsDetached = false
    await closeAll(
      [
        () => meter?.stop(),
        () => upkeep.relauncher.stop(),
        () => reaper.stop(),
        () => allocator.stop(new NotRunningError('SessionPool', 'stopping')),
        () => supply.spares.stop(),
        () => launcher.stop(),
        () => supply.leftovers.retryAll(),
        () => attacher.stop(),
        () => (leavesDetached ? detacher.leaveAll() : undefined),
        () => ender.endAll(),
        () => heartbeat.stop(),
        () => detacher.endHostLeases(),
        () => journal.settle(),
        () => (this.#startedStreaming ? settings.streaming?.stop() : undefined),
      ],
      'SessionPool',
    )
  }

  /** A stop that leaves nothing behind. */
  destroy(lifecycle: Pick<Lifecycle, 'stop'>): Promise<void> {
    this.#endsDetached = true
    return lifecycle.stop()
  }
}
