import pg from 'pg'
import type { PostgresStorage } from '../../src/postgres/index.js'
import type { ContractStorage } from '../../src/testing/index.js'

let schemas = 0
/** A schema that no other test has, on a server that may outlive the tests. */
export const freshSchema = (): string => `t${process.pid}_${(schemas++).toString(36)}_${Math.floor(performance.now()).toString(36)}`

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

export interface SchemaFixture extends ContractStorage {
  readonly schema: string
}

/** A storage in a schema of its own, removed afterwards; `query` is a way to the database past the storage. */
export function schemaFixture(make: (schema: string) => PostgresStorage, query: (text: string) => Promise<unknown>): SchemaFixture {
  const schema = freshSchema()
  const cleanup = () => query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
  return { schema, storage: make(schema), another: () => make(schema), cleanup }
}

/** What a second reader finds in a schema, with the manifest's column names. */
export async function inspectSchema(
  schema: string,
  what: { readonly table: string } | { readonly stream: string },
  query: (text: string, values?: unknown[]) => Promise<{ rows: Record<string, unknown>[] }>,
): Promise<Record<string, unknown>[]> {
  const { rows } =
    'table' in what
      ? await query(`SELECT * FROM "${schema}"."${snakeCase(what.table)}"`)
      : await query(`SELECT * FROM "${schema}".events WHERE stream = $1`, [what.stream])
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [camelCase(name), value])))
}

/** A pool whose own errors are of no interest: servers are killed under it. */
export function quietPool(connectionString: string, options: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString, ...options })
  pool.on('error', () => {})
  return pool
}
