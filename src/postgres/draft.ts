import { isComputed } from '../storage/rows.js'
import type { Computed } from '../storage/storage.js'
import { type ColumnMeta, columnOf, type TableMeta } from '../storage/table-meta.js'
import { columnName } from './names.js'
import type { Statement } from './port.js'
import { type Dialect, whereContext } from './queries.js'
import { encodeValue, Params, typeOf } from './values.js'
import { compileNow, type WhereContext } from './where.js'

/** Marks of the result's rows that belong to no write: what a stream was given, and why the batch was refused. */
export const STREAM_MARK = -1
export const REFUSAL_MARK = -2
/** Says no more than that a chain was applied. */
export const APPLIED_MARK = -3
/** Reasons in a refusal's row. */
export const MISSING = 1
export const PRECONDITION = 2

/**
 * A commit while it is compiled: its common table expressions, its parameters, and the branches of its result. Each row of the result is
 * a mark (the write's index, or one of those above) and a text.
 */
export class Draft {
  readonly dialect: Dialect
  readonly params = new Params()
  readonly #parts = new Map<string, string>()
  readonly #results: string[] = []
  readonly #commitId: string
  #commitIdParam: string | undefined

  constructor(dialect: Dialect, commitId: string) {
    this.dialect = dialect
    this.#commitId = commitId
  }

  /** Stands for the id of this commit, which every row and event that it writes carries. */
  get commitId(): string {
    this.#commitIdParam ??= this.params.add(this.#commitId, 'uuid')
    return this.#commitIdParam
  }

  with(name: string, query: string): void {
    this.#parts.set(name, query)
  }

  has(name: string): boolean {
    return this.#parts.has(name)
  }

  /** Rows of the result: `mark`, and the text that `select` gives, for example `row FROM w0`. */
  result(mark: number, select: string): void {
    this.#results.push(`SELECT '${mark}', ${select}`)
  }

  where(alias: string, now: string, literals?: ReadonlySet<string>): WhereContext {
    const context = whereContext(this.dialect, this.params, now, alias)
    return literals === undefined ? context : { ...context, literals }
  }

  /** Undefined where there is nothing to do. */
  finish(recurs: boolean): Statement | undefined {
    if (this.#parts.size === 0) return undefined
    const results = this.#results.length === 0 ? ["SELECT '0', NULL WHERE false"] : this.#results
    const parts = [...this.#parts].map(([name, query]) => `${name} AS ${query}`)
    return { text: `WITH ${parts.join(', ')} ${results.join(' UNION ALL ')}`, values: this.params.values, recurs }
  }

  /** The assignments of an UPDATE; its own columns under `alias`. */
  assignments(meta: TableMeta, set: object, alias: string, now: string): string {
    const parts = Object.entries(set).flatMap(([name, value]) => {
      if (value === undefined) return []
      const column = columnOf(meta, name)
      return [`${columnName(name)} = ${this.#assigned(column, value, alias, now)}`]
    })
    return [...parts, `commit_id = ${this.commitId}`].join(', ')
  }

  #assigned(column: ColumnMeta, value: unknown, alias: string, now: string): string {
    if (column.kind === 'json' || !isComputed(value)) return this.value(column, value)
    if (value.compute === 'storageNow') return this.now(value, now)
    const sum = `${alias}.${columnName(column.name)} + ${this.params.add(String(value.by), typeOf[column.kind])}`
    // fails where JavaScript would no longer count exactly; a check of the table would be read anew by every statement (a fifth of its time)
    return column.kind === 'int' ? `((((${sum}) * 1024 - 1) >> 10) + 1)` : sum
  }

  value(column: ColumnMeta, value: unknown): string {
    return this.params.add(encodeValue(column, value), typeOf[column.kind])
  }

  now(computed: Computed, now: string): string {
    const param = (value: string | null, type: string) => this.params.add(value, type)
    return compileNow(computed as Computed & { compute: 'storageNow' }, { now, param })
  }
}

/** Whether a `set` names no column: it only tests its condition. */
export const changesNothing = (set: object): boolean => Object.values(set).every((value) => value === undefined)
