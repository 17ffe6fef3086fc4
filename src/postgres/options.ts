import { z } from 'zod'
import { type Clock, systemClock } from '../runtime/index.js'
import type { PgliteLike } from './from-pglite.js'
import type { PgPoolLike } from './pg-types.js'

const has = (value: unknown, ...methods: readonly string[]) =>
  typeof value === 'object' && value !== null && methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')

/** Options of a {@link PostgresStorage}, with their defaults. Exactly one of `pool`, `connectionString` and `pglite` is given. */
export const postgresStorageOptionsSchema = z
  .strictObject({
    /** A `Pool` of `pg` (version 8); the storage uses it and never ends it. One of its connections is kept for notifications. */
    pool: z
      .custom<PgPoolLike>((value) => has(value, 'connect', 'on', 'end'), {
        error: 'expected a Pool of pg, an object with the method connect()',
      })
      .optional(),
    /** Address of a Postgres (14 or later), as `postgres://user:password@host:port/database`; the storage makes a pool of its own. */
    connectionString: z.string().min(1).optional(),
    /** PGlite: a directory, `memory://`, or an instance, which the storage uses and never closes. */
    pglite: z
      .union([
        z.string().min(1),
        z.custom<PgliteLike>((value) => has(value, 'query', 'exec', 'transaction', 'listen'), {
          error: 'expected a directory or an instance of PGlite',
        }),
      ])
      .optional(),
    /** Schema that holds the tables: letters, digits and underscores. */
    schema: z.string().default('runwright'),
    /** What `open()` does about the schema: bring it up to date, only test it, or neither. */
    migrate: z.union([z.literal('auto'), z.literal('verify'), z.literal(false)]).default('auto'),
    /** Whether processes tell each other of commits by NOTIFY; otherwise they only look every `pollMs`. */
    notify: z.boolean().default(true),
    /** How often subscribers are woken for what no notification told, in milliseconds. */
    pollMs: z.number().int().min(100).max(60_000).default(1_500),
    /** Connections of a pool of our own. */
    maxConnections: z.number().int().min(2).max(1_000).default(10),
    /** Whether statements that recur are prepared. Behind a pooler that cannot carry that, the storage notices and stops by itself. */
    prepare: z.boolean().default(true),
    /** Timers and time-outs; the time of leases and events is always the database's. */
    clock: z.custom<Clock>((value) => has(value, 'setTimer'), { error: 'expected a Clock' }).default(() => systemClock),
  })
  .refine((options) => [options.pool, options.connectionString, options.pglite].filter((way) => way !== undefined).length === 1, {
    error: 'expected exactly one of pool, connectionString and pglite',
  })

/** Options of a {@link PostgresStorage}. */
export type PostgresStorageOptions = z.input<typeof postgresStorageOptionsSchema>
export type PostgresStorageSettings = z.output<typeof postgresStorageOptionsSchema>
