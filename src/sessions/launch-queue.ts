import PQueue from 'p-queue'
import { BrowserLaunchError, type LaunchFailureCategory } from '../errors/index.js'
import { type Clock, forkAbort } from '../runtime/index.js'
import { LaunchBreaker, type LaunchPermit } from './launch-breaker.js'
import { type DurationFigures, SampleWindow } from './sample-window.js'

export interface LaunchParams<T> {
  readonly permit: LaunchPermit
  /** Higher first. */
  readonly priority: number
  /** Leaves the queue when it aborts; what has begun is the launch's own affair. */
  readonly signal: AbortSignal
  readonly launch: () => Promise<T>
}

/** Failures of which the next launch need not know: they come from the request, or from the machine's set-up. */
const NOT_TRANSIENT: readonly LaunchFailureCategory[] = ['executable_missing', 'profile_locked', 'aborted']

/** Lets so many browsers start at once, by priority and then in order, and none while launches fail in a row. */
export class LaunchQueue {
  readonly #clock: Clock
  readonly #queue: PQueue
  readonly #breaker: LaunchBreaker
  readonly #durations = new SampleWindow()

  constructor(options: { readonly clock: Clock; readonly launchConcurrency: number }) {
    this.#clock = options.clock
    this.#queue = new PQueue({ concurrency: options.launchConcurrency })
    this.#breaker = new LaunchBreaker({ clock: options.clock })
  }

  get breaker(): Pick<LaunchBreaker, 'state' | 'retryAfterMs'> {
    return this.#breaker
  }

  /** Launches that wait for others to end. */
  get waiting(): number {
    return this.#queue.size
  }

  /** Launches that are under way. */
  get running(): number {
    return this.#queue.pending
  }

  /** How long the last launches took, the wait in this queue not counted. */
  get launchTimes(): DurationFigures | null {
    return this.#durations.figures()
  }

  /** The permit must be ended in every case: `run` does it, else `permit.dismissed()`. @throws {BreakerOpenError} `BREAKER_OPEN` */
  admit(): LaunchPermit {
    return this.#breaker.admit()
  }

  async run<T>({ permit, priority, signal, launch }: LaunchParams<T>): Promise<T> {
    // only for the time in the queue: p-queue would let go of a launch that is under way before that knows what it leaves behind
    const queued = forkAbort(signal)
    try {
      return await this.#queue.add(
        () => {
          queued.dispose()
          return this.#begin(permit, signal, launch)
        },
        { priority, signal: queued.signal },
      )
    } finally {
      queued.dispose()
      permit.dismissed()
    }
  }

  async #begin<T>(permit: LaunchPermit, signal: AbortSignal, launch: () => Promise<T>): Promise<T> {
    this.#breaker.assertStill(permit)
    const beganAtMs = this.#clock.monotonicMs()
    try {
      const launched = await launch()
      this.#durations.add(this.#clock.monotonicMs() - beganAtMs)
      permit.succeeded()
      return launched
    } catch (error) {
      if (!signal.aborted && isTransient(error)) permit.failed()
      throw error
    }
  }
}

function isTransient(error: unknown): boolean {
  return BrowserLaunchError.is(error) && !NOT_TRANSIENT.includes((error as BrowserLaunchError).category)
}
