import { TimeoutError } from '../errors/index.js'
import { type Clock, type Logger, type Random, systemRandom, Ticker, withDeadline } from '../runtime/index.js'

/** How often a host looks for what others left, in milliseconds; jittered by a tenth. */
export const SWEEP_INTERVAL_MS = 2_000

export interface SweepOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly random?: Random | undefined
  /** What is looked for, for logs: `queued runs`. */
  readonly what: string
  /** A storage that hangs must not hold up a stop. */
  readonly timeoutMs: number
  readonly work: () => Promise<void>
}

/** Looks again and again; a look that fails or takes too long is logged, and never ends the looking. */
export function createSweep(options: SweepOptions): Ticker {
  const { clock, logger, what, timeoutMs, work, random = systemRandom } = options
  const onTimeout = () => new TimeoutError(`Looking for ${what}`, timeoutMs)
  return new Ticker({
    clock,
    pauseMs: () => SWEEP_INTERVAL_MS * (0.9 + 0.2 * random.fraction()),
    work: async () => {
      try {
        await withDeadline({ run: work, timeoutMs, onTimeout, clock })
      } catch (error) {
        logger.warn(`${what} could not be looked for`, { error })
      }
    },
  })
}
