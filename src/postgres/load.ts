import { DependencyMissingError } from '../errors/index.js'
import type { PgliteLike } from './from-pglite.js'
import type { PgPoolLike } from './pg-types.js'

export interface CreatePoolParams {
  readonly connectionString: string
  readonly maxConnections: number
}

/**
 * A pool of our own. `pg` is loaded on first use, so that importing this entry never fails.
 * @throws {DependencyMissingError} `DEPENDENCY_MISSING` when the optional peer is not installed
 */
export async function createPool(params: CreatePoolParams): Promise<PgPoolLike> {
  const { Pool } = await loadPg()
  return new Pool({
    connectionString: params.connectionString,
    max: params.maxConnections,
    application_name: 'runwright',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  })
}

async function loadPg() {
  try {
    const module = await import('pg')
    return module.default
  } catch (cause) {
    throw new DependencyMissingError('pg', 'PostgresStorage with a connectionString', cause)
  }
}

/**
 * PGlite on a directory, or in memory.
 * @throws {DependencyMissingError} `DEPENDENCY_MISSING` when the optional peer is not installed
 */
export async function createPglite(directory: string | undefined): Promise<PgliteLike> {
  const { PGlite } = await loadPglite()
  const database = new PGlite(directory ?? 'memory://')
  await database.waitReady
  return database
}

async function loadPglite() {
  try {
    return await import('@electric-sql/pglite')
  } catch (cause) {
    throw new DependencyMissingError('@electric-sql/pglite', 'PostgresStorage with pglite', cause)
  }
}
