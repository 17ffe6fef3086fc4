import { BlockFailed } from '../../errors/index.js'
import { type AbortFork, forkAbort } from '../../runtime/index.js'
import type { SessionLease } from '../../sessions/index.js'
import type { RunSessions } from '../run-browser.js'

interface LentSession {
  readonly lease: SessionLease
  /** Aborts when it is taken back, or the lease is lost. */
  readonly fork: AbortFork
  /** Whether what holds the browser's traffic holds it to everything that the borrower has to be held to. */
  readonly coversPolicy: boolean
}

/** The browsers that runs of this process lend to runs that they wait for. Each is taken back when the block that waits ends. */
export class LentSessions {
  readonly #lent = new Map<string, LentSession>()

  /** Lends to a run; gives the function that takes it back: whoever drives then stops. */
  lend(workflowRunId: string, lease: SessionLease, coversPolicy: boolean): () => void {
    const lent = { lease, coversPolicy, fork: forkAbort(lease.signal) }
    this.#lent.set(workflowRunId, lent)
    return () => {
      if (this.#lent.get(workflowRunId) === lent) this.#lent.delete(workflowRunId)
      lent.fork.abort(new BlockFailed('the browser was taken back by the run that had lent it', { code: 'SESSION_TAKEN_BACK' }))
      lent.fork.dispose()
    }
  }

  /** The pool as executions see it: a run that was lent a session occupies nothing. Everybody else does as ever, and finds it occupied. */
  over<S extends RunSessions>(sessions: S): S {
    const occupy: RunSessions['occupy'] = async (params) => {
      const lent = params.runnableId === undefined ? undefined : this.#lent.get(params.runnableId)
      if (lent === undefined || lent.lease.browserSessionId !== params.browserSessionId) return sessions.occupy(params)
      if (params.networkPolicy !== undefined && !lent.coversPolicy) {
        throw new BlockFailed('the browser that was lent cannot be held to the scope policy of this run', {
          code: 'SESSION_POLICY_DIFFERS',
        })
      }
      return borrowed(lent)
    }
    return new Proxy(sessions, {
      get(pool, key) {
        if (key === 'occupy') return occupy
        const value: unknown = Reflect.get(pool, key, pool)
        return typeof value === 'function' ? value.bind(pool) : value
      },
    })
  }
}

/** The lease without the right to give it back: that stays with the lender. */
function borrowed({ lease, fork }: LentSession): SessionLease {
  const isHeld = () => lease.isHeld && !fork.signal.aborted
  const own: Partial<Record<keyof SessionLease, unknown>> = {
    signal: fork.signal,
    release: async () => {},
    releaseWrites: () => [],
    markReleased: () => {},
    page: (options: Parameters<SessionLease['page']>[0]) => lease.page({ signal: fork.signal, ...options }),
    [Symbol.asyncDispose]: async () => {},
  }
  return new Proxy(lease, {
    get(target, key) {
      if (key === 'isHeld') return isHeld()
      if (Object.hasOwn(own, key)) return own[key as keyof SessionLease]
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
