import type { Pool } from 'pg'
import type { OpenStorage } from '../lib/postgres.js'
import { GRACE_MS, HOST, LEASE_TTL_MS, ORGANIZATION, occupation } from './session-pair.js'

/** The statements of the floor: the two conditional updates alone, on a table of the same shape. */
export interface RawSql {
  readonly occupy: string
  readonly release: string
  /** Fills the table with the rows that the storage has. */
  copyRows(): Promise<void>
}

/** Makes a copy of the sessions' table, indexes included, with its columns called as the adapter calls them. */
export async function createRawTable({ pool, schema }: OpenStorage, name: string): Promise<RawSql> {
  const table = `"${schema}"."${name}"`
  await pool.query(`CREATE TABLE ${table} (LIKE "${schema}".browser_sessions INCLUDING ALL)`)
  const { rows } = await pool.query<{ column_name: string }>(
    `SELECT column_name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2`,
    [schema, name],
  )
  const bare = (name: string) => name.replaceAll('_', '').toLowerCase()
  const quoted = new Map(rows.map(({ column_name }) => [bare(column_name), `"${column_name}"`]))
  const named = (text: string) =>
    text.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const column = quoted.get(bare(name))
      if (column === undefined) throw new Error(`browser_sessions has no column for ${name}`)
      return column
    })
  return {
    occupy: named(`UPDATE ${table} SET {runnableType} = $2, {runnableId} = $3, {leaseToken} = $4, {leaseFence} = $5,
      {leaseHolder} = $6, {leaseRequestId} = NULL, {leaseSince} = clock_timestamp(),
      {leaseExpiresAt} = clock_timestamp() + ${LEASE_TTL_MS} * interval '1 millisecond', {uses} = {uses} + 1,
      {modifiedAt} = clock_timestamp()
      WHERE {browserSessionId} = $1 AND {organizationId} = $7 AND {status} = 'running' AND {expiresAt} > clock_timestamp()
      AND {hostId} = $6 AND {hostLeaseExpiresAt} > clock_timestamp() AND {leaseFence} = $5 - 1
      AND ({leaseToken} IS NULL OR {leaseExpiresAt} < clock_timestamp() - ${GRACE_MS} * interval '1 millisecond')`),
    release: named(`UPDATE ${table} SET {runnableType} = NULL, {runnableId} = NULL, {leaseToken} = NULL, {leaseHolder} = NULL,
      {leaseRequestId} = NULL, {leaseSince} = NULL, {leaseExpiresAt} = NULL, {lastActivityAt} = clock_timestamp(),
      {modifiedAt} = clock_timestamp()
      WHERE {browserSessionId} = $1 AND {leaseToken} = $2 AND {leaseFence} = $3`),
    async copyRows() {
      await pool.query(`INSERT INTO ${table} SELECT * FROM "${schema}".browser_sessions`)
    },
  }
}

/** Does by hand what a PairWorker does through the storage, without the events. */
export class RawPairWorker {
  readonly #pool: Pool
  readonly #sql: RawSql
  readonly #browserSessionId: string
  readonly #isPrepared: boolean
  #fence = 0

  /** @param isPrepared whether the statements are prepared by name, or sent as `pool.query(text, values)` does */
  constructor(params: { readonly pool: Pool; readonly sql: RawSql; readonly browserSessionId: string; readonly isPrepared: boolean }) {
    this.#pool = params.pool
    this.#sql = params.sql
    this.#browserSessionId = params.browserSessionId
    this.#isPrepared = params.isPrepared
  }

  async once(): Promise<void> {
    const { browserSessionId, runnableId, token, fence } = occupation(this.#browserSessionId, ++this.#fence)
    await this.#change('occupy', [browserSessionId, 'workflow_run', runnableId, token, fence, HOST, ORGANIZATION])
    await this.#change('release', [browserSessionId, token, fence])
  }

  async #change(name: 'occupy' | 'release', values: unknown[]): Promise<void> {
    const text = this.#sql[name]
    const { rowCount } = await this.#pool.query(this.#isPrepared ? { name: `raw_${name}`, text, values } : { text, values })
    if (rowCount !== 1) throw new Error(`A raw update changed ${rowCount} rows`)
  }
}
