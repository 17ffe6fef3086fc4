import type {
  CommitResult,
  MemoryStorage,
  Row,
  Storage,
  StorageCapabilities,
  StoredEvent,
  Wake,
  Write,
} from '../../../src/storage/index.js'

type Values = Record<string, unknown>
type AnyFind = {
  table: string
  where?: unknown
  orderBy?: readonly { column: string; direction?: string }[]
  limit?: number
  after?: string
}
type Applied = Extract<CommitResult, { ok: true }>

/** Many instances may share one memory: what a database server is to its clients. */
export function instanceOf(memory: MemoryStorage, capabilities: StorageCapabilities, changes: Partial<Storage> = {}): Storage {
  const { subscribe: _, ...rest }: Storage = {
    capabilities,
    open: async () => {},
    close: async () => {},
    now: () => memory.now(),
    get: (table, id) => memory.get(table, id),
    find: (params) => memory.find(params),
    count: (table, where) => memory.count(table, where),
    commit: (batch) => memory.commit(batch),
    readEvents: (params) => memory.readEvents(params),
  }
  const subscribe = capabilities.notify ? { subscribe: (onWake: (wake: Wake) => void) => memory.subscribe(onWake) } : {}
  return { ...rest, ...subscribe, ...changes }
}

/** An adapter with one fault. */
export interface Mutant {
  readonly fault: string
  /** Part of the name of a case that has to fail. */
  readonly caughtBy: string
  readonly make: (memory: MemoryStorage) => Partial<Storage>
}

/** A fault in how writes are applied: each is handed on changed. */
const inWrites = (change: (write: Values) => Values) => (memory: MemoryStorage) => ({
  commit: (batch: readonly Write[]) => memory.commit(batch.map((write) => change({ ...write }) as unknown as Write)),
})
/** A fault in what a commit answers. */
const inResults = (change: (result: CommitResult, batch: readonly Write[]) => CommitResult) => (memory: MemoryStorage) => ({
  commit: async (batch: readonly Write[]) => change(await memory.commit(batch), batch),
})
const inApplied = (change: (result: Applied) => CommitResult) => inResults((result) => (result.ok ? change(result) : result))
/** A fault in queries. */
const inFind = (change: (params: AnyFind) => AnyFind) => (memory: MemoryStorage) => ({
  find: (params: never) => memory.find(change(params as AnyFind) as never) as Promise<never[]>,
})
/** A fault in what is read. */
const inRows = (change: (row: Values) => Values) => (memory: MemoryStorage) => ({
  get: async (table: never, id: string) => {
    const row = await memory.get(table, id)
    return (row && change(row as Values)) as never
  },
  find: async (params: never) => (await memory.find(params)).map((row) => change(row as Values)) as never[],
})
const inEvents = (change: (event: StoredEvent) => StoredEvent) => (memory: MemoryStorage) => ({
  commit: async (batch: readonly Write[]) => {
    const result = await memory.commit(batch)
    return result.ok ? { ...result, events: result.events.map((events) => events.map(change)) } : result
  },
  readEvents: async (params: { stream: string; after?: number; limit?: number }) => (await memory.readEvents(params)).map(change),
})

/** Conditions without an operator, at any depth. */
function without(where: unknown, operator: string): unknown {
  if (Array.isArray(where)) return where.map((item) => without(item, operator))
  if (typeof where !== 'object' || where === null || where instanceof Date) return where
  return Object.fromEntries(
    Object.entries(where)
      .filter(([name]) => name !== operator)
      .map(([name, value]) => [name, without(value, operator)]),
  )
}

const dates = (row: Values, change: (date: Date) => unknown) =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value instanceof Date ? change(value) : value]))

async function oneByOne(memory: MemoryStorage, batch: readonly Write[]): Promise<CommitResult> {
  const parts: Applied[] = []
  for (const [index, write] of batch.entries()) {
    const result = await memory.commit([write])
    if (!result.ok) return { ...result, index }
    parts.push(result)
  }
  return { ok: true, rows: parts.flatMap(({ rows }) => rows), events: parts.flatMap(({ events }) => events) }
}

export const mutants: readonly Mutant[] = [
  {
    fault: 'a batch is applied write by write',
    caughtBy: 'takes all of the batch back',
    make: (memory) => ({ commit: (batch) => oneByOne(memory, batch) }),
  },
  {
    fault: 'the index of a refusal is always 0',
    caughtBy: 'names its place and reason',
    make: inResults((result) => (result.ok ? result : { ...result, index: 0 })),
  },
  {
    fault: 'the last refusal is named, not the first',
    caughtBy: 'the first write that refuses',
    make: (memory) => ({
      commit: async (batch) => {
        const result = await memory.commit(batch)
        if (result.ok || batch.length < 3) return result
        const last = await memory.commit(batch.slice(-1))
        return last.ok ? result : { ...last, index: batch.length - 1 }
      },
    }),
  },
  {
    fault: 'refusals are all called missing',
    caughtBy: 'update applies only while',
    make: inResults((result) => (result.ok || result.reason !== 'precondition' ? result : { ...result, reason: 'missing' })),
  },
  {
    fault: 'a refusal does not name the key',
    caughtBy: 'a unique key refuses, names itself',
    make: inResults((result) => (result.ok ? result : { ok: false, index: result.index, reason: result.reason })),
  },
  {
    fault: 'update ignores its condition',
    caughtBy: 'update applies only while',
    make: inWrites((write) => (write.op === 'update' ? { ...write, where: {} } : write)),
  },
  {
    fault: 'an empty set tests nothing',
    caughtBy: 'an update with an empty set',
    make: inWrites((write) => (write.op === 'update' && Object.keys(write.set as Values).length === 0 ? { ...write, where: {} } : write)),
  },
  {
    fault: 'delete ignores its condition',
    caughtBy: 'delete takes the row',
    make: inWrites((write) => (write.op === 'delete' ? { ...write, where: {} } : write)),
  },
  {
    fault: 'updateAll ignores the rows’ own conditions',
    caughtBy: 'updateAll with rows',
    make: inWrites((write) =>
      write.op === 'updateAll' && write.rows !== undefined
        ? { ...write, rows: (write.rows as { id: string }[]).map(({ id }) => ({ id })) }
        : write,
    ),
  },
  {
    fault: 'updateAll with rows ignores the common condition',
    caughtBy: 'updateAll with rows',
    make: inWrites((write) => (write.op === 'updateAll' && write.rows !== undefined ? { ...write, where: {} } : write)),
  },
  {
    fault: 'updateAll takes empty `rows` for all rows',
    caughtBy: 'updateAll with rows',
    make: inWrites((write) => {
      const { rows, ...rest } = write
      return Array.isArray(rows) && rows.length === 0 ? rest : write
    }),
  },
  {
    fault: 'updateAll stops after 100 rows',
    caughtBy: '500 rows',
    make: inWrites((write) =>
      write.op === 'updateAll' && write.rows !== undefined ? { ...write, rows: (write.rows as unknown[]).slice(0, 100) } : write,
    ),
  },
  {
    fault: 'claim reads first and writes then',
    caughtBy: 'claim never gives a row twice',
    make: (memory) => ({
      commit: async (batch) => {
        const [write] = batch
        if (batch.length !== 1 || write?.op !== 'claim') return memory.commit(batch)
        const [row] = await memory.find({ table: write.table, where: write.where, orderBy: write.orderBy, limit: 1 } as never)
        if (row === undefined) return { ok: false, index: 0, reason: 'missing' }
        await Promise.resolve()
        const id = (row as Row<'runs'> & Row<'run_blocks'>)[write.table === 'runs' ? 'workflowRunId' : 'runBlockId']
        return memory.commit([{ op: 'update', table: write.table, id, set: write.set } as Write])
      },
    }),
  },
  {
    fault: 'claim ignores its order',
    caughtBy: 'claim takes the first match',
    make: inWrites((write) => (write.op === 'claim' ? { ...write, orderBy: [] } : write)),
  },
  {
    fault: 'a lost unique key',
    caughtBy: 'a unique key refuses',
    make: (memory) => ({
      commit: async (batch) => {
        const result = await memory.commit(batch)
        if (result.ok || result.constraint !== 'runs_idempotency_key') return result
        const rest = await memory.commit(batch.filter((_, index) => index !== result.index))
        return rest.ok ? { ...rest, rows: [...rest.rows, []], events: [...rest.events, []] } : rest
      },
    }),
  },
  {
    fault: 'null collides in a unique key',
    caughtBy: 'null never collides',
    make: (memory) => ({
      commit: async (batch) => {
        for (const [index, write] of batch.entries()) {
          const isKeyless = write.op === 'insert' && write.table === 'runs' && write.row.idempotencyKey === null
          const current = isKeyless ? (await memory.find({ table: 'runs', where: { idempotencyKey: null }, limit: 1 }))[0] : undefined
          if (current !== undefined) return { ok: false, index, reason: 'duplicate', constraint: 'runs_idempotency_key', current }
        }
        return memory.commit(batch)
      },
    }),
  },
  {
    fault: 'the next page begins with the last row of this one',
    caughtBy: 'paging reads every row once',
    make: (memory) => ({
      find: async (params: never) => {
        const { after, limit = 100, ...rest } = params as AnyFind
        const rows = (await memory.find({ ...rest, limit: 10_000 } as never)) as { workflowRunId: string }[]
        const start = after === undefined ? 0 : rows.findIndex((row) => row.workflowRunId === after)
        return (start === -1 ? [] : rows.slice(start, start + limit)) as never[]
      },
    }),
  },
  {
    fault: 'paging by the key alone',
    caughtBy: 'paging reads every row once',
    make: (memory) => ({
      find: async (params: never) => {
        const { after, limit = 100, ...rest } = params as AnyFind
        const rows = (await memory.find({ ...rest, limit: 10_000 } as never)) as { workflowRunId: string }[]
        return rows.filter((row) => after === undefined || row.workflowRunId > after).slice(0, limit) as never[]
      },
    }),
  },
  {
    fault: 'the page after a row that is gone is the first',
    caughtBy: 'after a row that is gone',
    make: (memory) => ({
      find: async (params: never) => {
        const { after, ...rest } = params as AnyFind
        const isThere = after !== undefined && (await memory.get(rest.table as 'runs', after)) !== undefined
        return memory.find((isThere ? params : rest) as never) as Promise<never[]>
      },
    }),
  },
  { fault: 'limits are ignored', caughtBy: 'the first few of many', make: inFind((params) => ({ ...params, limit: 10_000 })) },
  {
    fault: 'nulls come first',
    caughtBy: 'nulls last',
    make: (memory) => ({
      find: async (params: never) => {
        const rows = (await memory.find(params)) as Values[]
        const column = (params as AnyFind).orderBy?.[0]?.column ?? ''
        return [...rows.filter((row) => row[column] === null), ...rows.filter((row) => row[column] !== null)] as never[]
      },
    }),
  },
  {
    fault: 'text sorts by UTF-16 unit',
    caughtBy: 'text sorts by code point',
    make: (memory) => ({
      find: async (params: never) => {
        const rows = (await memory.find(params)) as { workflowRunId?: string }[]
        const { orderBy = [] } = params as AnyFind
        return (
          orderBy.length === 1 && rows[0]?.workflowRunId !== undefined
            ? rows.sort((a, b) => (String(a.workflowRunId) < String(b.workflowRunId) ? -1 : 1))
            : rows
        ) as never[]
      },
    }),
  },
  {
    fault: 'contains minds case',
    caughtBy: 'condition: contains, in any case',
    make: (memory) => ({
      find: async (params: never) => {
        const wanted = ((params as AnyFind).where as { workflowTitle?: { contains?: string } } | undefined)?.workflowTitle?.contains
        const rows = (await memory.find(params)) as { workflowTitle: string }[]
        return (wanted === undefined ? rows : rows.filter((row) => row.workflowTitle.includes(wanted))) as never[]
      },
    }),
  },
  {
    fault: 'isNull is ignored',
    caughtBy: 'condition: plain null',
    make: inFind((params) => ({ ...params, where: without(params.where, 'isNull') })),
  },
  {
    fault: 'any is ignored in writes',
    caughtBy: 'condition: any',
    make: inWrites((write) => ('where' in write ? { ...write, where: without(write.where, 'any') } : write)),
  },
  { fault: 'count counts all', caughtBy: 'condition: a plain value', make: (memory) => ({ count: (table) => memory.count(table) }) },
  {
    fault: 'instants lose their milliseconds',
    caughtBy: 'instants keep their milliseconds',
    make: inRows((row) => dates(row, (date) => new Date(Math.trunc(date.getTime() / 1_000) * 1_000))),
  },
  {
    fault: 'instants come back as text',
    caughtBy: 'insert stores the whole row',
    make: inRows((row) => dates(row, (date) => date.toISOString())),
  },
  {
    fault: 'empty text becomes null',
    caughtBy: 'empty text',
    make: inRows((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === '' ? null : value]))),
  },
  {
    fault: 'booleans come back as numbers',
    caughtBy: 'every column keeps its value',
    make: inRows((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, typeof value === 'boolean' ? Number(value) : value])),
    ),
  },
  {
    fault: 'a column is forgotten',
    caughtBy: 'table artifacts: every column',
    make: inRows((row) => ('sha256' in row ? { ...row, blockLabel: null } : row)),
  },
  {
    fault: 'null in JSON is dropped',
    caughtBy: 'JSON comes back as it went in',
    make: inRows((row) => ({ ...row, ...('outputs' in row && row.outputs !== null ? { outputs: {} } : {}) })),
  },
  {
    fault: 'the rows of an update are those before it',
    caughtBy: 'a set can write null',
    make: (memory) => ({
      commit: async (batch) => {
        const [write] = batch
        const before = write?.op === 'update' ? await memory.get(write.table, write.id) : undefined
        const result = await memory.commit(batch)
        return result.ok && before !== undefined ? { ...result, rows: [[before], ...result.rows.slice(1)] } : result
      },
    }),
  },
  {
    fault: 'increments are computed from an earlier read',
    caughtBy: 'increment adds',
    make: (memory) => ({
      commit: async (batch) => {
        const writes: Write[] = []
        for (const write of batch) {
          const by = write.op === 'update' && write.table === 'runs' ? (write.set.attempt as { by?: number } | undefined)?.by : undefined
          const row = by === undefined || write.op !== 'update' ? undefined : await memory.get('runs', write.id)
          await Promise.resolve()
          writes.push(
            row === undefined || write.op !== 'update'
              ? write
              : ({ ...write, set: { ...write.set, attempt: row.attempt + (by ?? 0) } } as Write),
          )
        }
        return memory.commit(writes)
      },
    }),
  },
  {
    fault: 'rows are handed out as they are kept',
    caughtBy: 'what comes out is a copy',
    make: (memory) => {
      const kept = new Map<string, { json: string; row: unknown }>()
      return {
        get: async (table, id) => {
          const row = await memory.get(table, id)
          const json = JSON.stringify(row) ?? ''
          if (kept.get(id)?.json !== json) kept.set(id, { json, row })
          return kept.get(id)?.row as never
        },
      }
    },
  },
  {
    fault: 'the host’s clock writes, the storage’s is shown',
    caughtBy: 'is the clock that now() shows',
    make: (memory) => ({ now: async () => new Date((await memory.now()).getTime() + 3_600_000) }),
  },
  {
    fault: 'a sequence has a gap',
    caughtBy: 'numbers its events from 1 without gap',
    make: inEvents((event) => ({ ...event, seq: event.seq < 3 ? event.seq : event.seq + 1 })),
  },
  {
    fault: 'a sequence counts from 0',
    caughtBy: 'numbers its events from 1 without gap',
    make: inEvents((event) => ({ ...event, seq: event.seq - 1 })),
  },
  {
    fault: 'a refused append uses up its number',
    caughtBy: 'a refused append leaves no gap',
    make: (memory) => {
      let lost = 0
      const shift = (event: StoredEvent) => ({ ...event, seq: event.seq + (event.seq > 1 ? lost : 0) })
      return {
        commit: async (batch) => {
          const result = await memory.commit(batch)
          if (!result.ok && batch.some((write) => write.op === 'append')) lost++
          return result.ok ? { ...result, events: result.events.map((events) => events.map(shift)) } : result
        },
        readEvents: async (params) => (await memory.readEvents(params)).map(shift),
      }
    },
  },
  {
    fault: 'events are read newest first',
    caughtBy: 'a stream is read from any place',
    make: (memory) => ({ readEvents: async (params) => (await memory.readEvents(params)).toReversed() }),
  },
  {
    fault: 'events are read in the order of text',
    caughtBy: 'a long stream stays in order',
    make: (memory) => ({
      readEvents: async (params) => (await memory.readEvents(params)).sort((a, b) => (String(a.seq) < String(b.seq) ? -1 : 1)),
    }),
  },
  {
    fault: 'a commit gives no events back',
    caughtBy: 'a commit gives back its events',
    make: inApplied((result) => ({ ...result, events: result.events.map(() => []) })),
  },
  {
    fault: 'a payload comes back as text',
    caughtBy: 'an event is stored whole',
    make: inEvents((event) => ({ ...event, payload: JSON.stringify(event.payload) })),
  },
  {
    fault: 'a deleted stream goes on counting',
    caughtBy: 'a deleted stream is empty',
    make: inWrites((write) => (write.op === 'deleteStream' ? { op: 'append', stream: write.stream, events: [] } : write)),
  },
  {
    fault: 'a second open fails',
    caughtBy: 'own open and close are idempotent',
    make: () => {
      let isOpen = false
      return {
        open: async () => {
          if (isOpen) throw new Error('open already')
          isOpen = true
        },
        close: async () => {
          isOpen = false
        },
      }
    },
  },
  { fault: 'nobody is woken', caughtBy: 'notify: subscribers hear', make: () => ({ subscribe: async () => async () => {} }) },
  {
    fault: 'refused batches wake too',
    caughtBy: 'notify: subscribers hear',
    make: (memory) => {
      const subscribers = new Set<(wake: Wake) => void>()
      return {
        subscribe: async (onWake) => {
          subscribers.add(onWake)
          const leave = await memory.subscribe(onWake)
          return async () => {
            subscribers.delete(onWake)
            await leave()
          }
        },
        commit: async (batch) => {
          for (const write of batch) if ('stream' in write) for (const onWake of subscribers) onWake({ stream: write.stream })
          return memory.commit(batch)
        },
      }
    },
  },
]
