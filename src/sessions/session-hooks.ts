import { TimeoutError } from '../errors/index.js'
import { type Clock, type Logger, withDeadline } from '../runtime/index.js'
import type { BrowserHandle } from './ports.js'

/** What a hook is told. */
export interface SessionHookFacts {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly browser: BrowserHandle
  /** Aborts at the deadline. */
  readonly signal: AbortSignal
}

/** Called at a turn of a session's life, and waited for, at most `hookTimeoutMs`. */
export type SessionHook = (facts: SessionHookFacts) => unknown

/** Hooks of a pool. One that throws or hangs is logged, and changes nothing. */
export interface SessionHooks {
  /** The browser is up, and nobody has it yet. The idle time has not begun. */
  readonly afterLaunch?: SessionHook | undefined
  /** The session has ended, and its browser is about to be closed. Not called for a browser that is lost. */
  readonly beforeClose?: SessionHook | undefined
}

/** Calls the host's hooks, each bounded. */
export class HookCaller {
  readonly #settings: HookSettings

  constructor(settings: HookSettings) {
    this.#settings = settings
  }

  /** Never rejects. */
  async call(name: keyof SessionHooks, facts: Omit<SessionHookFacts, 'signal'>): Promise<void> {
    const { hooks, clock, logger, hookTimeoutMs: timeoutMs } = this.#settings
    const hook = hooks[name]
    if (hook === undefined) return
    const { organizationId, browserSessionId, browser } = facts
    try {
      await withDeadline({
        run: async (signal) => hook({ organizationId, browserSessionId, browser, signal }),
        timeoutMs,
        onTimeout: () => new TimeoutError(`The hook ${name} of session ${browserSessionId}`, timeoutMs),
        clock,
      })
    } catch (error) {
      logger.warn(`the hook ${name} failed`, { browserSessionId, error })
    }
  }
}

export interface HookSettings {
  readonly clock: Clock
  readonly logger: Logger
  readonly hooks: SessionHooks
  readonly hookTimeoutMs: number
}
