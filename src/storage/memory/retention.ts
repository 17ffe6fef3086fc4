import { runStream, sessionStream } from '../../events/index.js'
import { RUN_PARTS } from '../run-parts.js'
import type { TableName } from '../schema.js'
import type { MemoryTable } from './memory-table.js'
import type { StoredRow } from './order.js'
import type { MemoryStreams } from './streams.js'
import type { RowChange } from './transaction.js'

export interface RetentionParams {
  /** How many ended runs are kept. */
  readonly runs: number
  readonly tables: ReadonlyMap<TableName, MemoryTable>
  readonly streams: MemoryStreams
}

/** Keeps the newest ended runs and drops older ones with everything that belongs to them. Bytes in an artifact store are not touched. */
export class Retention {
  readonly #params: RetentionParams
  /** Ended runs, the first to end first. */
  readonly #ended = new Set<string>()

  constructor(params: RetentionParams) {
    this.#params = params
  }

  /** Looks at what a commit changed. */
  observe(changes: readonly RowChange[]): void {
    for (const { table, previous, next } of changes) {
      if (table.meta.name !== 'runs') continue
      const id = (next ?? previous)?.workflowRunId as string
      if (next === undefined) this.#ended.delete(id)
      else if (next.finishedAt !== null) this.#ended.add(id)
    }
    this.#dropOldest()
  }

  /** Looks at every run, after a snapshot was restored. */
  rebuild(): void {
    this.#ended.clear()
    const ended = [...this.#table('runs').all()].filter((row) => row.finishedAt !== null)
    ended.sort((left, right) => Number(left.finishedAt) - Number(right.finishedAt))
    for (const row of ended) this.#ended.add(row.workflowRunId as string)
    this.#dropOldest()
  }

  #dropOldest(): void {
    for (const id of this.#ended) {
      if (this.#ended.size <= this.#params.runs) return
      this.#ended.delete(id)
      this.#drop(id)
    }
  }

  #drop(workflowRunId: string): void {
    const runs = this.#table('runs')
    const run = runs.get(workflowRunId)
    if (run === undefined) return
    for (const name of [...RUN_PARTS, 'artifacts'] as const) this.#removeAll(name, { workflowRunId })
    this.#params.streams.remove(runStream(workflowRunId))
    runs.replace(run, undefined)
    this.#dropPrivateSession(run)
  }

  #dropPrivateSession(run: StoredRow): void {
    const sessions = this.#table('browser_sessions')
    const session = run.ownsSession === true ? sessions.get((run.browserSessionId as string | null) ?? '') : undefined
    if (session === undefined || session.completedAt === null) return
    const browserSessionId = session.browserSessionId as string
    this.#removeAll('view_tokens', { browserSessionId })
    this.#removeAll('artifacts', { browserSessionId })
    this.#params.streams.remove(sessionStream(browserSessionId))
    sessions.replace(session, undefined)
  }

  #removeAll(name: TableName, where: Record<string, string>): void {
    const table = this.#table(name)
    for (const row of table.matching(where, 0)) table.replace(row, undefined)
  }

  #table(name: TableName): MemoryTable {
    return this.#params.tables.get(name) as MemoryTable
  }
}
