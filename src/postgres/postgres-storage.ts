import { parseArgument } from '../errors/index.js'
import { Lifecycle, systemRandom } from '../runtime/index.js'
import type {
  CommitResult,
  FindParams,
  Row,
  Storage,
  StorageCapabilities,
  StoredEvent,
  TableName,
  Wake,
  Where,
  Write,
} from '../storage/index.js'
import { tableMeta } from '../storage/table-meta.js'
import { wakesOf } from './commit-result.js'
import { Committer } from './committer.js'
import { storageError, toStorageError } from './failures.js'
import { makePort } from './make-port.js'
import { migrate } from './migrate.js'
import { Names } from './names.js'
import { Notifier } from './notify.js'
import { type PostgresStorageOptions, type PostgresStorageSettings, postgresStorageOptionsSchema } from './options.js'
import { decodeEvent } from './outcome.js'
import type { OwnedPort, Statement, TextRow } from './port.js'
import { type AnyFind, compileCount, compileFind, compileGet, compileNowQuery, compileReadEvents, type Dialect } from './queries.js'
import { retryRead } from './retry.js'
import { readServerFacts } from './server-facts.js'
import { decodeInstant, decodeRow } from './values.js'
import type { AnyWhere } from './where.js'

/**
 * Rows and events in Postgres (14 or later), or in PGlite, which is Postgres inside of this process.
 *
 * @example
 * const storage = new PostgresStorage({ connectionString: 'postgres://localhost/app' })
 * @example
 * const storage = new PostgresStorage({ pglite: './data/runwright' })
 */
export class PostgresStorage implements Storage {
  readonly capabilities: StorageCapabilities
  readonly #settings: PostgresStorageSettings
  readonly #names: Names
  readonly #port: OwnedPort
  readonly #notifier: Notifier
  readonly #lifecycle: Lifecycle
  #opened: { readonly dialect: Dialect; readonly committer: Committer } | undefined

  /** @throws {InvalidArgumentError} `INVALID_ARGUMENT` where the options do not fit */
  constructor(options: PostgresStorageOptions) {
    const settings = parseArgument(postgresStorageOptionsSchema, options, 'PostgresStorage')
    this.#settings = settings
    this.#names = new Names(settings.schema)
    this.#port = makePort(settings)
    const { isDurable: durable, isShared: shared, canListen } = this.#port
    const isTelling = settings.notify && canListen
    // a database of this process alone needs no telling: its own commits wake at once
    this.capabilities = { durable, shared, notify: settings.notify && (canListen || !shared) }
    const { clock, pollMs } = settings
    this.#notifier = new Notifier({ port: this.#port, channel: this.#names.channel, isTelling, pollMs, clock, random: systemRandom })
    this.#lifecycle = new Lifecycle({ start: () => this.#open(), stop: () => this.#close() })
  }

  /**
   * Connects, looks at the server, and brings the schema up to date as `migrate` says.
   * @throws {DependencyMissingError} `DEPENDENCY_MISSING` where `pg` or PGlite is not installed
   * @throws {StorageError} `STORAGE_SCHEMA_NEWER`, `STORAGE_MIGRATION_MISSING`, `STORAGE_LOCKED`, `STORAGE_UNAVAILABLE`
   */
  async open(): Promise<void> {
    await this.#lifecycle.start()
  }

  close(): Promise<void> {
    return this.#lifecycle.stop()
  }

  async now(): Promise<Date> {
    const [row] = await this.#read('now()', compileNowQuery)
    return decodeInstant(row?.[0] ?? '')
  }

  async get<T extends TableName>(table: T, id: string): Promise<Row<T> | undefined> {
    const [row] = await this.#read('get()', (dialect) => compileGet(dialect, table, id))
    return row?.[0] == null ? undefined : (decodeRow(tableMeta(table), row[0]) as Row<T>)
  }

  async find<T extends TableName>(params: FindParams<T>): Promise<Row<T>[]> {
    const rows = await this.#read('find()', (dialect) => compileFind(dialect, params as unknown as AnyFind))
    const meta = tableMeta(params.table)
    return rows.map(([text]) => decodeRow(meta, text ?? '') as Row<T>)
  }

  async count<T extends TableName>(table: T, where?: Where<Row<T>>): Promise<number> {
    const [row] = await this.#read('count()', (dialect) => compileCount(dialect, table, where as AnyWhere | undefined))
    return Number(row?.[0])
  }

  async commit(batch: readonly Write[]): Promise<CommitResult> {
    const { committer } = this.#running('commit()')
    try {
      const result = await committer.commit(batch)
      if (result.ok) this.#notifier.committed(wakesOf(batch, result))
      return result
    } catch (failure) {
      throw toStorageError(failure, 'commit()')
    }
  }

  async readEvents(params: { readonly stream: string; readonly after?: number; readonly limit?: number }): Promise<StoredEvent[]> {
    const { stream, after = 0, limit = 1_000 } = params
    const rows = await this.#read('readEvents()', (dialect) => compileReadEvents(dialect, stream, after, limit))
    return rows.map(([text]) => decodeEvent(stream, text ?? ''))
  }

  async subscribe(onWake: (wake: Wake) => void): Promise<() => Promise<void>> {
    this.#running('subscribe()')
    const unsubscribe = await this.#notifier.subscribe(onWake)
    return async () => unsubscribe()
  }

  async #open(): Promise<void> {
    try {
      await this.#port.open()
      await this.#prepare().catch(async (error: unknown) => {
        await this.#port.close()
        throw error
      })
    } catch (failure) {
      throw toStorageError(failure, 'open()')
    }
  }

  async #prepare(): Promise<void> {
    const { clock, migrate: mode } = this.#settings
    const port = this.#port
    const tools = { clock, random: systemRandom }
    const { lowerCollation } = await retryRead(tools, () => readServerFacts(port))
    await retryRead(tools, () => migrate(port, this.#names, mode)) // a transaction that failed left nothing behind
    const dialect = { names: this.#names, lowerCollation }
    this.#opened = { dialect, committer: new Committer({ port, dialect, ...tools }) }
    this.#notifier.open()
  }

  async #close(): Promise<void> {
    this.#opened = undefined
    try {
      await this.#notifier.close()
    } finally {
      await this.#port.close()
    }
  }

  async #read(doing: string, compile: (dialect: Dialect) => Statement): Promise<readonly TextRow[]> {
    const { dialect } = this.#running(doing)
    const statement = compile(dialect)
    try {
      return await retryRead({ clock: this.#settings.clock, random: systemRandom }, () => this.#port.query(statement))
    } catch (failure) {
      throw toStorageError(failure, doing)
    }
  }

  #running(doing: string) {
    if (this.#opened !== undefined) return this.#opened
    throw storageError('STORAGE_CLOSED', `The storage is not open: ${doing} comes after open() and before close()`, {
      details: { call: doing },
    })
  }
}
