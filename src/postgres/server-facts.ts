import { storageError } from './failures.js'
import type { Queryable } from './port.js'

const OLDEST_SERVER = 140_000

/** Collations by which `lower()` knows every script, best first. The first is of Postgres 18, the second of builds with ICU, the third of 17. */
const lowerCollations = ['pg_unicode_fast', 'und-x-icu', 'pg_c_utf8'] as const

/**
 * Looks at the server once: whether it is new enough, and how it can tell letters' cases.
 * @throws {StorageError} `STORAGE_FAILED` for a server before Postgres 14 or a database that is not in UTF-8
 */
export async function readServerFacts(connection: Queryable): Promise<{ readonly lowerCollation: string }> {
  const text = `SELECT current_setting('server_version_num'), current_setting('server_version'), getdatabaseencoding()::text, (SELECT string_agg(collname, ',') FROM pg_catalog.pg_collation WHERE collnamespace = 'pg_catalog'::regnamespace AND collencoding IN (-1, 6))`
  const [facts] = await connection.query({ text, values: [] })
  const [versionNumber, version, encoding, collations] = facts ?? []
  if (Number(versionNumber) < OLDEST_SERVER) {
    throw storageError('STORAGE_FAILED', `Postgres ${version} is too old: 14 or later is needed`, {
      details: { received: version ?? null },
    })
  }
  if (encoding !== 'UTF8') {
    throw storageError('STORAGE_FAILED', `The database is encoded in ${encoding}: UTF8 is needed`, {
      details: { received: encoding ?? null },
    })
  }
  const known = new Set(collations?.split(','))
  const best = lowerCollations.find((collation) => known.has(collation)) ?? 'default'
  return { lowerCollation: `pg_catalog."${best}"` }
}
