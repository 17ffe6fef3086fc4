import { createHash } from 'node:crypto'
import { InvalidArgumentError } from '../errors/index.js'
import type { TableMeta } from '../storage/table-meta.js'

/** Postgres cuts longer names off, and would then take two of them for one. */
const MAX_NAME_BYTES = 63

/**
 * Checks the name of a schema: letters, digits and underscores. Anything that would have to be escaped is refused, so that no statement,
 * dump or script of a host meets it.
 * @throws {InvalidArgumentError} `INVALID_ARGUMENT`
 */
export function checkSchemaName(schema: string): string {
  const expected = `letters, digits and underscores, at most ${MAX_NAME_BYTES}, not beginning with a digit or "pg_"`
  const fits = /^[A-Za-z_][A-Za-z0-9_]*$/.test(schema) && schema.length <= MAX_NAME_BYTES
  if (fits && !/^pg_/i.test(schema) && schema.toLowerCase() !== 'information_schema') return schema
  const details = { path: 'schema', expected, received: JSON.stringify(schema.slice(0, 80)) }
  throw new InvalidArgumentError(`The schema ${details.received} does not fit: expected ${expected}`, details)
}

/** An identifier in quotes. */
export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A text constant in quotes, the same under every setting of `standard_conforming_strings`. */
export const quoteLiteral = (text: string): string =>
  text.includes('\\') ? `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`

/** `workflowRunId` → `workflow_run_id`: as people write columns in psql. */
export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const columnNames = new Map<string, string>()

/** The quoted name of a column of the manifest. */
export function columnName(name: string): string {
  const known = columnNames.get(name)
  if (known !== undefined) return known
  const quoted = quote(snakeCase(name))
  columnNames.set(name, quoted)
  return quoted
}

/** Names of one schema, qualified and quoted. */
export class Names {
  readonly schema: string
  readonly streams: string
  readonly events: string
  readonly migrations: string
  /** Channel of notifications: one a schema. */
  readonly channel: string
  /** Key of the advisory lock under which the schema is changed. */
  readonly lockKey: bigint
  readonly #tables = new Map<string, string>()

  constructor(schema: string) {
    this.schema = checkSchemaName(schema)
    this.streams = this.of('streams')
    this.events = this.of('events')
    this.migrations = this.of('migrations')
    const digest = createHash('sha256').update(`runwright:${schema}`).digest()
    this.channel = `runwright_${digest.toString('hex', 0, 8)}`
    this.lockKey = digest.readBigInt64BE(8)
  }

  of(relation: string): string {
    return `${quote(this.schema)}.${quote(relation)}`
  }

  table(meta: TableMeta): string {
    const known = this.#tables.get(meta.name)
    if (known !== undefined) return known
    const name = this.of(meta.name)
    this.#tables.set(meta.name, name)
    return name
  }
}
