import { createHash } from 'node:crypto'
import { serverErrorOf } from './failures.js'
import type { PgClientLike, PgPoolLike, PgQueryConfig, PgResultLike } from './pg-types.js'
import { type Channel, type ListenParams, type OwnedPort, PortFailure, type Queryable, type Statement, type TextRow } from './port.js'

export interface FromPoolOptions {
  /** Gives the pool; called once, by `open()`. */
  readonly pool: () => Promise<PgPoolLike>
  /** Whether `close()` ends the pool. */
  readonly isOwned: boolean
  /** Whether statements that recur are prepared by name. */
  readonly prepare: boolean
  readonly canListen: boolean
}

/** Statements prepared on a connection stay there, so that their number is bounded. */
const MAX_PREPARED = 500

const ignore = () => {} // an idle connection that breaks is replaced by the pool; one in use fails in its query

/** Clients that have our listener: one each, however many storages share their pool. */
const listenedTo = new WeakSet<PgClientLike>()

function listenTo(client: PgClientLike): void {
  if (listenedTo.has(client)) return
  listenedTo.add(client)
  client.on('error', ignore)
}

/** The port over a pool of `pg`. */
export class PoolPort implements OwnedPort {
  readonly isDurable = true
  readonly isShared = true
  readonly canListen: boolean
  readonly #options: FromPoolOptions
  readonly #names = new Map<string, string>()
  /** Texts that were used once. */
  readonly #seen = new Set<string>()
  #prepares: boolean
  #pool: PgPoolLike | undefined

  constructor(options: FromPoolOptions) {
    this.#options = options
    this.#prepares = options.prepare
    this.canListen = options.canListen
  }

  async open(): Promise<void> {
    this.#pool = await this.#options.pool()
    this.#pool.on('error', ignore)
    this.#pool.on('connect', listenTo) // an error that comes before the connection is handed over would end the process
  }

  async close(): Promise<void> {
    const pool = this.#pool
    this.#pool = undefined
    if (pool === undefined) return
    if (this.#options.isOwned) await pool.end()
    pool.removeListener('error', ignore)
    pool.removeListener('connect', listenTo)
  }

  async query(statement: Statement): Promise<readonly TextRow[]> {
    const client = await this.#connect()
    try {
      const rows = await this.#run(client, statement)
      client.release()
      return rows
    } catch (failure) {
      this.#giveBack(client, failure)
      throw failure
    }
  }

  async exec(script: string): Promise<void> {
    await this.query({ text: script, values: [] })
  }

  async tx<T>(work: (connection: Queryable) => Promise<T>): Promise<T> {
    const client = await this.#connect()
    const connection: Queryable = {
      query: (statement) => this.#run(client, { ...statement, recurs: false }),
      exec: async (script) => {
        await this.#run(client, { text: script, values: [] })
      },
    }
    try {
      await connection.exec('BEGIN ISOLATION LEVEL READ COMMITTED')
      const result = await work(connection)
      await connection.exec('COMMIT')
      client.release()
      return result
    } catch (failure) {
      // a connection on which ROLLBACK fails is thrown away with its transaction
      await connection.exec('ROLLBACK').then(
        () => this.#giveBack(client, failure),
        () => client.release(true),
      )
      throw failure
    }
  }

  async listen(params: ListenParams): Promise<Channel> {
    const client = await this.#connect()
    let isOpen = true
    const onNotification = (message: { channel: string; payload?: string }) => {
      if (message.channel === params.channel) params.onMessage(message.payload ?? '')
    }
    const leave = (isBroken: boolean) => {
      isOpen = false
      client.removeListener('notification', onNotification)
      client.removeListener('end', onEnd)
      client.removeListener('error', onEnd)
      client.release(isBroken)
    }
    const onEnd = (error?: unknown) => {
      if (!isOpen) return
      leave(true)
      params.onLost(error)
    }
    client.on('notification', onNotification)
    client.on('end', onEnd)
    client.on('error', onEnd)
    try {
      // a NOTIFY has a transaction id, so that its commit would wait for the disk, and everybody else's behind it: told is told or lost
      await this.#run(client, { text: `SET synchronous_commit = off; LISTEN "${params.channel}"`, values: [] })
    } catch (failure) {
      if (isOpen) leave(true)
      throw failure
    }
    return {
      send: async (payloads) => {
        if (!isOpen) throw new PortFailure(new Error('The connection of notifications is closed'), { wasSent: false })
        await this.#run(client, notifyStatement(params.channel, payloads))
      },
      close: async () => {
        if (isOpen) leave(true) // a connection that listens must not go back to the pool
      },
    }
  }

  async #connect(): Promise<PgClientLike> {
    const pool = this.#pool
    if (pool === undefined) throw new PortFailure(new Error('The pool is closed'), { wasSent: false })
    try {
      const client = await pool.connect()
      listenTo(client)
      return client
    } catch (error) {
      throw new PortFailure(error, { wasSent: false })
    }
  }

  async #run(client: PgClientLike, statement: Statement): Promise<readonly TextRow[]> {
    const name = statement.recurs === true && this.#prepares ? this.#nameOf(statement.text) : undefined
    try {
      return await send(client, statement, name)
    } catch (failure) {
      if (name === undefined || !isPreparationLost(failure)) throw failure
      // a pooler gave the statement to a connection that does not know it: nothing was executed
      this.#prepares = false
      return await send(client, statement, undefined)
    }
  }

  /**
   * A name from the second use on, so that rare shapes take no room. The same text has the same name in every process, so that meeting
   * a statement of somebody else does no harm.
   */
  #nameOf(text: string): string | undefined {
    const known = this.#names.get(text)
    if (known !== undefined || this.#names.size >= MAX_PREPARED) return known
    if (!this.#seen.has(text)) {
      if (this.#seen.size >= MAX_PREPARED) this.#seen.clear()
      this.#seen.add(text)
      return undefined
    }
    this.#seen.delete(text)
    const name = `rw_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
    this.#names.set(text, name)
    return name
  }

  #giveBack(client: PgClientLike, failure: unknown): void {
    const error = serverErrorOf(failure)
    client.release(failure instanceof PortFailure && (error === undefined || error.severity !== 'ERROR'))
  }
}

const keep = (text: string) => text
const asText = { getTypeParser: () => keep }

async function send(client: PgClientLike, statement: Statement, name: string | undefined): Promise<readonly TextRow[]> {
  const config: PgQueryConfig = { text: statement.text, rowMode: 'array', types: asText, ...(name === undefined ? {} : { name }) }
  try {
    // without values a text may hold several statements
    const result: PgResultLike = await client.query(statement.values.length === 0 ? config : { ...config, values: [...statement.values] })
    return result.rows as readonly TextRow[]
  } catch (error) {
    const { processID } = client as { processID?: unknown }
    throw new PortFailure(error, { wasSent: true, backendPid: typeof processID === 'number' ? processID : undefined })
  }
}

const isPreparationLost = (failure: unknown) => /^(26000|42P05)$/.test(serverErrorOf(failure)?.code ?? '')

/** One statement for any number of notifications. */
export function notifyStatement(channel: string, payloads: readonly string[]): Statement {
  const calls = payloads.map((_, index) => `pg_notify($1::text, $${index + 2}::text)::text`)
  return { text: `SELECT ${calls.join(', ')}`, values: [channel, ...payloads] }
}
