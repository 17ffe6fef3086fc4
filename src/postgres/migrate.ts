import { storageError } from './failures.js'
import { entryStatement, ledgerStatement, pendingMigrations, readLedger } from './ledger.js'
import { CLIENT_VERSION, migrations } from './migrations/index.js'
import { Names, quote } from './names.js'
import type { Port, Queryable } from './port.js'

/** What `open()` does about the schema. */
export type MigrateMode = 'auto' | 'verify' | false

/**
 * Brings the schema up to date, or tests that it is.
 * @throws {StorageError} `STORAGE_SCHEMA_NEWER`, `STORAGE_MIGRATION_MISSING`
 */
export async function migrate(port: Port, names: Names, mode: MigrateMode): Promise<void> {
  if (mode === false) return
  const pending = pendingMigrations(await readLedger(port, names), names)
  if (pending.length === 0) return
  if (mode === 'verify') {
    throw storageError(
      'STORAGE_MIGRATION_MISSING',
      `The schema "${names.schema}" lacks migration ${pending.map(({ number }) => number).join(', ')}; apply migrationSql(${JSON.stringify(names.schema)}), or open it once with migrate: 'auto'`,
      { details: { schema: names.schema, missing: pending.map(({ number }) => number), clientVersion: CLIENT_VERSION } },
    )
  }
  await port.tx((connection) => applyPending(connection, names))
}

/** Under the lock, so that of many processes one does it and the others find it done. */
async function applyPending(connection: Queryable, names: Names): Promise<void> {
  await connection.query({ text: `SELECT pg_advisory_xact_lock($1::text::bigint)::text`, values: [String(names.lockKey)] })
  const exists = await connection.query({ text: 'SELECT (to_regnamespace($1::text) IS NOT NULL)::text', values: [quote(names.schema)] })
  // asked first: creating a schema that exists takes a right on the database too
  if (exists[0]?.[0] !== 'true') await connection.exec(`CREATE SCHEMA ${quote(names.schema)}`)
  const hasLedger = await connection.query({ text: 'SELECT (to_regclass($1::text) IS NOT NULL)::text', values: [names.migrations] })
  if (hasLedger[0]?.[0] !== 'true') await connection.exec(ledgerStatement(names))
  for (const migration of pendingMigrations(await readLedger(connection, names), names)) {
    for (const statement of migration.statements(names)) await connection.exec(statement)
    await connection.exec(entryStatement(names, migration))
  }
}

/**
 * The script that makes the schema, for those who apply it by their own means and open the storage with `migrate: 'verify'`.
 *
 * @param schema name of the schema; default `runwright`
 * @param options.after number of the last migration that is applied already; default 0: an empty database
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT` for a schema name that does not fit
 * @example
 * const script = migrationSql('runwright')
 */
export function migrationSql(schema = 'runwright', options: { readonly after?: number } = {}): string {
  const names = new Names(schema)
  const steps = migrations.filter(({ number }) => number > (options.after ?? 0))
  const lines = steps.flatMap((migration) => [
    `-- migration ${migration.number}: ${migration.name}`,
    ...migration.statements(names),
    entryStatement(names, migration),
  ])
  const head = [
    'BEGIN',
    `SELECT pg_advisory_xact_lock(${names.lockKey})`,
    `CREATE SCHEMA IF NOT EXISTS ${quote(names.schema)}`,
    ledgerStatement(names),
  ]
  return `${[...head, ...lines, 'COMMIT'].map((line) => (line.startsWith('--') ? line : `${line};`)).join('\n')}\n`
}
