import { TimeoutError } from '../errors/index.js'
import { type Clock, type Logger, type Random, systemRandom, Ticker, withDeadline } from '../runtime/index.js'

/** How often a host looks for what others left, in milliseconds; jittered by a tenth. */
export const SWEEP_INTERVAL_MS = 2_000
/** How long one look may take: a storage that hangs must not hold up a stop. */
const LOOK_TIMEOUT_MS = 10_000
/** Wake-ups that name nothing come often: a sweep that began so short a time ago has seen what they may mean. */
const NUDGE_SPACING_MS = 1_000

/** One of the things that a sweep looks for. */
export interface Look {
  /** For logs: `queued runs`. */
  readonly what: string
  readonly work: () => Promise<unknown>
}

export interface SweepOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly random?: Random | undefined
  /** Looked for one after another; one that fails or takes too long is logged, and stops none of the others. */
  readonly looks: readonly Look[]
  /** At most so long a look, in milliseconds. @default 10,000 */
  readonly timeoutMs?: number | undefined
}

/** Looks again and again for what nobody sees to: every two seconds, jittered by a tenth. */
export class Sweep {
  readonly #options: SweepOptions
  readonly #ticker: Ticker
  #begunAtMs = Number.NEGATIVE_INFINITY
  #isStarted = false

  constructor(options: SweepOptions) {
    this.#options = options
    const { clock, random = systemRandom } = options
    this.#ticker = new Ticker({
      clock,
      pauseMs: () => SWEEP_INTERVAL_MS * (0.9 + 0.2 * random.fraction()),
      work: () => this.#lookAround(),
    })
  }

  start(): void {
    this.#isStarted = true
    this.#ticker.start()
  }

  /** Resolves when the look in flight has ended. */
  stop(): Promise<void> {
    this.#isStarted = false
    return this.#ticker.stop()
  }

  /** Looks now, or joins the sweep in flight. */
  tick(): Promise<void> {
    return this.#ticker.tick()
  }

  /** Looks now, unless that was done a moment ago. Does nothing before the start. */
  nudge(): void {
    const { clock } = this.#options
    if (this.#isStarted && clock.monotonicMs() - this.#begunAtMs >= NUDGE_SPACING_MS) void this.tick()
  }

  async #lookAround(): Promise<void> {
    const { clock, logger, looks, timeoutMs = LOOK_TIMEOUT_MS } = this.#options
    this.#begunAtMs = clock.monotonicMs()
    for (const { what, work } of looks) {
      try {
        const onTimeout = () => new TimeoutError(`Looking for ${what}`, timeoutMs)
        await withDeadline({ run: work, timeoutMs, onTimeout, clock })
      } catch (error) {
        logger.warn(`${what} could not be looked for`, { error })
      }
    }
  }
}

/** A sweep with one look. */
export function createSweep({ what, work, ...options }: Omit<SweepOptions, 'looks'> & Look): Sweep {
  return new Sweep({ ...options, looks: [{ what, work }] })
}
