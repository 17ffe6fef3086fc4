import { bool, floatOrNull, instant, instantOrNull, int, intOrNull, jsonOrNull, table, text, textOrNull } from '../columns.js'

/** Status of a session. */
export type SessionStatus = 'created' | 'running' | 'retry' | 'completed' | 'failed' | 'timeout'
/** Why a session ended. */
export type CloseReason =
  | 'released'
  | 'idle_ttl'
  | 'max_age'
  | 'max_uses'
  | 'crashed'
  | 'disconnected'
  | 'lease_expired'
  | 'launch_failed'
  | 'probe_failed'
  | 'tainted'
  | 'drained'
  | 'shutdown'
  | 'policy_violation'
  | 'orphan'
  | 'user'
  | 'expired'

/** A persistent browser session, or a run's private browser. Every write is a conditional one of the pool (or of the commit that ends a run). */
export const browserSessions = table({
  primaryKey: 'browserSessionId',
  columns: {
    browserSessionId: text(),
    organizationId: text(),
    status: text<SessionStatus>(),
    /** Made for one run, closed with it. */
    private: bool(),
    /** Its DevTools port is open on loopback. */
    attachable: bool(),
    /** It outlives its host. */
    detached: bool(),
    /** What kind of thing holds it, e.g. `workflow_run`; null: free. */
    runnableType: textOrNull(),
    runnableId: textOrNull(),
    /** Secret of the present lease; null: free. */
    leaseToken: textOrNull(),
    /** One more with each occupation; a write with an older one changes nothing. */
    leaseFence: int(),
    /** The host that renews the lease. */
    leaseHolder: textOrNull(),
    /** Id given by the caller of `occupy`, so that asking again gives its own lease back. */
    leaseRequestId: textOrNull(),
    /** When the present lease was taken. */
    leaseSince: instantOrNull(),
    /** By the storage's clock. */
    leaseExpiresAt: instantOrNull(),
    /** The host whose browser this is. */
    hostId: textOrNull(),
    machineId: textOrNull(),
    /** The host says "alive" until here, by the storage's clock. */
    hostLeaseExpiresAt: instantOrNull(),
    /** Process id of the browser; null until launched. */
    pid: intOrNull(),
    /** Start time of that process in clock ticks since boot, so that a recycled pid is not mistaken for it. */
    pidStartTime: textOrNull(),
    /** DevTools address of an attachable or attached browser; null for one over a pipe. */
    browserAddress: textOrNull(),
    /** Null: headless, the live view is unavailable. */
    displayBackend: textOrNull(),
    displayNumber: intOrNull(),
    displayDir: textOrNull(),
    /** Why there is no display although one was wanted; null where there is one. */
    displayUnavailableReason: textOrNull(),
    vncPort: intOrNull(),
    guarded: bool(),
    /** Who has mouse and keyboard. */
    interactor: text<'agent' | 'user'>(),
    timeoutMinutes: floatOrNull(),
    startedAt: instantOrNull(),
    /** When it ends unless it is renewed or held. */
    expiresAt: instantOrNull(),
    /** Last end of a lease, or the start. */
    lastActivityAt: instantOrNull(),
    /** Occupations so far. */
    uses: int(),
    completedAt: instantOrNull(),
    closeReason: textOrNull<CloseReason>(),
    browserType: text<'chromium' | 'chrome' | 'msedge'>(),
    proxyLocation: textOrNull(),
    browserProfileId: textOrNull(),
    /** Opened when the browser started. */
    url: textOrNull(),
    viewport: jsonOrNull<{ width: number; height: number }>(),
    createdAt: instant(),
    modifiedAt: instant(),
  },
  indexes: [['organizationId', 'createdAt'], ['hostId', 'status'], ['runnableId'], ['status', 'expiresAt']],
})
