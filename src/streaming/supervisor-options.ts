import { z } from 'zod'
import { InvalidArgumentError } from '../errors/index.js'
import type { ListenerErrorHandler } from '../events/index.js'
import {
  type Clock,
  createIds,
  type Ids,
  type Logger,
  type ProcessRunner,
  type Random,
  silentLogger,
  systemClock,
  systemProcessRunner,
  systemRandom,
} from '../runtime/index.js'
import { guardStorage, type Storage } from '../storage/index.js'
import type { DisplayBackend } from './display.js'

/** How a {@link StreamingSupervisor} is put together. Only `storage` must be given. */
export interface StreamingSupervisorOptions {
  /** Where sessions, view tokens and events live; the one that the session pool uses. Opened by `start`, closed by its owner. */
  readonly storage: Storage
  /** Ways of making displays, in order of preference. @default [new XvncBackend()] */
  readonly backends?: readonly DisplayBackend[] | undefined
  /** For hosts that serve one organization: calls need not name it. @default null */
  readonly organizationId?: string | null | undefined
  /** Path below which live views are mounted in the host's server. @default '/runwright' */
  readonly basePath?: string | undefined
  /** Origins beside the server's own whose pages may open a live view, e.g. `https://app.example.com`. @default [] */
  readonly allowedOrigins?: readonly string[] | undefined
  /** Viewers of one session on this host, 1 to 100. @default 8 */
  readonly maxViewersPerSession?: number | undefined
  /** Name of this host in what it leaves on disk. @default a new id */
  readonly hostId?: string | undefined
  readonly clock?: Clock | undefined
  readonly ids?: Ids | undefined
  readonly random?: Random | undefined
  readonly logger?: Logger | undefined
  readonly processRunner?: ProcessRunner | undefined
  /** Told when a listener of an event throws. */
  readonly onListenerError?: ListenerErrorHandler | undefined
}

const instance = <T>(expected: string, method: keyof T & string) =>
  z.custom<T>((value) => typeof (value as Partial<T> | null | undefined)?.[method] === 'function', { error: `expected ${expected}` })

const basePath = z
  .string()
  .regex(/^(\/[A-Za-z0-9._~-]+)*$/, 'expected a path such as /runwright: it begins with a slash and does not end with one')

export const supervisorOptionsSchema = z.strictObject({
  storage: instance<Storage>('a Storage', 'commit'),
  backends: z.array(instance<DisplayBackend>('a DisplayBackend', 'probe')).readonly().optional(),
  organizationId: z.string().min(1).nullable().default(null),
  basePath: basePath.default('/runwright'),
  allowedOrigins: z.array(z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin)).default([]),
  maxViewersPerSession: z.number().int().min(1).max(100).default(8),
  hostId: z.string().min(1).optional(),
  clock: instance<Clock>('a Clock', 'now').default(systemClock),
  ids: instance<Ids>('an Ids', 'next').optional(),
  random: instance<Random>('a Random', 'bytes').default(systemRandom),
  logger: instance<Logger>('a Logger', 'info').default(silentLogger),
  processRunner: instance<ProcessRunner>('a ProcessRunner', 'spawn').default(systemProcessRunner),
  onListenerError: z.custom<ListenerErrorHandler>((value) => typeof value === 'function').optional(),
})

export type ResolvedSupervisorOptions = ReturnType<typeof parseSupervisorOptions>

/** Fills in the defaults. @throws {InvalidArgumentError} that names the first option that does not fit. */
export function parseSupervisorOptions(options: StreamingSupervisorOptions) {
  const parsed = supervisorOptionsSchema.safeParse(options)
  if (!parsed.success) throw invalid('StreamingSupervisor', parsed.error)
  const ids = parsed.data.ids ?? createIds({ clock: parsed.data.clock, random: parsed.data.random })
  return { ...parsed.data, storage: guardStorage(parsed.data.storage), ids, hostId: parsed.data.hostId ?? ids.next('host') }
}

/** Arguments as the schema reads them. @throws {InvalidArgumentError} that names the first one that does not fit. */
export function check<T>(what: string, schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw invalid(what, parsed.error)
  return parsed.data
}

function invalid(what: string, error: z.ZodError): InvalidArgumentError {
  const [issue] = error.issues
  const path = issue?.path.join('.') || (issue?.code === 'unrecognized_keys' ? issue.keys.join(', ') : 'options')
  return new InvalidArgumentError(`${what}: ${path}: ${issue?.message ?? 'invalid'}`, { path, expected: issue?.message ?? 'a valid value' })
}
