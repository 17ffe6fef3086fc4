import type { Json } from '../errors/index.js'

/** How a column is stored. Instants are `Date` in rows, with a resolution of 1 ms. */
export type ColumnKind = 'text' | 'int' | 'float' | 'bool' | 'json' | 'instant'

/** One column of a table; the type parameter is the type of its value in a row, `null` included where the column is nullable. */
export interface Column<Value = unknown> {
  readonly kind: ColumnKind
  readonly nullable: boolean
  /** Carries the value's type; never set. */
  readonly __value?: Value
}

const column =
  <Default>(kind: ColumnKind) =>
  <Value extends Default = Default>(): Column<Value> => ({ kind, nullable: false })

const nullable =
  <Default>(kind: ColumnKind) =>
  <Value extends Default = Default>(): Column<Value | null> => ({ kind, nullable: true })

export const text = column<string>('text')
export const int = column<number>('int')
export const float = column<number>('float')
export const bool = column<boolean>('bool')
export const json = column<Json>('json')
export const instant = column<Date>('instant')
export const textOrNull = nullable<string>('text')
export const intOrNull = nullable<number>('int')
export const floatOrNull = nullable<number>('float')
export const boolOrNull = nullable<boolean>('bool')
export const jsonOrNull = nullable<Json>('json')
export const instantOrNull = nullable<Date>('instant')

/** A table as the manifest describes it. */
export interface Table<Columns extends Readonly<Record<string, Column>> = Readonly<Record<string, Column>>> {
  /** The one text column that identifies a row. */
  readonly primaryKey: keyof Columns & string
  readonly columns: Columns
  /** Unique keys beside the primary key; rows that do not meet `where` are not bound by it. Null values never collide. */
  readonly unique?: readonly UniqueKey<keyof Columns & string>[]
  /** Columns that adapters index together, in this order. */
  readonly indexes?: readonly (readonly (keyof Columns & string)[])[]
}

/** A unique key of a table beside its primary key. */
export interface UniqueKey<ColumnName extends string = string> {
  /** Stable name; a refused insert names it. */
  readonly name: string
  readonly columns: readonly ColumnName[]
  /** The key binds only rows whose columns equal (or are among) these values. */
  readonly where?: Readonly<Record<string, Json>>
}

export function table<const Columns extends Readonly<Record<string, Column>>>(definition: Table<Columns>): Table<Columns> {
  return definition
}

/** The row of a table. */
export type RowOf<T> =
  T extends Table<infer Columns> ? { -readonly [K in keyof Columns]: Columns[K] extends Column<infer V> ? V : never } : never
