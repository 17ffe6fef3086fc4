import { createHash } from 'node:crypto'
import { isMissingTable, storageError } from './failures.js'
import { CLIENT_VERSION, type Migration, migrations } from './migrations/index.js'
import { type Names, quoteLiteral } from './names.js'
import type { Queryable } from './port.js'

/** What the database says it has. */
export interface LedgerEntry {
  readonly number: number
  readonly minimumClient: number
  readonly checksum: string
}

export const ledgerStatement = (names: Names): string => `CREATE TABLE IF NOT EXISTS ${names.migrations} (
  number integer NOT NULL,
  name text NOT NULL,
  checksum text NOT NULL,
  minimum_client integer NOT NULL,
  applied_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT "migrations_pkey" PRIMARY KEY (number)
)`

export const entryStatement = (names: Names, migration: Migration): string => {
  const { number, name, minimumClient } = migration
  const values = [number, quoteLiteral(name), quoteLiteral(checksumOf(migration, names)), minimumClient]
  return `INSERT INTO ${names.migrations} (number, name, checksum, minimum_client) VALUES (${values.join(', ')})`
}

/** The same for every schema name. */
export function checksumOf(migration: Migration, names: Names): string {
  const text = migration.statements(names).join(';\n').replaceAll(`"${names.schema}".`, '')
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** The steps that were applied, in order; none where there is no ledger. */
export async function readLedger(connection: Queryable, names: Names): Promise<readonly LedgerEntry[]> {
  const text = `SELECT number::text, minimum_client::text, checksum FROM ${names.migrations} ORDER BY number`
  try {
    const rows = await connection.query({ text, values: [] })
    return rows.map(([number, minimumClient, checksum]) => {
      return { number: Number(number), minimumClient: Number(minimumClient), checksum: checksum ?? '' }
    })
  } catch (error) {
    if (isMissingTable(error)) return []
    throw error
  }
}

/**
 * The steps that are still to be applied.
 * @throws {StorageError} `STORAGE_SCHEMA_NEWER` where the schema wants a newer client; `STORAGE_MIGRATION_MISSING` where a step was
 * applied in another form
 */
export function pendingMigrations(ledger: readonly LedgerEntry[], names: Names): readonly Migration[] {
  const schemaVersion = Math.max(0, ...ledger.map(({ number }) => number))
  const minimumClient = Math.max(0, ...ledger.map((entry) => entry.minimumClient))
  if (minimumClient > CLIENT_VERSION) {
    throw storageError(
      'STORAGE_SCHEMA_NEWER',
      `The schema "${names.schema}" is of version ${schemaVersion} and wants clients of version ${minimumClient} or later; this one is of version ${CLIENT_VERSION}. Update runwright`,
      { details: { schema: names.schema, schemaVersion, minimumClient, clientVersion: CLIENT_VERSION } },
    )
  }
  const applied = new Map(ledger.map((entry) => [entry.number, entry]))
  for (const migration of migrations) {
    const entry = applied.get(migration.number)
    if (entry === undefined || entry.checksum === checksumOf(migration, names)) continue
    throw storageError(
      'STORAGE_MIGRATION_MISSING',
      `The schema "${names.schema}" was made by an unreleased state of migration ${migration.number} (${migration.name}); drop the schema or take another one`,
      { details: { schema: names.schema, migration: migration.number, expected: checksumOf(migration, names), received: entry.checksum } },
    )
  }
  return migrations.filter(({ number }) => !applied.has(number))
}
