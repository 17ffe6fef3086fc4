import { StorageError } from '../errors/index.js'
import type { ColumnKind, Table, UniqueKey } from './columns.js'
import { type TableName, tableOf, tables } from './schema.js'

/** A column with its name, as adapters walk over them. */
export interface ColumnMeta {
  readonly name: string
  readonly kind: ColumnKind
  readonly nullable: boolean
}

/** A table of the manifest, prepared once for quick look-ups. */
export interface TableMeta {
  readonly name: TableName
  readonly primaryKey: string
  /** In the manifest's order. */
  readonly columns: readonly ColumnMeta[]
  readonly byName: ReadonlyMap<string, ColumnMeta>
  /** Columns whose values are objects, and so have to be copied. */
  readonly objectColumns: readonly string[]
  readonly unique: readonly UniqueKey[]
  /** First columns of indexes and unique keys: those that equality look-ups go through. */
  readonly lookupColumns: readonly string[]
  /** A row with every column null; spreading it gives rows of one hidden class. */
  readonly emptyRow: Readonly<Record<string, unknown>>
}

/** Prepares a table description; `tableMeta` does it for those of the manifest, once. */
export function describeTable(name: string, table: Table): TableMeta {
  const columns = Object.entries(table.columns).map(([columnName, { kind, nullable }]) => ({ name: columnName, kind, nullable }))
  const unique = table.unique ?? []
  const firsts = [...unique.map((key) => key.columns[0]), ...(table.indexes ?? []).map((index) => index[0])]
  return {
    name: name as TableName,
    primaryKey: table.primaryKey,
    columns,
    byName: new Map(columns.map((column) => [column.name, column])),
    objectColumns: columns.filter(({ kind }) => kind === 'json' || kind === 'instant').map((column) => column.name),
    unique,
    lookupColumns: [...new Set(firsts.filter((column) => column !== undefined && column !== table.primaryKey))] as string[],
    // parsed, because an object that is filled key by key becomes a slow dictionary
    emptyRow: JSON.parse(JSON.stringify(Object.fromEntries(columns.map((column) => [column.name, null])))) as Record<string, null>,
  }
}

const metas = new Map<string, TableMeta>(Object.keys(tables).map((name) => [name, describeTable(name, tableOf(name as TableName))]))

/**
 * The prepared description of a table of the manifest.
 * @throws {StorageError} `STORAGE_INVALID_QUERY` for a name that the manifest does not hold.
 */
export function tableMeta(name: string): TableMeta {
  const meta = metas.get(name)
  if (meta !== undefined) return meta
  throw new StorageError(`No table "${String(name)}"; known tables: ${[...metas.keys()].join(', ')}`, {
    code: 'STORAGE_INVALID_QUERY',
    details: { table: String(name), expected: [...metas.keys()] },
  })
}

/** Every table of the manifest. */
export const allTables = (): Iterable<TableMeta> => metas.values()

/**
 * A column of a table.
 * @throws {StorageError} `STORAGE_INVALID_QUERY` for a name that the table does not hold.
 */
export function columnOf(meta: TableMeta, name: string): ColumnMeta {
  const column = meta.byName.get(name)
  if (column !== undefined) return column
  throw new StorageError(`Table ${meta.name} has no column "${name}"`, {
    code: 'STORAGE_INVALID_QUERY',
    details: { table: meta.name, column: name, expected: [...meta.byName.keys()] },
  })
}
