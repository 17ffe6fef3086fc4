import fc from 'fast-check'
import { type FindParams, increment, type RunRow, storageNow, type Where, type Write } from '../../../src/storage/index.js'
import { anEvent, aRun, T0 } from './contract/contract.js'

const instants = [-60_000, 0, 60_000].map((ms) => new Date(T0.getTime() + ms))
const ids = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g')
const statuses = fc.constantFrom('queued', 'running', 'failed') as fc.Arbitrary<RunRow['status']>
const keys = fc.option(fc.constantFrom('k1', 'k2', 'k3'))
const priorities = fc.integer({ min: -1, max: 2 })
const expiries = fc.option(fc.constantFrom(...instants))
const floats = fc.option(fc.constantFrom(-0.5, 0, 1.5))
const sessions = fc.option(fc.constantFrom('bs_1', 'bs_2'))

const values = {
  status: statuses,
  idempotencyKey: keys,
  priority: priorities,
  leaseExpiresAt: expiries,
  durationMs: floats,
  browserSessionId: sessions,
}

const computedTime = fc.constantFrom(-60_000, 0, 60_000).map((plusMs) => storageNow({ plusMs }))
const ordering = <T>(operand: fc.Arbitrary<T>) =>
  fc.oneof(...(['eq', 'ne', 'lt', 'lte', 'gt', 'gte'] as const).map((operator) => operand.map((given) => ({ [operator]: given }))))

const everyCondition = fc.record({
  status: fc.oneof(
    statuses,
    fc.uniqueArray(statuses).map((list) => ({ in: list })),
    fc.uniqueArray(statuses).map((list) => ({ notIn: list })),
  ),
  idempotencyKey: fc.oneof(
    keys,
    fc.boolean().map((isNull) => ({ isNull })),
    fc.constant({ contains: 'K' }),
  ),
  priority: fc.oneof(priorities, ordering(priorities)),
  leaseExpiresAt: ordering(fc.oneof(computedTime, fc.constantFrom(...instants))),
  browserSessionId: fc.oneof(sessions, fc.constant({ in: ['bs_1', 'bs_2'] })),
  workflowRunId: fc.oneof(
    ids,
    fc.uniqueArray(ids).map((list) => ({ in: list })),
  ),
})

/** At most two conditions: more of them would match next to nothing. */
const flatWhere = fc
  .tuple(
    everyCondition,
    fc.subarray(['status', 'idempotencyKey', 'priority', 'leaseExpiresAt', 'browserSessionId', 'workflowRunId'], { maxLength: 2 }),
  )
  .map(([all, chosen]) => Object.fromEntries(Object.entries(all).filter(([column]) => chosen.includes(column)))) as fc.Arbitrary<
  Where<RunRow>
>

const where = fc.oneof(
  { weight: 3, arbitrary: flatWhere },
  { weight: 1, arbitrary: fc.tuple(flatWhere, fc.array(flatWhere, { maxLength: 2 })).map(([all, any]) => ({ ...all, any })) },
) as fc.Arbitrary<Where<RunRow>>

const orderBy = fc.uniqueArray(
  fc.record({
    column: fc.constantFrom('priority', 'durationMs', 'leaseExpiresAt', 'status') as fc.Arbitrary<'priority'>,
    direction: fc.constantFrom('asc', 'desc') as fc.Arbitrary<'asc' | 'desc'>,
  }),
  { selector: (criterion) => criterion.column, maxLength: 2 },
)

const set = fc.record(
  {
    ...values,
    priority: fc.oneof(priorities, fc.constant(increment(1))),
    leaseExpiresAt: fc.oneof(expiries, computedTime),
    durationMs: fc.oneof(floats, fc.constant(increment(0.5))),
  },
  { requiredKeys: [] },
)

/** The key stays out of what may reach several rows: which of them collides first is the adapter's affair. */
const setOfMany = set.map(({ idempotencyKey: _, ...rest }) => rest)

const streams = fc.constantFrom('run:a', 'run:b')

const write: fc.Arbitrary<Write> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({ id: ids, values: fc.record(values) })
      .map(({ id, values: given }) => ({ op: 'insert', table: 'runs', row: aRun(id, given) })),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('update'), table: fc.constant('runs'), id: ids, where, set }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('updateAll'), table: fc.constant('runs'), where, set: setOfMany }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('updateAll'),
      table: fc.constant('runs'),
      where,
      rows: fc.uniqueArray(fc.record({ id: ids, where: flatWhere }), { selector: (row) => row.id, maxLength: 3 }),
      set: setOfMany,
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('claim'), table: fc.constant('runs'), where, orderBy, set }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('delete'), table: fc.constant('runs'), id: ids, where: flatWhere }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('append'),
      stream: streams,
      events: fc.array(
        fc.constantFrom('e1', 'e2').map((id) => anEvent(id)),
        { maxLength: 2 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('deleteStream'), stream: streams }) },
) as fc.Arbitrary<Write>

/** Names that a write uses up. */
function namesOf(given: Write): string[] {
  if (given.op === 'append' || given.op === 'deleteStream') return [given.stream]
  if (given.op === 'insert') return [(given.row as { workflowRunId: string }).workflowRunId]
  if (given.op === 'updateAll') return (given.rows ?? []).map(({ id }) => id)
  return given.op === 'claim' ? [] : [given.id]
}

/** Batches that name each row and stream once. */
export const batches: fc.Arbitrary<Write[]> = fc.array(write, { maxLength: 5 }).map((writes) => {
  const named = new Set<string>()
  return writes.filter((given) => {
    const names = namesOf(given)
    if (names.some((name) => named.has(name))) return false
    for (const name of names) named.add(name)
    return true
  })
})

export const queries: fc.Arbitrary<Omit<FindParams<'runs'>, 'table'>> = fc.record(
  { where, orderBy, limit: fc.integer({ min: 1, max: 8 }), after: ids },
  { requiredKeys: ['where', 'orderBy'] },
)
