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

/** A persistent browser session, or a run's private browser. Every write is a conditional one of the pool (or of a commit that ends a run, or that gives a debug session its browser). */
export const browserSessions = table({
  primaryKey: 'browserSessionId',
  columns: {
    /** This session; made by `create`. */
    browserSessionId: text(),
    /** Whose it is; written with the row and never changed. Every read of a public method has it as a condition. */
    organizationId: text(),
    /** Its place among the sessions that its organisation may have, from 0; taken with the row, null when it has ended or there is no limit. */
    organizationSlot: intOrNull(),
    /** Where the session is; written by compare-and-set only. */
    status: text<SessionStatus>(),
    /** Made for one run, closed with it. */
    private: bool(),
    /** Its DevTools port is open on loopback. */
    attachable: bool(),
    /** It outlives its host. */
    detached: bool(),
    /** What kind of thing holds it, e.g. `workflow_run`; null: free. */
    runnableType: textOrNull(),
    /** Id of what holds it; null: free. */
    runnableId: textOrNull(),
    /** Secret of the present lease; null: free. */
    leaseToken: textOrNull(),
    /** One more with each occupation; a write with an older one changes nothing. */
    leaseFence: int(),
    /** The host that renews the lease. */
    leaseHolder: textOrNull(),
    /** Id given by the caller of `occupy`, so that asking again gives its own lease back. */
    leaseRequestId: textOrNull(),
    /** Fence of the holder's own lease on what it runs: the same runnable with a greater one takes over at once; null: it has none. */
    runnableFence: intOrNull(),
    /** When the present lease was taken. */
    leaseSince: instantOrNull(),
    /** By the storage's clock. */
    leaseExpiresAt: instantOrNull(),
    /** The host whose browser this is. */
    hostId: textOrNull(),
    /** The machine on which `hostId` runs; null until launched. */
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
    /** Number of its X display; null: none. Written and cleared by the supervisor. */
    displayNumber: intOrNull(),
    /** The display's private folder; null: none. Written and cleared by the supervisor. */
    displayDir: textOrNull(),
    /** Why there is no display although one was wanted; null where there is one. */
    displayUnavailableReason: textOrNull(),
    /** Port of an exposed display; null: none. Not written so far. */
    vncPort: intOrNull(),
    /** Whether its traffic goes through the scope proxy; as `create` was given it. */
    guarded: bool(),
    /** Port of that proxy on loopback, so that an adopting host opens the same; null: none. */
    scopeProxyPort: intOrNull(),
    /** Who has mouse and keyboard. */
    interactor: text<'agent' | 'user'>(),
    /** How long it lives from its start unless renewed; as `create` was given it. */
    timeoutMinutes: floatOrNull(),
    /** When its browser answered; null until then. */
    startedAt: instantOrNull(),
    /** When it ends unless it is renewed or held. */
    expiresAt: instantOrNull(),
    /** Last activity of a holder, last end of a lease, or the start. */
    lastActivityAt: instantOrNull(),
    /** How long it lives while nobody holds it; as `create` was given it. Null: as long as its end allows. */
    idleTimeoutMinutes: floatOrNull(),
    /** When it ends unless somebody takes it; null while it is held, or without an idle time. */
    idleExpiresAt: instantOrNull(),
    /** Since when it takes no new holder; null: it does. It ends with its present lease. */
    retiredAt: instantOrNull(),
    /** Occupations so far. */
    uses: int(),
    /** When it ended; null until then. */
    completedAt: instantOrNull(),
    /** Why it ended; null until then. */
    closeReason: textOrNull<CloseReason>(),
    /** As `create` was given it. */
    browserType: text<'chromium' | 'chrome' | 'msedge'>(),
    /** Name of its proxy, as `create` was given it; null: none. */
    proxyLocation: textOrNull(),
    /** The profile that it was made from; null: none. */
    browserProfileId: textOrNull(),
    /** Opened when the browser started. */
    url: textOrNull(),
    /** Size of its pages; null: as large as the window. */
    viewport: jsonOrNull<{ width: number; height: number }>(),
    /** When the row was written, by the storage's clock. */
    createdAt: instant(),
    /** When the row was last written, by the storage's clock. */
    modifiedAt: instant(),
  },
  unique: [{ name: 'browser_sessions_organization_slot', columns: ['organizationId', 'organizationSlot'] }],
  indexes: [['organizationId', 'createdAt'], ['hostId', 'status'], ['runnableId'], ['status', 'expiresAt']],
})
