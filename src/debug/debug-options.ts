import { z } from 'zod'
import type { StartRunParams } from '../engine/index.js'
import type { Json } from '../errors/index.js'
import type { ListenerErrorHandler } from '../events/index.js'
import { type Clock, type Ids, type Logger, silentLogger, systemClock } from '../runtime/index.js'
import type { CreateSessionParams } from '../sessions/index.js'
import type { Storage } from '../storage/index.js'
import type { DebugEngine, DebugPool } from './debug-ports.js'

const port = <T>(what: string, method: keyof T & string) =>
  z.custom<T>((value) => typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[method] === 'function', {
    error: `expected ${what}, an object with the method ${method}()`,
  })

/** What the browsers of debug sessions are like: what `create` of the pool takes, but for what a debug session decides itself. */
export type DebugBrowserOptions = Omit<CreateSessionParams, 'organizationId' | 'timeoutMinutes' | 'private' | 'signal'>

/** Options of debug sessions, with their defaults. */
export const debugSessionsOptionsSchema = z.strictObject({
  /** Where the rows live: the storage of the engine and of the pool. Not opened, nor closed. */
  storage: port<Storage>('a Storage', 'commit'),
  /** What runs the blocks. */
  engine: port<DebugEngine>('a WorkflowEngine', 'startBlockRun'),
  /** What makes the browsers. */
  sessions: port<DebugPool>('a SessionPool', 'create'),
  /** Organisation of every call that names none. */
  organizationId: z.string().min(1).optional(),
  /** How long the browser of a debug session lives after the last `getOrCreate` or `runBlocks`, in minutes; 5 to 1,440. */
  debugTimeoutMinutes: z.number().min(5).max(1_440).default(240),
  /**
   * What the browsers are like. The workflow's proxy and headers are taken where this names none; a browser is `guarded` when the workflow
   * has a policy, and has no idle time-out, unless this says otherwise. An engine with a policy for all wants `{ guarded: true }`.
   */
  browser: z.custom<DebugBrowserOptions>((value) => typeof value === 'object' && value !== null, { error: 'expected options' }).default({}),
  clock: port<Clock>('a Clock', 'setTimer').default(() => systemClock),
  ids: port<Ids>('Ids', 'next').optional(),
  logger: port<Logger>('a Logger', 'warn').default(() => silentLogger),
  /** Hears of listeners that throw. */
  onListenerError: z.custom<ListenerErrorHandler>((value) => typeof value === 'function', { error: 'expected a function' }).optional(),
})
/** Options of {@link DebugSessions}. */
export type DebugSessionsOptions = z.input<typeof debugSessionsOptionsSchema>
/** The same with every default filled in. */
export type DebugSettings = Omit<z.output<typeof debugSessionsOptionsSchema>, 'ids'> & { readonly ids: Ids }

const organizationId = z.string().min(1).optional()
const id = z.string().min(1)
/** Checked by the engine. */
const passed = <K extends keyof StartRunParams>() => z.custom<StartRunParams[K]>(() => true).optional()

/** Arguments of `getOrCreate` and `recreate`. */
export const debugPlaceSchema = z.strictObject({
  organizationId,
  /** Who edits: the host's own name. */
  userId: id.max(500),
  workflowPermanentId: id,
})
/** Who edits which workflow. */
export type DebugPlaceParams = z.input<typeof debugPlaceSchema>

/** Names a debug session. */
export const debugSessionRefSchema = z.strictObject({ organizationId, debugSessionId: id })
/** Names a debug session. */
export type DebugSessionRef = z.input<typeof debugSessionRefSchema>

/** Arguments of `runBlocks`, with their defaults. */
export const runBlocksSchema = z.strictObject({
  organizationId,
  debugSessionId: id,
  /** The blocks to run, in this order, as a plain list; those in loops may be named, too. The finally block runs after them all the same. */
  labels: z.array(z.string()).min(1, { error: 'expected at least one label' }),
  /** The newest version of the workflow when left out. */
  version: z.number().int().min(1).optional(),
  /** Values of the workflow's parameters by key. */
  parameters: z.record(z.string(), z.unknown()).default({}),
  /** Outputs of blocks that are not run, by label; for the others, what `blockOutputs()` gives is taken. */
  blockOutputs: z.record(z.string(), z.json() as unknown as z.ZodType<Json>).default({}),
  /** Waits for the browser while a run is still on it, at most so many milliseconds, instead of being refused. */
  wait: z.strictObject({ timeoutMs: z.number().int().min(1).max(86_400_000) }).optional(),
  /** The following ones are those of `startRun`. */
  maxSteps: passed<'maxSteps'>(),
  priority: passed<'priority'>(),
  requestId: passed<'requestId'>(),
  runMetadata: passed<'runMetadata'>(),
  scopePolicy: passed<'scopePolicy'>(),
  totpIdentifier: passed<'totpIdentifier'>(),
  webhookCallbackUrl: passed<'webhookCallbackUrl'>(),
})
/** Arguments of {@link DebugSessions.runBlocks}. */
export type RunBlocksParams = z.input<typeof runBlocksSchema>
export type RunBlocksRequest = z.output<typeof runBlocksSchema>

/** Arguments of `blockOutputs`. */
export const blockOutputsSchema = debugPlaceSchema.extend({
  /** Whose blocks; the newest when left out. */
  version: z.number().int().min(1).optional(),
})
/** Arguments of {@link DebugSessions.blockOutputs}. */
export type BlockOutputsParams = z.input<typeof blockOutputsSchema>

/** Arguments of `runs`. */
export const debugRunsSchema = debugSessionRefSchema.extend({
  /** Keyset paging: `blockRunId` of the last one of the page before. */
  after: id.optional(),
  limit: z.number().int().min(1).max(1_000).default(50),
})
/** Arguments of {@link DebugSessions.runs}. */
export type DebugRunsParams = z.input<typeof debugRunsSchema>
