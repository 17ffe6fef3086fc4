import { MemoryStorage, type Storage } from 'runwright'
import { PostgresStorage } from 'runwright/postgres'
import { pglite } from '../quickstart.js'

export const STORAGES = ['pglite', 'memory', 'postgres'] as const
export type StorageName = (typeof STORAGES)[number]

/** A storage, what to call it, and what else ends with it. */
export interface ChosenStorage {
  readonly storage: Storage
  readonly description: string
  close(): Promise<void>
}

/** Makes the storage that the command line asks for. Postgres without an address is a server of its own, gone afterwards. */
export async function chooseStorage(name: StorageName, postgresUrl: string | undefined): Promise<ChosenStorage> {
  if (name === 'memory') return plain(new MemoryStorage(), 'in memory: gone afterwards')
  if (name === 'pglite') return plain(pglite(), 'PGlite in .quickstart/data, made at the first use')
  if (postgresUrl !== undefined) return plain(new PostgresStorage({ connectionString: postgresUrl }), 'the Postgres of --postgres-url')
  const { startPostgres } = await import('../../test/support/postgres-server.js')
  const server = await startPostgres()
  const storage = new PostgresStorage({ connectionString: server.connectionString })
  return {
    storage,
    description: `a Postgres server of its own on port ${server.port}: gone afterwards (--postgres-url names yours)`,
    close: async () => {
      await storage.close()
      await server.stop()
    },
  }
}

const plain = (storage: Storage, description: string): ChosenStorage => ({ storage, description, close: () => storage.close() })
