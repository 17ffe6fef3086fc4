import { hostname, tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { ListenerErrorHandler } from '../events/index.js'
import { type Clock, type Ids, type Logger, type Random, silentLogger, systemClock, systemRandom } from '../runtime/index.js'
import type { ArtifactStore } from '../storage/artifacts/artifact-store.js'
import { MemoryArtifactStore } from '../storage/artifacts/memory-artifact-store.js'
import { givenText, isStorableText } from '../storage/given-text.js'
import type { Storage } from '../storage/storage.js'
import type { Display } from '../streaming/display.js'
import type { SessionView } from '../streaming/session-view.js'
import { browserOptionsShape } from './browser-options.js'
import type { Meter } from './meter.js'
import type { BrowserDriver, NetworkGuard, NetworkPolicy } from './ports.js'
import type { ProxyProvider } from './proxy-provider.js'
import { MAX_LIFETIME_MINUTES } from './renewal.js'
import type { SessionHook } from './session-hooks.js'

/** What the pool needs of a `StreamingSupervisor`. */
export interface SessionStreaming {
  /** Resolves to whether this call is the one that started it. */
  start(): Promise<boolean>
  stop(): Promise<void>
  startDisplay(params: {
    readonly organizationId?: string
    readonly browserSessionId: string
    readonly viewport: { readonly width: number; readonly height: number } | null
    readonly signal?: AbortSignal
    /** For a session that has no row yet, and is nobody's: `claimDisplay` follows when it has. */
    readonly isSpare?: boolean
    /** Whether it outlives this process, with the session. */
    readonly detached?: boolean
  }): Promise<Display>
  /** Takes over the display of a detached session whose host is gone. Left out: such a session goes on without a live view. */
  adoptDisplay?(params: { readonly organizationId: string; readonly browserSessionId: string }): Promise<Display>
  /** Lets go of a detached display: it runs on, and is nothing to this process. */
  leaveDisplay?(params: { readonly browserSessionId: string }): Promise<unknown>
  /** Ends the displays of sessions that have ended although their hosts were gone. */
  sweepDisplays?(): Promise<unknown>
  /** The display of a spare is that of a session from here on. */
  claimDisplay(params: { readonly organizationId: string; readonly browserSessionId: string }): Promise<unknown>
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
const id = givenText()
/** Node's timers take no more: they would fire at once. */
const MAX_TIMER_MS = 2_147_483_647
/** In milliseconds, up to 2,147,483,647 (24 days). */
const durationMs = (least: number) => z.number().int().min(least).max(MAX_TIMER_MS)
const idleMinutes = z.number().positive().max(1_440)
const hook = z.custom<SessionHook>((value) => typeof value === 'function', { error: 'expected a function' }).optional()
const recycleLimits = z
  .strictObject({
    maxUses: z.number().int().min(1).optional(),
    maxAgeMinutes: z.number().positive().optional(),
    maxMemoryMb: z.number().positive().optional(),
  })
  .optional()

/** Options of a pool, with their defaults. */
export const sessionPoolOptionsSchema = z.strictObject({
  /** Where the rows of the sessions live. The pool opens it and never closes it. */
  storage: port<Storage>('a Storage', 'commit'),
  /** What launches browsers, for example `PlaywrightDriver`. */
  driver: port<BrowserDriver>('a BrowserDriver', 'launch'),
  /** Gives each headed browser a display of its own. Without it there is no live view. */
  streaming: port<SessionStreaming>('a StreamingSupervisor', 'startDisplay').optional(),
  /** Stands between guarded browsers and the network; an engine brings one along. Without it, no session can be `guarded`. */
  networkGuard: port<NetworkGuard>('a NetworkGuard', 'open').optional(),
  /**
   * Where profiles, and what is kept and recorded of sessions, have their bytes; an engine on the same storage wants the same one.
   * @default in memory
   */
  artifacts: port<ArtifactStore>('an ArtifactStore', 'put').default(() => new MemoryArtifactStore()),
  /** What `proxyLocation` names. Without it, no session can have a proxy. */
  proxies: port<ProxyProvider>('a ProxyProvider', 'get').optional(),
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
  /** Browsers of this host at the same time, those that start or end and warm spares included. @default 10 */
  maxSessions: z.number().int().min(1).default(10),
  /** Sessions of one organisation at the same time over all hosts of the storage; every host should have the same. @default no limit */
  maxSessionsPerOrganization: z.number().int().min(1).max(10_000).optional(),
  /** Calls of `acquire` and of `occupy` with `wait` that may wait at the same time. @default 100 */
  maxQueue: z.number().int().min(0).default(100),
  /** How long an `acquire` may take, in milliseconds: waiting, launch and probe. @default 30_000 */
  acquireTimeoutMs: durationMs(1).default(30_000),
  /** Browsers that may be starting at the same time; the others wait for their turn. @default 8 */
  launchConcurrency: z.number().int().min(1).default(8),
  /** Browsers that are kept launched and clean for sessions to come, see {@link WarmOptions}. @default none */
  warm: z.lazy(() => warmOptionsSchema).optional(),
  /** How long a lease lives without a heartbeat (every third of it), in milliseconds. @default 30_000 */
  leaseTtlMs: durationMs(1_000).default(30_000),
  /** Limit of a browser's launch, in milliseconds. @default 30_000 */
  launchTimeoutMs: durationMs(1).default(30_000),
  /** Limit of loading a session's `url` before it is handed out, in milliseconds. @default 15_000 */
  openTimeoutMs: durationMs(1).default(15_000),
  /** Limit of a clean close, after which the browser is killed, in milliseconds. @default 5_000 */
  closeTimeoutMs: durationMs(1).default(5_000),
  /** How often lapsed leases and expired sessions are looked for (jittered by a tenth), in milliseconds. @default 5_000 */
  reapIntervalMs: durationMs(1).default(5_000),
  /** How long a session may live from its start, however often it is renewed, in minutes; a lease outlasts it. @default 1_440 */
  maxLifetimeMinutes: z.number().positive().max(525_600).default(MAX_LIFETIME_MINUTES),
  /** How long a session lives while nobody holds it, unless `create` says otherwise; in minutes. @default as long as its end allows */
  idleTimeoutMinutes: idleMinutes.optional(),
  /** Limit of the question whether a browser lives before it is handed out, in milliseconds. @default 2_000 */
  probeTimeoutMs: durationMs(1).default(2_000),
  /** Limit of sanitising a session, or of replacing its context, in milliseconds. @default 10_000 */
  sanitizeTimeoutMs: durationMs(1).default(10_000),
  /**
   * When contexts (tabs and caches; the profile stays) and browsers (the session ends) are replaced, between two leases; see
   * {@link RecycleOptions}. @default never
   */
  recycle: z.strictObject({ context: recycleLimits, browser: recycleLimits }).default({}),
  /** Called after a launch and before a close; see {@link SessionHooks}. */
  hooks: z.strictObject({ afterLaunch: hook, beforeClose: hook }).default({}),
  /** Limit of each hook, in milliseconds. @default 10_000 */
  hookTimeoutMs: durationMs(1).default(10_000),
  /** Where the pool's figures go, see `PoolMeter`; an OpenTelemetry meter as it is. */
  meter: port<Meter>('a Meter', 'createObservableGauge').optional(),
  /** Whether browsers run without a window. @default false when `streaming` is given, else true */
  headless: z.boolean().optional(),
  /** Folder in which the sessions' own folders are made. @default the system's folder for temporary files */
  baseDirectory: z
    .string()
    .min(1)
    .transform((path) => resolve(path))
    .default(() => tmpdir()),
  /** Hears of listeners that throw. */
  onListenerError: z.custom<ListenerErrorHandler>((value) => typeof value === 'function').optional(),
})

/** Options of {@link SessionPool}. */
export type SessionPoolOptions = z.input<typeof sessionPoolOptionsSchema>
/** The same, parsed: the defaults of the schema filled in. */
export type ParsedPoolOptions = z.output<typeof sessionPoolOptionsSchema>
/** The same with every default filled in. */
export type SessionPoolSettings = ParsedPoolOptions & {
  readonly ids: Ids
  readonly hostId: string
  readonly headless: boolean
}

const signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, { error: 'expected an AbortSignal' })
const runnable = z.strictObject({ runnableType: id, runnableId: id })
const organizationId = id.optional()
const networkPolicy = port<NetworkPolicy>('a NetworkPolicy', 'check').optional()
/** Fence of the runnable's own lease: the same runnable with a greater one takes the session over from itself at once. */
const runnableFence = z.number().int().min(0).optional()
const minutes = (least: number) => z.number().min(least).max(1_440)
const priority = z.number().int().min(-1_000_000).max(1_000_000)

/** Arguments of `create`. */
export const createSessionSchema = z.strictObject({
  organizationId,
  /** How long the session lives unless it is renewed or held; 5 to 1,440. @default 60 */
  timeoutMinutes: minutes(5).default(60),
  /** Opened before the session is handed out; http, https, about or data. */
  url: z
    .string()
    .regex(/^(https?:\/\/|about:|data:)/i, { error: 'expected an http, https, about or data URL' })
    .refine(isStorableText, { error: 'expected a text without NUL and lone surrogates' })
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
  /** Whether all that the browser sends passes the pool's network guard, so that leases can have policies. @default false */
  guarded: z.boolean().default(false),
  /** Overrides the pool's own. */
  headless: z.boolean().optional(),
  /**
   * How long the session lives while nobody holds it, in minutes; the time begins with its launch and with the end of each lease. Null:
   * as long as its end allows. @default the pool's `idleTimeoutMinutes`
   */
  idleTimeoutMinutes: idleMinutes.nullable().optional(),
  /**
   * What becomes of the session when its browser is lost. `relaunch`: a new one on the same profile, once the old one is gone for sure;
   * the lease is lost in any case, and the next holder finds the new browser. At most three in ten minutes. @default 'fail'
   */
  onBrowserLost: z.enum(['fail', 'relaunch']).default('fail'),
  /** Whose browser starts first when several wait for their turn: the higher. @default 0 */
  priority: priority.default(0),
  ...browserOptionsShape,
  /** An abort before the browser answers ends the session as `failed`; later it does nothing. */
  signal: signal.optional(),
})
/** Arguments of {@link SessionPool.create}. */
export type CreateSessionParams = z.input<typeof createSessionSchema>

/** Arguments of `createOccupied`: a session that is born with a holder. */
export const createOccupiedSchema = createSessionSchema.extend({
  runnable,
  runnableFence,
  requestId: id.optional(),
  /** What may be reached, from before the launch to the end of the lease; only with `guarded`. */
  networkPolicy,
  /**
   * DevTools address of a browser that runs already, http(s) or ws(s): the session attaches to it, without a display, and its end only
   * detaches. A policy is held to as far as that browser offers it. Not with `guarded`.
   */
  browserAddress: z
    .string()
    .regex(/^(https?|wss?):\/\//i, { error: 'expected an http, https, ws or wss address' })
    .optional(),
})
/** Arguments of {@link SessionPool.createOccupied}. */
export type CreateOccupiedSessionParams = z.input<typeof createOccupiedSchema>

/** What an {@link SessionPool.acquire} wants to have: the parameters of `create` that a session can be compared by. */
export const sessionSpecSchema = createSessionSchema.omit({ organizationId: true, private: true, priority: true, signal: true })

export type SessionSpec = z.output<typeof sessionSpecSchema>

/** Arguments of `acquire`. */
export const acquireSchema = z.strictObject({
  organizationId,
  runnableType: id,
  runnableId: id,
  runnableFence,
  /** The same runnable asking again with the same id, after it was given a lease, gets that lease back. */
  requestId: id.optional(),
  /**
   * What the browser must be like: sessions that were made with other parameters are not taken. `timeoutMinutes` and `url` are for a
   * session that has to be made; one that is taken over keeps its end and its pages. @default the defaults of `create`
   */
  spec: sessionSpecSchema.prefault({}),
  /** Prefers the session that was last given out under this key, and leaves those of other keys alone as long as there is a choice. */
  affinityKey: id.optional(),
  /** Whose turn comes first while several wait: the higher. @default 0 */
  priority: priority.default(0),
  /** For waiting, launch and probe together, in milliseconds. @default the pool's `acquireTimeoutMs` */
  timeoutMs: durationMs(1).optional(),
  /** What may be reached during the lease; everything without one. Needs `spec.guarded`. */
  networkPolicy,
  /** Ends the wait; what was under way for it is undone, or given back. */
  signal: signal.optional(),
})
/** Arguments of {@link SessionPool.acquire}. */
export type AcquireSessionParams = z.input<typeof acquireSchema>

/** Arguments of `use`: those of `occupy` for the session that they name, else those of `acquire`. */
export type UseSessionRequest = AcquireSessionParams | OccupySessionParams

/** What only a session, or an organisation, can have. */
const OF_A_SESSION = ['browserProfileId', 'proxyLocation', 'attachable', 'detached']

/** Warm spares. */
export const warmOptionsSchema = z.strictObject({
  /** Browsers that are kept ready, as far as `maxSessions` leaves room: 1 or more. */
  min: z.number().int().min(1),
  /** What they are like: a session made with equal parameters is given one. @default the defaults of `create` */
  spec: sessionSpecSchema
    .omit({ timeoutMinutes: true, url: true, idleTimeoutMinutes: true, onBrowserLost: true })
    .refine((spec: object) => OF_A_SESSION.every((name) => !Reflect.get(spec, name)), {
      error: `a spare is nobody’s so far: none of ${OF_A_SESSION.join(', ')}`,
    })
    .prefault({}),
  /** A spare that nobody has wanted for so long is replaced. @default 30 */
  maxAgeMinutes: z.number().positive().max(1_440).default(30),
})
/** Warm spares of a pool: launched, clean browsers without a session, so that `create` and `acquire` need not wait for a launch. */
export type WarmOptions = z.input<typeof warmOptionsSchema>

export const occupySchema = z.strictObject({
  organizationId,
  browserSessionId: id,
  runnableType: id,
  runnableId: id,
  /** The same runnable asking again with the same id gets its own lease back; without one it is refused. */
  requestId: id.optional(),
  /** Fence of the runnable's own lease: the same runnable with a greater one takes the session over from itself at once. */
  runnableFence,
  /** What may be reached during the lease; everything without one. The session must be `guarded`, or attached. */
  networkPolicy,
  /** Waits in line for a session that somebody holds, at most so many milliseconds, instead of failing at once. */
  wait: z.strictObject({ timeoutMs: durationMs(1) }).optional(),
  /** Whose turn comes first while several wait: the higher. @default 0 */
  priority: priority.default(0),
  /** Ends the wait in line, and for a launch in progress; a lease that is already being written is given back. */
  signal: signal.optional(),
})
/** Arguments of {@link SessionPool.occupy}. */
export type OccupySessionParams = z.input<typeof occupySchema>

/** Arguments of `drain`. */
export const drainSchema = z.strictObject({
  /** How long leases may go on, in milliseconds; then they are ended. @default 30_000 */
  timeoutMs: durationMs(0).default(30_000),
  /** Ends the waiting, as the deadline does. */
  signal: signal.optional(),
})
/** Arguments of {@link SessionPool.drain}. */
export type DrainParams = z.input<typeof drainSchema>

/** Arguments of `closeAll`. */
export const closeAllSchema = drainSchema.extend({ organizationId })
/** Arguments of {@link SessionPool.closeAll}. */
export type CloseAllSessionsParams = z.input<typeof closeAllSchema>

/** Names a session. */
export const sessionRefSchema = z.strictObject({ organizationId, browserSessionId: id })

/** Arguments of `events`. */
export const sessionEventsSchema = sessionRefSchema.extend({ after: z.number().int().min(0).optional(), signal: signal.optional() })

export const renewSchema = z.strictObject({ organizationId, browserSessionId: id, minutes: minutes(1).optional() })
/** Arguments of {@link SessionPool.renew}. */
export type RenewSessionParams = z.input<typeof renewSchema>

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
