import { PglitePort } from './from-pglite.js'
import { PoolPort } from './from-pool.js'
import { createPglite, createPool } from './load.js'
import type { PostgresStorageSettings } from './options.js'
import { PgliteLock } from './pglite-lock.js'
import type { OwnedPort } from './port.js'

/** The port that the options ask for; nothing is loaded or connected before it is opened. */
export function makePort(settings: PostgresStorageSettings): OwnedPort {
  const { pool, connectionString, pglite, prepare, notify } = settings
  if (pool !== undefined) {
    // the connection of notifications must leave one for everything else
    const canListen = notify && (pool.options?.max ?? 2) >= 2
    return new PoolPort({ pool: async () => pool, isOwned: false, prepare, canListen })
  }
  if (connectionString !== undefined) {
    const { maxConnections } = settings
    return new PoolPort({ pool: () => createPool({ connectionString, maxConnections }), isOwned: true, prepare, canListen: notify })
  }
  if (typeof pglite === 'string') {
    const directory = directoryOf(pglite)
    const lock = directory === undefined ? undefined : new PgliteLock(directory)
    return new PglitePort({ directory, lock, database: () => createPglite(directory), isOwned: true })
  }
  if (pglite === undefined) throw new TypeError('unreachable: the options were checked')
  const directory = directoryOf(pglite.dataDir)
  const lock = directory === undefined ? undefined : PgliteLock.of(pglite, directory)
  return new PglitePort({ directory, lock, database: async () => pglite, isOwned: false })
}

/** PGlite's own spellings: `memory://…` or nothing is memory, `file://` may precede a path. */
function directoryOf(dataDir: string | undefined): string | undefined {
  if (dataDir === undefined || dataDir === '' || dataDir.startsWith('memory://')) return undefined
  return dataDir.replace(/^file:\/\//, '')
}
