import type { Clock, Logger, Timer } from '../../runtime/index.js'
import { type RunRow, type Storage, storageNow } from '../../storage/index.js'
import type { Notifier } from '../run-ports.js'
import { presentPause } from './run-pause.js'

/** Told of runs that were paused. */
export interface PauseWatch {
  /** The run was paused by this process; `run` is its row after that commit. Never throws, and never waits. */
  paused(run: RunRow): void
}

export interface PauseTimersOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly notifier: Notifier | undefined
  /** Ends the pause of a run, if its time is over. */
  readonly expire: (run: RunRow) => Promise<unknown>
}

/** How long it waits for the storage's clock to come to where its own is, in milliseconds. */
const LATE_CLOCK_MS = 250

/** Minds the pauses that this process made: tells people of them, and ends them on time. The sweep of any engine minds those of others. */
export class PauseTimers implements PauseWatch {
  readonly #options: PauseTimersOptions
  readonly #timers = new Map<string, Timer>()

  constructor(options: PauseTimersOptions) {
    this.#options = options
  }

  /** A storage of this process alone has nobody else to look: pauses from before a stop are minded again. */
  async start(): Promise<void> {
    const { storage } = this.#options
    if (storage.capabilities.durable || storage.capabilities.shared) return
    const paused = await storage.find({ table: 'runs', where: { status: 'paused', pauseExpiresAt: { isNull: false } }, limit: 10_000 })
    const now = await storage.now()
    for (const run of paused) this.#setTimer(run, (run.pauseExpiresAt ?? now).getTime() - now.getTime())
  }

  paused(run: RunRow): void {
    this.#setTimer(run, (run.pauseExpiresAt?.getTime() ?? 0) - run.modifiedAt.getTime())
    void this.#notify(run)
  }

  /** The pause of a run has ended. */
  over(workflowRunId: string): void {
    this.#timers.get(workflowRunId)?.cancel()
    this.#timers.delete(workflowRunId)
  }

  /** Stops minding them: whoever runs an engine on the storage ends them on time. */
  stop(): void {
    for (const workflowRunId of [...this.#timers.keys()]) this.over(workflowRunId)
  }

  #setTimer(run: RunRow, delayMs: number): void {
    if (run.pauseExpiresAt === null) return
    this.over(run.workflowRunId)
    const { clock, logger } = this.#options
    const onTime = () =>
      void this.#expire(run).catch((error: unknown) => {
        logger.warn('a pause could not be ended on time', { workflowRunId: run.workflowRunId, error })
      })
    this.#timers.set(run.workflowRunId, clock.setTimer(onTime, Math.max(0, delayMs)))
  }

  async #expire(run: RunRow): Promise<void> {
    this.#timers.delete(run.workflowRunId)
    if (await this.#options.expire(run)) return
    const { storage } = this.#options
    const isEarly = {
      workflowRunId: run.workflowRunId,
      status: 'paused',
      leaseFence: run.leaseFence,
      pauseExpiresAt: { gt: storageNow() },
    } as const
    if ((await storage.count('runs', isEarly)) > 0) this.#setTimer(run, LATE_CLOCK_MS)
  }

  async #notify(run: RunRow): Promise<void> {
    const { notifier, logger } = this.#options
    const pause = presentPause(run)
    if (notifier === undefined || pause === null) return
    const { organizationId, workflowRunId, workflowTitle } = run
    const { runBlockId, expiresAt, ...shown } = pause
    try {
      await notifier.notify({ organizationId, workflowRunId, workflowTitle, ...shown, expiresAt: expiresAt.toISOString() })
    } catch (error) {
      logger.warn('nobody could be told that a run waits', { workflowRunId, error })
    }
  }
}
