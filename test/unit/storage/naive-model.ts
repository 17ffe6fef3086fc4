import type { CommitResult, FindParams, Where, Write } from '../../../src/storage/index.js'

type Row = Record<string, unknown>
type Refusal = { ok: false; index: number; reason: string; constraint?: string }

/**
 * What a storage does with one table (`runs`) and its streams, written as plainly as possible: copy everything, apply, keep the copy
 * if nothing refused. The property test compares adapters with it.
 */
export class NaiveModel {
  rows: Row[] = []
  streams: Record<string, string[]> = {}
  readonly #nowMs: number

  constructor(nowMs: number) {
    this.#nowMs = nowMs
  }

  commit(batch: readonly Write[]): { ok: true; ids: string[][]; seqs: number[][] } | Refusal {
    const before = structuredClone({ rows: this.rows, streams: this.streams })
    const taken = new Set(batch.flatMap(namedBy))
    const ids: string[][] = []
    const seqs: number[][] = []
    for (const [index, write] of batch.entries()) {
      const refuse = (reason: string, constraint?: string): Refusal => {
        this.rows = before.rows
        this.streams = before.streams
        return constraint === undefined ? { ok: false, index, reason } : { ok: false, index, reason, constraint }
      }
      ids.push([])
      seqs.push([])
      if (write.op === 'append') {
        this.streams[write.stream] ??= []
        const stream = this.streams[write.stream] as string[]
        for (const event of write.events) seqs.at(-1)?.push(stream.push(event.id))
        continue
      }
      if (write.op === 'deleteStream') {
        delete this.streams[write.stream]
        continue
      }
      if (write.op === 'insert') {
        const row = structuredClone(write.row) as Row
        if (this.rows.some((other) => other.workflowRunId === row.workflowRunId)) return refuse('duplicate', 'primary')
        this.rows.push(row)
        if (this.#collides(row)) return refuse('duplicate', 'runs_idempotency_key')
        ids.at(-1)?.push(row.workflowRunId as string)
        continue
      }
      const targets = this.#targets(write, taken)
      if (typeof targets === 'string') return refuse(targets)
      for (const row of targets) {
        if (write.op === 'delete') {
          this.rows = this.rows.filter((other) => other !== row)
          continue
        }
        taken.add(row.workflowRunId as string)
        for (const [column, value] of Object.entries(write.set)) row[column] = this.#compute(row[column], value)
        if (this.#collides(row)) return refuse('duplicate', 'runs_idempotency_key')
        ids.at(-1)?.push(row.workflowRunId as string)
      }
    }
    return { ok: true, ids, seqs }
  }

  find(params: Pick<FindParams<'runs'>, 'where' | 'orderBy' | 'limit' | 'after'>): string[] {
    const order = [...(params.orderBy ?? []), { column: 'workflowRunId' as const }]
    const sorted = this.rows.toSorted((left, right) => this.#compare(left, right, order))
    const place = params.after === undefined ? -1 : sorted.findIndex((row) => row.workflowRunId === params.after)
    if (params.after !== undefined && place === -1) return []
    const found = sorted.slice(place + 1).filter((row) => this.#meets(row, params.where as Where))
    return found.slice(0, params.limit ?? 100).map((row) => row.workflowRunId as string)
  }

  #targets(write: Extract<Write, { op: 'update' | 'updateAll' | 'claim' | 'delete' }>, taken: ReadonlySet<string>): Row[] | string {
    if (write.op === 'updateAll' || write.op === 'claim') {
      const { where } = write
      const rows = write.op === 'updateAll' ? write.rows : undefined
      if (rows !== undefined) {
        const named = rows.flatMap(({ id, where: own }) =>
          this.rows.filter((row) => row.workflowRunId === id && this.#meets(row, own as Where)),
        )
        return named.filter((row) => this.#meets(row, where as Where))
      }
      const free = this.rows.filter((row) => !taken.has(row.workflowRunId as string) && this.#meets(row, where as Where))
      if (write.op === 'updateAll') return free
      const order = [...(write.orderBy as { column: string }[]), { column: 'workflowRunId' }]
      const [first] = free.toSorted((left, right) => this.#compare(left, right, order))
      return first === undefined ? 'missing' : [first]
    }
    const row = this.rows.find((other) => other.workflowRunId === write.id)
    if (row === undefined) return 'missing'
    return this.#meets(row, write.where as Where) ? [row] : 'precondition'
  }

  #collides(row: Row): boolean {
    return row.idempotencyKey != null && this.rows.some((other) => other !== row && other.idempotencyKey === row.idempotencyKey)
  }

  #compute(present: unknown, value: unknown): unknown {
    const computed = value as { compute?: string; by: number; plusMs: number } | null
    if (computed?.compute === 'storageNow') return new Date(this.#nowMs + computed.plusMs)
    if (computed?.compute === 'increment') return present == null ? null : (present as number) + computed.by
    return structuredClone(value)
  }

  #meets(row: Row, where: Where | undefined): boolean {
    return Object.entries(where ?? {}).every(([column, condition]) => {
      if (column === 'any') return (condition as Where[]).some((alternative) => this.#meets(row, alternative))
      const value = plain(row[column] ?? null)
      if (condition === null) return value === null
      if (typeof condition !== 'object') return value === condition
      return Object.entries(condition).every(([operator, given]) => {
        if (operator === 'isNull') return (value === null) === given
        if (value === null) return false
        const operand = plain(this.#compute(undefined, given)) as string
        if (operator === 'eq') return value === operand
        if (operator === 'ne') return value !== operand
        if (operator === 'in') return (given as unknown[]).includes(value)
        if (operator === 'notIn') return !(given as unknown[]).includes(value)
        if (operator === 'lt') return value < operand
        if (operator === 'lte') return value <= operand
        if (operator === 'gt') return value > operand
        if (operator === 'gte') return value >= operand
        return String(value).toLowerCase().includes(String(given).toLowerCase())
      })
    })
  }

  #compare(left: Row, right: Row, order: readonly { column: string; direction?: 'asc' | 'desc' }[]): number {
    for (const { column, direction } of order) {
      const a = plain(left[column] ?? null)
      const b = plain(right[column] ?? null)
      if (a === b) continue
      if (a === null) return 1
      if (b === null) return -1
      return (a < b ? -1 : 1) * (direction === 'desc' ? -1 : 1)
    }
    return 0
  }
}

const plain = (value: unknown) => (value instanceof Date ? value.getTime() : value) as number | string | boolean | null

function namedBy(write: Write): string[] {
  if (write.op === 'insert') return [(write.row as Row).workflowRunId as string]
  if (write.op === 'update' || write.op === 'delete') return [write.id]
  return write.op === 'updateAll' ? (write.rows ?? []).map(({ id }) => id) : []
}

/** A commit's result in the terms of the model. */
export function inModelTerms(result: CommitResult): ReturnType<NaiveModel['commit']> {
  if (result.ok) {
    const ids = result.rows.map((rows) => rows.map((row) => (row as Row).workflowRunId as string))
    return { ok: true, ids, seqs: result.events.map((events) => events.map((event) => event.seq)) }
  }
  const { index, reason, constraint } = result
  return { ok: false, index, reason, ...(constraint === undefined ? {} : { constraint }) }
}
