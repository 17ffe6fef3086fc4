import { z } from 'zod'
import { parseArgument } from '../errors/index.js'
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
  const parsed = parseArgument(supervisorOptionsSchema, options, 'StreamingSupervisor')
  const ids = parsed.ids ?? createIds({ clock: parsed.clock, random: parsed.random })
  return { ...parsed, storage: guardStorage(parsed.storage), ids, hostId: parsed.hostId ?? ids.next('host') }
}
