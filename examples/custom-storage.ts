// A storage on SQLite (through WASM, so that there is nothing to compile), in memory or in a file. It is written to be read:
// docs/writing-a-storage.md walks through it, and test/unit/examples/custom-storage.test.ts runs the contract suite on it.
import sqlite from 'node-sqlite3-wasm' // CommonJS: its names are members of the default export
import {
  type AnyRow,
  type Column,
  type CommitResult,
  type Computed,
  type Condition,
  type FindParams,
  type Row,
  type Storage,
  type StoredEvent,
  type TableName,
  tableOf,
  tables,
  type UniqueKey,
  type Wake,
  type Where,
  type Write,
} from 'runwright'

/** A row, a `set` or a condition of any table. */
type Values = Record<string, unknown>
type Cell = sqlite.SQLiteValue
type Order = readonly { readonly column: string; readonly direction?: 'asc' | 'desc' }[]
/** What one write did: the rows as they stand after it, or the events that it appended; or why it was refused. */
type Outcome = { readonly rows?: readonly Values[]; readonly events?: readonly StoredEvent[] } | Refused
type Appended = Extract<Write, { op: 'append' }>['events']
type Refused = Omit<Extract<CommitResult, { ok: false }>, 'ok' | 'index'>

/**
 * Rows and events in one SQLite database, for one process. Hand it to the facades as it is: they put the guard before it, so that it sees
 * whole rows, conditions as operators, total orders and explicit limits, and is never called before `open` or after `close`.
 */
export class SqliteStorage implements Storage {
  readonly capabilities: Storage['capabilities']
  readonly #file: string
  readonly #subscribers = new Set<{ readonly onWake: (wake: Wake) => void }>()
  #open: sqlite.Database | undefined

  /** @param options.file path of the database; in memory where there is none */
  constructor(options: { readonly file?: string } = {}) {
    this.#file = options.file ?? ':memory:'
    // not shared: SQLite in WASM locks the whole file, and a second process would wait or fail
    this.capabilities = { durable: options.file !== undefined, shared: false, notify: true }
  }

  async open(): Promise<void> {
    if (this.#open !== undefined) return
    const db = new sqlite.Database(this.#file) // SQLite itself folds the case of ASCII letters only
    db.function('contains_text', (text, part) => String(text).toLowerCase().includes(String(part).toLowerCase()), { deterministic: true })
    db.exec(`BEGIN IMMEDIATE; ${schemaSql()}; COMMIT`)
    for (const name of tableNames) addMissingColumns(db, name)
    this.#open = db
  }

  async close(): Promise<void> {
    this.#open?.close()
    this.#open = undefined
  }

  async now(): Promise<Date> {
    return new Date(this.#nowMs())
  }

  async get<T extends TableName>(table: T, id: string): Promise<Row<T> | undefined> {
    return this.#byId(table, id) as Row<T> | undefined
  }

  async find<T extends TableName>(params: FindParams<T>): Promise<Row<T>[]> {
    const { table, where, limit = 100, after } = params
    const orderBy = (params.orderBy ?? []) as Order
    const query = new Query(this.#nowMs())
    let conditions = query.where(where)
    if (after !== undefined) {
      const last = this.#byId(table, after)
      if (last === undefined) return [] // the row is gone, and with it its place in the order
      conditions += ` AND ${query.sortsAfter(orderBy, last)}`
    }
    const sql = `SELECT * FROM ${q(table)} WHERE ${conditions} ORDER BY ${orderSql(orderBy)} LIMIT ${limit}`
    return this.#select(table, sql, query.values) as Row<T>[]
  }

  async count<T extends TableName>(table: T, where?: Where<Row<T>>): Promise<number> {
    const query = new Query(this.#nowMs())
    return Number(this.#db.get(`SELECT count(*) AS n FROM ${q(table)} WHERE ${query.where(where)}`, query.values)?.n)
  }

  /**
   * All or nothing. Every call into this SQLite is synchronous, so that nothing comes between BEGIN and COMMIT and a row may be read
   * before it is written. On a database with writers beside you, lock the rows first, in one order, or put the conditions into the writes.
   */
  async commit(batch: readonly Write[]): Promise<CommitResult> {
    const rows: (readonly AnyRow[])[] = []
    const events: (readonly StoredEvent[])[] = []
    const taken = new Taken(batch)
    const wakes: Wake[] = []
    const nowMs = this.#nowMs() // one instant for the whole commit
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      for (const [index, write] of batch.entries()) {
        const outcome = this.#apply(write, taken, nowMs, wakes)
        if ('reason' in outcome) {
          this.#db.exec('ROLLBACK')
          return { ...outcome, ok: false, index }
        }
        rows.push((outcome.rows ?? []) as unknown as AnyRow[])
        events.push(outcome.events ?? [])
      }
      this.#db.exec('COMMIT')
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
    queueMicrotask(() => {
      for (const { onWake } of this.#subscribers) for (const wake of wakes) onWake(wake)
    })
    return { ok: true, rows, events }
  }

  async readEvents(params: { readonly stream: string; readonly after?: number; readonly limit?: number }): Promise<StoredEvent[]> {
    const { stream, after = 0, limit = 1_000 } = params
    const rows = this.#db.all('SELECT * FROM events WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ?', [stream, after, limit])
    return rows.map((row) => ({ ...row, at: new Date(Number(row.at)), payload: JSON.parse(String(row.payload)) }) as unknown as StoredEvent)
  }

  /** Wake-ups within this process. They may be lost or doubled: whoever waits asks again by itself. */
  async subscribe(onWake: (wake: Wake) => void): Promise<() => Promise<void>> {
    const subscriber = { onWake }
    this.#subscribers.add(subscriber)
    return async () => void this.#subscribers.delete(subscriber)
  }

  #apply(write: Write, taken: Taken, nowMs: number, wakes: Wake[]): Outcome {
    if ('stream' in write) {
      wakes.push({ stream: write.stream })
      if (write.op === 'append') return { events: this.#append(write.stream, write.events, nowMs) }
      this.#db.run('DELETE FROM events WHERE stream = ?', [write.stream])
      return {}
    }
    const { table } = write
    const put = (previous: Values | undefined, set: Values): Outcome => {
      const next = computed(table, set, previous, nowMs)
      const conflict = this.#conflictOf(table, next, previous === undefined)
      if (conflict !== undefined) return { reason: 'duplicate', ...conflict }
      this.#store(table, next)
      wakes.push({ table, id: idOf(table, next) })
      return { rows: [next] }
    }
    if (write.op === 'insert') return put(undefined, write.row)
    if (write.op === 'claim') {
      const wanted = { wheres: [write.where], notIn: taken.of(table), orderBy: write.orderBy as Order }
      const [row] = this.#matching(table, wanted, nowMs)
      if (row === undefined) return { reason: 'missing' }
      taken.of(table).add(idOf(table, row))
      return put(row, write.set)
    }
    if (write.op === 'updateAll') {
      const rows: Values[] = []
      for (const row of this.#rowsOfUpdateAll(write, taken, nowMs)) {
        const outcome = put(row, write.set)
        if ('reason' in outcome) return outcome
        rows.push(...(outcome.rows ?? []))
      }
      return { rows }
    }
    const present = this.#byId(table, write.id)
    if (present === undefined) return { reason: 'missing' }
    const [row] = this.#matching(table, { wheres: [write.where], id: write.id }, nowMs)
    if (row === undefined) return { reason: 'precondition', current: present as AnyRow }
    if (write.op === 'update') return put(row, write.set)
    this.#db.run(`DELETE FROM ${q(table)} WHERE ${q(tableOf(table).primaryKey)} = ?`, [write.id])
    wakes.push({ table, id: write.id })
    return {}
  }

  /** With `rows`, those whose own condition holds too; without, all but what the batch names or takes elsewhere. */
  #rowsOfUpdateAll(write: Extract<Write, { op: 'updateAll' }>, taken: Taken, nowMs: number): Values[] {
    const { table, where, rows } = write
    if (rows !== undefined) return rows.flatMap(({ id, where: own }) => this.#matching(table, { wheres: [where, own], id }, nowMs))
    const found = this.#matching(table, { wheres: [where], notIn: taken.of(table) }, nowMs)
    for (const row of found) taken.of(table).add(idOf(table, row))
    return found
  }

  /** Whole rows that meet the conditions of a write: the one of the id, or all but some. */
  #matching(table: TableName, wanted: { wheres: unknown[]; id?: string; notIn?: Set<string>; orderBy?: Order }, nowMs: number): Values[] {
    const query = new Query(nowMs)
    const conditions = wanted.wheres.map((where) => query.where(where))
    const key = q(tableOf(table).primaryKey)
    if (wanted.id !== undefined) conditions.push(`${key} = ${query.bind(wanted.id)}`)
    if (wanted.notIn !== undefined) conditions.push(`${key} NOT IN ${query.bindList([...wanted.notIn])}`)
    const end = wanted.orderBy === undefined ? '' : ` ORDER BY ${orderSql(wanted.orderBy)} LIMIT 1`
    return this.#select(table, `SELECT * FROM ${q(table)} WHERE ${conditions.join(' AND ')}${end}`, query.values)
  }

  /** The row that already holds a key of this one, and which key. The unique indexes would only say that there is one. */
  #conflictOf(table: TableName, next: Values, isNew: boolean): { constraint: string; current: AnyRow } | undefined {
    const { primaryKey, unique = [] } = tableOf(table)
    const present = isNew ? this.#byId(table, idOf(table, next)) : undefined
    if (present !== undefined) return { constraint: 'primary', current: present as AnyRow }
    for (const key of unique) {
      if (key.columns.some((column) => next[column] === null) || !isBound(key, next)) continue // null never collides
      const same = key.columns.map((column) => `${q(column)} = ?`)
      const conditions = [...same, ...boundSql(key), `${q(primaryKey)} <> ?`].join(' AND ')
      const values = [...key.columns, primaryKey].map((column) => toCell(next[column], tableOf(table).columns[column] as Column))
      const [holder] = this.#select(table, `SELECT * FROM ${q(table)} WHERE ${conditions}`, values)
      if (holder !== undefined) return { constraint: key.name, current: holder as AnyRow }
    }
    return undefined
  }

  #store(table: TableName, row: Values): void {
    const { columns, primaryKey } = tableOf(table)
    const names = Object.keys(columns)
    const set = names.map((name) => `${q(name)} = excluded.${q(name)}`)
    const sql = `INSERT INTO ${q(table)} (${names.map(q)}) VALUES (${names.map(() => '?')}) ON CONFLICT (${q(primaryKey)}) DO UPDATE SET ${set}`
    const values = names.map((name) => toCell(row[name], columns[name] as Column))
    this.#db.run(sql, values)
  }

  /** Numbers are allotted within the transaction: a refused batch leaves no gap. */
  #append(stream: string, events: Appended, nowMs: number): StoredEvent[] {
    const last = Number(this.#db.get('SELECT max(seq) AS seq FROM events WHERE stream = ?', [stream])?.seq ?? 0)
    return events.map(({ id, type, organizationId, payload }, index) => {
      const values = [stream, last + index + 1, id, type, organizationId, nowMs, JSON.stringify(payload)]
      this.#db.run('INSERT INTO events (stream, seq, id, type, "organizationId", at, payload) VALUES (?, ?, ?, ?, ?, ?, ?)', values)
      return { stream, seq: last + index + 1, id, type, organizationId, at: new Date(nowMs), payload }
    })
  }

  #byId(table: TableName, id: string): Values | undefined {
    return this.#select(table, `SELECT * FROM ${q(table)} WHERE ${q(tableOf(table).primaryKey)} = ?`, [id])[0]
  }

  #select(table: TableName, sql: string, values: Cell[]): Values[] {
    const columns = Object.entries(tableOf(table).columns)
    const toRow = (cells: Values) => Object.fromEntries(columns.map(([name, column]) => [name, fromCell(cells[name] as Cell, column)]))
    return this.#db.all(sql, values).map(toRow)
  }

  /** The database's clock, to the millisecond. */
  #nowMs(): number {
    return Number(this.#db.get("SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS ms")?.ms)
  }

  get #db(): sqlite.Database {
    if (this.#open === undefined) throw new Error('the database is not open')
    return this.#open
  }
}

/** Ids that a batch names, and those that its claims and updates of all took: no row is written twice. */
class Taken {
  readonly #ids = new Map<TableName, Set<string>>()

  constructor(batch: readonly Write[]) {
    for (const write of batch) {
      if (write.op === 'insert') this.of(write.table).add(idOf(write.table, write.row))
      else if (write.op === 'update' || write.op === 'delete') this.of(write.table).add(write.id)
      else if (write.op === 'updateAll') for (const { id } of write.rows ?? []) this.of(write.table).add(id)
    }
  }

  of(table: TableName): Set<string> {
    const ids = this.#ids.get(table) ?? new Set()
    this.#ids.set(table, ids)
    return ids
  }
}

const comparisons: Readonly<Record<string, string>> = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' }

/** Conditions as SQL, with the values that they bind in their order. */
class Query {
  readonly values: Cell[] = []
  readonly #nowMs: number

  constructor(nowMs: number) {
    this.#nowMs = nowMs
  }

  bind(value: unknown): string {
    this.values.push(isComputed(value) && value.compute === 'storageNow' ? this.#nowMs + value.plusMs : plainCell(value))
    return '?'
  }

  /** One parameter for a list of any length, since SQLite limits their number. */
  bindList(items: readonly unknown[]): string {
    return `(SELECT value FROM json_each(${this.bind(JSON.stringify(items.map(plainCell)))}))`
  }

  where(where: unknown): string {
    const parts = Object.entries((where ?? {}) as Values).map(([name, condition]) => {
      if (name !== 'any') return this.#column(q(name), condition as Condition)
      const alternatives = (condition as unknown[]).map((alternative) => `(${this.where(alternative)})`)
      return alternatives.length === 0 ? '0' : `(${alternatives.join(' OR ')})`
    })
    return parts.length === 0 ? '1' : parts.join(' AND ')
  }

  #column(column: string, condition: Condition): string {
    const parts = Object.entries(condition).map(([operator, operand]) => {
      if (operator === 'isNull') return `${column} IS ${operand === true ? '' : 'NOT '}NULL`
      if (operator === 'in') return `${column} IN ${this.bindList(operand as unknown[])}`
      if (operator === 'notIn') return `(${column} IS NOT NULL AND ${column} NOT IN ${this.bindList(operand as unknown[])})` // NULL is not in an empty list
      if (operator === 'contains') return `(${column} IS NOT NULL AND contains_text(${column}, ${this.bind(operand)}))`
      return `${column} ${comparisons[operator]} ${this.bind(operand)}`
    })
    return parts.join(' AND ')
  }

  /** Whether a row sorts after another: it is equal in the first columns, and after it in the next one. */
  sortsAfter(orderBy: Order, last: Values): string {
    const alternatives = orderBy.map(({ column, direction }, index) => {
      const equal = orderBy.slice(0, index).map((earlier) => `${q(earlier.column)} IS ${this.bind(last[earlier.column])}`)
      if (last[column] === null) return [...equal, '0'].join(' AND ') // nulls are last: nothing comes after one
      const beyond = `(${q(column)} ${direction === 'desc' ? '<' : '>'} ${this.bind(last[column])} OR ${q(column)} IS NULL)`
      return [...equal, beyond].join(' AND ')
    })
    return `(${alternatives.map((alternative) => `(${alternative})`).join(' OR ')})`
  }
}

/** The order of a query, nulls last in both directions. */
const orderSql = (orderBy: Order): string =>
  orderBy.map(({ column, direction = 'asc' }) => `${q(column)} IS NULL, ${q(column)} ${direction}`).join(', ') || '1'

/** The new values of a row, worked out. A JSON column holds plain values, whatever they look like. */
function computed(table: TableName, set: Values, previous: Values | undefined, nowMs: number): Values {
  const values = Object.entries(set).map(([name, value]) => {
    if (tableOf(table).columns[name]?.kind === 'json' || !isComputed(value)) return [name, value]
    if (value.compute === 'storageNow') return [name, new Date(nowMs + value.plusMs)]
    const present = previous?.[name] as number | null
    return [name, present === null ? null : present + value.by]
  })
  return { ...previous, ...Object.fromEntries(values) }
}

const isComputed = (value: unknown): value is Computed => typeof value === 'object' && value !== null && 'compute' in value
/** A unique key may bind only some rows: those whose columns have one of the values of its `where`. */
const bounds = ({ where = {} }: UniqueKey) =>
  Object.entries(where).map(([column, wanted]) => [column, [wanted].flat() as unknown[]] as const)
const boundSql = (key: UniqueKey): string[] =>
  bounds(key).map(([column, values]) => `(${values.map((value) => `${q(column)} IS ${literal(value)}`).join(' OR ')})`)
const isBound = (key: UniqueKey, row: Values): boolean => bounds(key).every(([column, values]) => values.includes(row[column]))

/** Tables, keys and indexes of the manifest, and the events. Names come from the manifest, never from a caller. */
function schemaSql(): string {
  const statements = tableNames.flatMap((name) => {
    const { primaryKey, columns, unique = [], indexes = [] } = tableOf(name)
    const columnsSql = Object.entries(columns).map(([column, { kind, nullable }]) => {
      return `${q(column)} ${typeOf[kind]}${column === primaryKey ? ' PRIMARY KEY' : ''}${nullable ? '' : ' NOT NULL'}`
    })
    return [
      `CREATE TABLE IF NOT EXISTS ${q(name)} (${columnsSql})`,
      ...unique.map((key) => {
        const where = key.where === undefined ? '' : ` WHERE ${boundSql(key).join(' AND ')}`
        return `CREATE UNIQUE INDEX IF NOT EXISTS ${q(key.name)} ON ${q(name)} (${key.columns.map(q)})${where}`
      }),
      ...indexes.map((index) => `CREATE INDEX IF NOT EXISTS ${q(`${name}_${index.join('_')}`)} ON ${q(name)} (${index.map(q)})`),
    ]
  })
  const events = 'stream TEXT, seq INTEGER, id TEXT, type TEXT, "organizationId" TEXT, at INTEGER, payload TEXT, PRIMARY KEY (stream, seq)'
  return [...statements, `CREATE TABLE IF NOT EXISTS events (${events}) WITHOUT ROWID`].join(';\n')
}

/** A later version of the library may bring columns. */
function addMissingColumns(db: sqlite.Database, table: TableName): void {
  const present = new Set(db.all(`PRAGMA table_info(${q(table)})`).map((column) => column.name))
  for (const [name, { kind, nullable }] of Object.entries(tableOf(table).columns)) {
    if (present.has(name)) continue
    const absent = kind === 'json' ? "'null'" : kind === 'text' ? "''" : '0'
    db.exec(`ALTER TABLE ${q(table)} ADD COLUMN ${q(name)} ${typeOf[kind]}${nullable ? '' : ` NOT NULL DEFAULT ${absent}`}`)
  }
}

const tableNames = Object.keys(tables) as TableName[]
const typeOf = { text: 'TEXT', int: 'INTEGER', float: 'REAL', bool: 'INTEGER', json: 'TEXT', instant: 'INTEGER' } as const
const q = (name: string): string => `"${name}"`
const literal = (value: unknown): string => (typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : `${value && Number(value)}`)
const idOf = (table: TableName, row: object): string => (row as Values)[tableOf(table).primaryKey] as string

/** A value as SQLite holds it: instants in milliseconds, JSON as text. */
const toCell = (value: unknown, { kind, nullable }: Column): Cell =>
  kind !== 'json' || (value === null && nullable) ? plainCell(value) : JSON.stringify(value)

function plainCell(value: unknown): Cell {
  if (value instanceof Date) return value.getTime()
  return typeof value === 'boolean' ? Number(value) : (value as Cell)
}

function fromCell(cell: Cell, { kind }: Column): unknown {
  if (cell === null) return null
  if (kind === 'json') return JSON.parse(String(cell))
  if (kind === 'instant') return new Date(Number(cell))
  if (kind === 'bool') return cell === 1
  return kind === 'text' ? cell : Number(cell)
}
