import type { ColumnMeta, TableMeta } from '../storage/table-meta.js'

/** How each kind of column is stored. JSON keeps its text, so that keys come back in their order and numbers as they were written. */
export const typeOf = {
  text: 'text',
  int: 'bigint',
  float: 'double precision',
  bool: 'boolean',
  json: 'json',
  instant: 'timestamptz',
} as const satisfies Record<ColumnMeta['kind'], string>

/** A value as the text of its parameter. */
export function encodeValue(column: ColumnMeta, value: unknown): string | null {
  if (column.kind === 'json') return value === null && column.nullable ? null : JSON.stringify(value)
  if (value === null || value === undefined) return null
  if (column.kind === 'instant') return encodeInstant(value as Date)
  if (column.kind === 'float' && Object.is(value, -0)) return '-0'
  return String(value)
}

const LAST_PLAIN_MS = 253_402_300_799_999 // the end of year 9999

/** ISO 8601 as Postgres reads it: years beyond 9999 without sign, those before the year 1 with "BC". */
function encodeInstant(instant: Date): string {
  const iso = instant.toISOString()
  const year = instant.getUTCFullYear()
  if (instant.getTime() <= LAST_PLAIN_MS && year > 0) return iso
  const rest = iso.slice(iso.indexOf('-', 1))
  return year > 0 ? `${year}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`
}

/** The elements of an array parameter, as the text of an array. */
export function encodeArray(items: readonly (string | null)[]): string {
  let text = '{'
  for (const [index, item] of items.entries()) {
    if (index > 0) text += ','
    text += item === null ? 'NULL' : `"${/["\\]/.test(item) ? item.replace(/["\\]/g, '\\$&') : item}"`
  }
  return `${text}}`
}

/** The row of a table from the text of its JSON array, in the manifest's order. Numbers that the database sent as text end here. */
export function decodeRow(meta: TableMeta, text: string): Record<string, unknown> {
  const values = JSON.parse(text) as unknown[]
  const row: Record<string, unknown> = { ...meta.emptyRow }
  const { columns } = meta
  for (let index = 0; index < columns.length; index++) {
    const column = columns[index] as ColumnMeta
    const value = values[index]
    row[column.name] = column.kind === 'instant' && value !== null ? decodeInstant(value as string) : value
  }
  return row
}

const isoWithOddities = /^(\d+)-(\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?( BC)?$/

/** A time as JSON of Postgres writes it, in whatever time zone the connection has. */
export function decodeInstant(text: string): Date {
  const plain = Date.parse(text)
  if (!Number.isNaN(plain)) return new Date(plain)
  const parts = isoWithOddities.exec(text)
  if (parts === null) return new Date(Number.NaN)
  const [, digits = '', monthAndDay, time, fraction = '0', sign, hours = '0', minutes = '0', seconds = '0', bc] = parts
  const year = bc === undefined ? Number(digits) : 1 - Number(digits)
  const yearText = `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}`
  const local = Date.parse(`${yearText}-${monthAndDay}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}Z`)
  const offset = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000
  return new Date(sign === '-' ? local + offset : local - offset)
}

/** Collects the parameters of a statement. */
export class Params {
  readonly values: (string | null)[] = []

  /** Adds a value; gives the expression that stands for it, of the given type. */
  add(value: string | null, type: string): string {
    this.values.push(value)
    return type === 'text' ? `$${this.values.length}::text` : `$${this.values.length}::text::${type}`
  }

  addArray(values: readonly (string | null)[], type: string): string {
    return this.add(encodeArray(values), `${type}[]`)
  }
}
