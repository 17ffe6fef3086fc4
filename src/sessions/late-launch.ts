import { TimeoutError } from '../errors/index.js'
import { withDeadline } from '../runtime/index.js'
import type { LaunchProgress } from './browser-start.js'
import type { SessionPoolSettings } from './options.js'

/**
 * Waits for a launch that was given up to be undone, but not for ever: after `closeTimeoutMs` its processes are killed, after as long again
 * it is let be, and named in the log. What it leaves is removed when it ends, or by the next start. Never rejects.
 */
export async function endLateLaunch(
  settings: Pick<SessionPoolSettings, 'clock' | 'closeTimeoutMs' | 'driver' | 'logger'>,
  { browserSessionId, directory }: Pick<LaunchProgress, 'browserSessionId' | 'directory'>,
  undone: Promise<void>,
): Promise<void> {
  const { clock, closeTimeoutMs: timeoutMs, driver, logger } = settings
  const onTimeout = () => new TimeoutError(`To end the launch of session ${browserSessionId}`, timeoutMs)
  const within = (run: () => Promise<unknown>) => withDeadline({ run, timeoutMs, onTimeout, clock })
  const isOver = () =>
    within(() => undone).then(
      () => true,
      () => false,
    )
  if (await isOver()) return
  if (directory !== null && driver.endLeft !== undefined) {
    await within(async () => driver.endLeft?.({ directory: directory.path, process: null })).catch((error: unknown) =>
      logger.warn('the processes of a launch that was given up could not be killed', { browserSessionId, error }),
    )
    if (await isOver()) return
  }
  logger.warn('a launch that was given up is still under way; what it leaves is removed when it ends, or by the next start', {
    browserSessionId,
    directory: directory?.path ?? null,
  })
}
