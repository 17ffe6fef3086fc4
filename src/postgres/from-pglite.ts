import { notifyStatement } from './from-pool.js'
import type { PgliteLock } from './pglite-lock.js'
import { type Channel, type ListenParams, type OwnedPort, PortFailure, type Queryable, type Statement, type TextRow } from './port.js'

/** What is used of PGlite, inside of a transaction or outside. */
export interface PgliteQueryableLike {
  // biome-ignore lint/suspicious/noExplicitAny: rows are of the caller's type in PGlite's own types
  query(text: string, values?: any[], options?: any): Promise<{ rows: any[] }>
  exec(script: string): Promise<unknown>
}

/** What is used of an instance of PGlite. */
export interface PgliteLike extends PgliteQueryableLike {
  // biome-ignore lint/suspicious/noExplicitAny: PGlite's transactions carry more than is used here
  transaction<T>(work: (transaction: any) => Promise<T>): Promise<T>
  listen(channel: string, onMessage: (payload: string) => void): Promise<() => Promise<void>>
  close(): Promise<void>
  readonly waitReady: Promise<void>
  readonly dataDir?: string | undefined
}

export interface FromPgliteOptions {
  /** Its directory; undefined: in memory. */
  readonly directory: string | undefined
  readonly lock: PgliteLock | undefined
  /** Gives the instance; called by `open()`, after the directory is locked. */
  readonly database: () => Promise<PgliteLike>
  /** Whether `close()` closes it. */
  readonly isOwned: boolean
}

/** The port over PGlite: Postgres in this process, with one connection. */
export class PglitePort implements OwnedPort {
  readonly isDurable: boolean
  readonly isShared = false
  /** Other storages over the same instance may listen; over one of our own there are none. */
  readonly canListen: boolean
  readonly #options: FromPgliteOptions
  readonly #lock: PgliteLock | undefined
  #database: PgliteLike | undefined

  constructor(options: FromPgliteOptions) {
    this.#options = options
    this.isDurable = options.directory !== undefined
    this.canListen = !options.isOwned
    this.#lock = options.lock
  }

  async open(): Promise<void> {
    await this.#lock?.acquire()
    try {
      this.#database = await this.#options.database()
      await this.#database.waitReady
    } catch (error) {
      this.#database = undefined
      await this.#lock?.release()
      throw error
    }
  }

  async close(): Promise<void> {
    const database = this.#database
    this.#database = undefined
    try {
      if (this.#options.isOwned) await database?.close()
    } finally {
      await this.#lock?.release()
    }
  }

  query(statement: Statement): Promise<readonly TextRow[]> {
    return send(this.#open, statement)
  }

  async exec(script: string): Promise<void> {
    await run(() => this.#open.exec(script))
  }

  async tx<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    return this.#open.transaction((transaction: PgliteQueryableLike) =>
      work({
        query: (statement) => send(transaction, statement),
        exec: async (script) => {
          await run(() => transaction.exec(script))
        },
      }),
    )
  }

  async listen(params: ListenParams): Promise<Channel> {
    const unlisten = await run(() => this.#open.listen(params.channel, params.onMessage))
    return {
      send: async (payloads) => {
        await this.query(notifyStatement(params.channel, payloads))
      },
      close: () => unlisten(),
    }
  }

  get #open(): PgliteLike {
    if (this.#database !== undefined) return this.#database
    throw new PortFailure(new Error('PGlite is closed'), { wasSent: false })
  }
}

async function send(database: PgliteQueryableLike, statement: Statement): Promise<readonly TextRow[]> {
  const { rows } = await run(() => database.query(statement.text, [...statement.values], { rowMode: 'array' }))
  return rows as readonly TextRow[]
}

/** What fails in this process was not applied: there is no wire between, on which an answer could be lost. */
async function run<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new PortFailure(error, { wasSent: false })
  }
}
