import type { Json } from '../errors/index.js'
import { tableOf } from '../storage/index.js'
import { allTables, type TableMeta } from '../storage/table-meta.js'
import { claimIndexes } from './claim-indexes.js'
import { columnName, type Names, quote, quoteLiteral, snakeCase } from './names.js'

/** `json_build_array` takes no more arguments. */
const MAX_COLUMNS = 100

/** Every table of the manifest with its keys and indexes, and the tables of streams and events, as statements. */
export function schemaStatements(names: Names): string[] {
  const statements = [...allTables()].flatMap((meta) => tableStatements(names, meta))
  return [...statements, ...streamStatements(names)]
}

function tableStatements(names: Names, meta: TableMeta): string[] {
  if (meta.columns.length > MAX_COLUMNS) throw new RangeError(`Table ${meta.name} has more than ${MAX_COLUMNS} columns`)
  const columns = meta.columns.map(({ name, kind, nullable }) => {
    return `  ${columnName(name)} ${storedTypes[kind]}${nullable ? '' : ' NOT NULL'}`
  })
  const constraints = [
    '  commit_id uuid NOT NULL',
    `  CONSTRAINT ${quote(`${meta.name}_pkey`)} PRIMARY KEY (${columnName(meta.primaryKey)})`,
  ]
  const table = names.table(meta)
  return [
    // room in each page, so that an update that changes no indexed column stays in its page and out of the indexes
    `CREATE TABLE ${table} (\n${[...columns, ...constraints].join(',\n')}\n) WITH (fillfactor = 70)`,
    ...meta.unique.map((key) => {
      const binding = Object.entries(key.where ?? {}).map(([column, value]) => keyCondition(column, value))
      const where = binding.length === 0 ? '' : ` WHERE ${binding.join(' AND ')}`
      return `CREATE UNIQUE INDEX ${quote(key.name)} ON ${table} (${key.columns.map(columnName).join(', ')})${where}`
    }),
    ...(tableOf(meta.name).indexes ?? []).map((index) => {
      const name = [meta.name, ...index.map(snakeCase)].join('_').slice(0, 60)
      const [first = ''] = index
      // rows that have nothing there are never looked for by it
      const where = meta.byName.get(first)?.nullable === true ? ` WHERE ${columnName(first)} IS NOT NULL` : ''
      return `CREATE INDEX ${quote(name)} ON ${table} (${index.map(columnName).join(', ')})${where}`
    }),
    ...claimIndexStatements(names, meta),
  ]
}

function claimIndexStatements(names: Names, meta: TableMeta): string[] {
  const index = claimIndexes.get(meta.name)
  if (index === undefined) return []
  const columns = index.columns.map(({ column, direction }) => {
    if (direction !== 'desc') return columnName(column)
    return `${columnName(column)} DESC${meta.byName.get(column)?.nullable ? ' NULLS LAST' : ''}`
  })
  const values = index.where.values.map(quoteLiteral)
  const condition = `${columnName(index.where.column)} ${values.length === 1 ? `= ${values[0]}` : `IN (${values.join(', ')})`}`
  return [`CREATE INDEX ${quote(index.name)} ON ${names.table(meta)} (${columns.join(', ')}) WHERE ${condition}`]
}

/** Text sorts by code point whatever the database's collation; times are as fine as JavaScript's. */
const storedTypes = {
  text: 'text COLLATE "C"',
  int: 'bigint',
  float: 'double precision',
  bool: 'boolean',
  json: 'json',
  instant: 'timestamptz(3)',
} as const satisfies Record<TableMeta['columns'][number]['kind'], string>

function keyCondition(column: string, value: Json): string {
  const name = columnName(column)
  if (value === null) return `${name} IS NULL`
  if (Array.isArray(value)) return `${name} IN (${value.map(literal).join(', ')})`
  return `${name} = ${literal(value)}`
}

const literal = (value: Json): string => (typeof value === 'string' ? quoteLiteral(value) : String(value))

function streamStatements(names: Names): string[] {
  return [
    `CREATE TABLE ${names.streams} (
  stream text COLLATE "C" NOT NULL,
  last_seq bigint NOT NULL,
  CONSTRAINT "streams_pkey" PRIMARY KEY (stream)
) WITH (fillfactor = 70)`,
    `CREATE TABLE ${names.events} (
  stream text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  organization_id text COLLATE "C" NOT NULL,
  at timestamptz(3) NOT NULL,
  payload json NOT NULL,
  commit_id uuid NOT NULL,
  CONSTRAINT "events_pkey" PRIMARY KEY (stream, seq)
)`,
  ]
}
