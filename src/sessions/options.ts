import { hostname, tmpdir } from 'node:os'
import { z } from 'zod'
import type { ListenerErrorHandler } from '../events/index.js'
import { type Clock, type Ids, type Logger, type Random, silentLogger, systemClock, systemRandom } from '../runtime/index.js'
import type { Storage } from '../storage/storage.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import type { Display } from '../streaming/display.js'
import type { SessionView } from '../streaming/session-view.js'
import type { BrowserDriver } from './ports.js'

/** What the pool needs of a `StreamingSupervisor`. */
export interface SessionStreaming {
  /** Resolves to whether this call is the one that started it. */
  start(): Promise<boolean>
  stop(): Promise<void>
  startDisplay(params: {
    readonly organizationId: string
    readonly browserSessionId: string
    readonly viewport: { readonly width: number; readonly height: number } | null
    readonly signal?: AbortSignal
  }): Promise<Display>
  stopDisplay(params: { readonly browserSessionId: string }): Promise<unknown>
  /** Hands over the view of a session's pages; the returned function takes it back. */
  registerView(browserSessionId: string, view: SessionView): () => void
  /** Tells every viewer that the session has ended. */
  endViewers(browserSessionId: string): unknown
}

const port = <T>(what: string, method: keyof T & string) =>
  z.custom<T>((value) => typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[method] === 'function', {
    error: `expected ${what}, an object with the method ${method}()`,
  })
const id = z.string().min(1)

/** Options of a pool, with their defaults. */
export const sessionPoolOptionsSchema = z.strictObject({
  /** Where the rows of the sessions live. The pool opens it and never closes it. */
  storage: port<Storage>('a Storage', 'commit'),
  /** What launches browsers, for example `PlaywrightDriver`. */
  driver: port<BrowserDriver>('a BrowserDriver', 'launch'),
  /** Gives each headed browser a display of its own. Without it there is no live view. */
  streaming: port<SessionStreaming>('a StreamingSupervisor', 'startDisplay').optional(),
  /** Organisation of every call that names none. */
  organizationId: id.optional(),
  /** @default the host's clock */
  clock: port<Clock>('a Clock', 'setTimer').default(() => systemClock),
  /** @default ULIDs with a prefix */
  ids: port<Ids>('Ids', 'next').optional(),
  /** @default the host's cryptographic source */
  random: port<Random>('a Random', 'fraction').default(() => systemRandom),
  /** @default silent */
  logger: port<Logger>('a Logger', 'warn').default(() => silentLogger),
  /** Names this process; unique over all that share the storage. @default a new id */
  hostId: id.optional(),
  /** Names the machine on which hosts can see each other's processes. @default the machine's host name */
  machineId: id.default(() => hostname()),
  /** Browsers of this host at the same time, those that start or end included. @default 10 */
  maxSessions: z.number().int().min(1).default(10),
  /** How long a lease lives without a heartbeat (every third of it), in milliseconds. @default 30_000 */
  leaseTtlMs: z.number().int().min(1_000).default(30_000),
  /** Limit of a browser's launch, in milliseconds. @default 30_000 */
  launchTimeoutMs: z.number().int().min(1).default(30_000),
  /** Limit of loading a session's `url` before it is handed out, in milliseconds. @default 15_000 */
  openTimeoutMs: z.number().int().min(1).default(15_000),
  /** Limit of a clean close, after which the browser is killed, in milliseconds. @default 5_000 */
  closeTimeoutMs: z.number().int().min(1).default(5_000),
  /** How often lapsed leases and expired sessions are looked for (jittered by a tenth), in milliseconds. @default 5_000 */
  reapIntervalMs: z.number().int().min(1).default(5_000),
  /** Whether browsers run without a window. @default false when `streaming` is given, else true */
  headless: z.boolean().optional(),
  /** Folder in which the sessions' own folders are made. @default the system's folder for temporary files */
  baseDirectory: z
    .string()
    .min(1)
    .default(() => tmpdir()),
  /** Hears of listeners that throw. */
  onListenerError: z.custom<ListenerErrorHandler>((value) => typeof value === 'function').optional(),
})

/** Options of {@link SessionPool}. */
export type SessionPoolOptions = z.input<typeof sessionPoolOptionsSchema>
/** The same with every default filled in. */
export type SessionPoolSettings = z.output<typeof sessionPoolOptionsSchema> & {
  readonly ids: Ids
  readonly hostId: string
  readonly headless: boolean
}

const signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, { error: 'expected an AbortSignal' })
const runnable = z.strictObject({ runnableType: id, runnableId: id })
const organizationId = id.optional()
const minutes = (least: number) => z.number().min(least).max(1_440)

/** Arguments of `create`. */
export const createSessionSchema = z.strictObject({
  organizationId,
  /** How long the session lives unless it is renewed or held; 5 to 1,440. @default 60 */
  timeoutMinutes: minutes(5).default(60),
  /** Opened before the session is handed out; http, https, about or data. */
  url: z
    .string()
    .regex(/^(https?:\/\/|about:|data:)/i, { error: 'expected an http, https, about or data URL' })
    .optional(),
  /** Size of the pages; null: as large as the window. @default null */
  viewport: z
    .strictObject({ width: z.number().int().min(100).max(7_680), height: z.number().int().min(100).max(4_320) })
    .nullable()
    .default(null),
  /** @default 'chromium' */
  browserType: z.enum(['chromium', 'chrome', 'msedge']).default('chromium'),
  /** Made for one holder, to be closed with it. @default false */
  private: z.boolean().default(false),
  /** Overrides the pool's own. */
  headless: z.boolean().optional(),
  /** An abort before the browser answers ends the session as `failed`; later it does nothing. */
  signal: signal.optional(),
})
/** Arguments of {@link SessionPool.create}. */
export type CreateSessionParams = z.input<typeof createSessionSchema>

/** Arguments of `createOccupied`: a session that is born with a holder. */
export const createOccupiedSchema = createSessionSchema.extend({ runnable, requestId: id.optional() })
/** Arguments of {@link SessionPool.createOccupied}. */
export type CreateOccupiedSessionParams = z.input<typeof createOccupiedSchema>

export const occupySchema = z.strictObject({
  organizationId,
  browserSessionId: id,
  runnableType: id,
  runnableId: id,
  /** The same runnable asking again with the same id gets its own lease back; without one it is refused. */
  requestId: id.optional(),
  /** Ends the wait for a launch in progress; a lease that is already being written is given back. */
  signal: signal.optional(),
})
/** Arguments of {@link SessionPool.occupy}. */
export type OccupySessionParams = z.input<typeof occupySchema>

/** Names a session. */
export const sessionRefSchema = z.strictObject({ organizationId, browserSessionId: id })

/** Arguments of `events`. */
export const sessionEventsSchema = sessionRefSchema.extend({ after: z.number().int().min(0).optional(), signal: signal.optional() })

export const renewSchema = z.strictObject({ organizationId, browserSessionId: id, minutes: minutes(1).optional() })
/** Arguments of {@link SessionPool.renew}. */
export type RenewSessionParams = z.input<typeof renewSchema>

export const CLOSE_REASONS = [
  'released',
  'idle_ttl',
  'max_age',
  'max_uses',
  'crashed',
  'disconnected',
  'lease_expired',
  'launch_failed',
  'probe_failed',
  'tainted',
  'drained',
  'shutdown',
  'policy_violation',
  'orphan',
  'user',
  'expired',
] as const satisfies readonly CloseReason[]

export const RELEASE_OUTCOMES = ['ok', 'tainted', 'broken'] as const
/** How a holder leaves a session: `tainted` and `broken` ones never go back into use. */
export type ReleaseOutcome = (typeof RELEASE_OUTCOMES)[number]

export const listSchema = z.strictObject({
  organizationId,
  status: z.array(z.enum(['created', 'running', 'retry', 'completed', 'failed', 'timeout'])).optional(),
  /** Whether sessions made for one run are listed too. @default false */
  includePrivate: z.boolean().default(false),
  /** Id of the last session of the page before. */
  after: id.optional(),
  /** 1 to 1,000. @default 100 */
  limit: z.number().int().min(1).max(1_000).default(100),
})
/** Arguments of {@link SessionPool.list}. */
export type ListSessionsParams = z.input<typeof listSchema>

/** A lease, as far as it identifies its holder. */
export interface LeaseRef {
  readonly token: string
  readonly fence: number
}

export const closeSchema = z.strictObject({
  organizationId,
  browserSessionId: id,
  /** @default 'user' */
  reason: z.enum(CLOSE_REASONS).default('user'),
  /** Ends the lease of whoever holds the session, its signal first. @default false */
  force: z.boolean().default(false),
  /** The caller's own lease: its holder may close without force. It counts as released then. */
  lease: z
    .custom<LeaseRef>((value) => typeof (value as LeaseRef | null)?.token === 'string', { error: 'expected a SessionLease' })
    .optional(),
})
/** Arguments of {@link SessionPool.close}. */
export type CloseSessionParams = z.input<typeof closeSchema>

/** Which session, and whose. */
export interface SessionRef {
  readonly organizationId?: string | undefined
  readonly browserSessionId: string
}

export interface SessionEventsParams extends SessionRef {
  /** Only events with a greater `seq`. @default 0 */
  readonly after?: number
  /** Ends the iteration with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}
