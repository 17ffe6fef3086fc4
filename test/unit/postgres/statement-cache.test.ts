import fc from 'fast-check'
import { expect, it } from 'vitest'
import { chainOrder } from '../../../src/postgres/chain.js'
import { compileChain } from '../../../src/postgres/compile-chain.js'
import { Names } from '../../../src/postgres/names.js'
import { StatementCache } from '../../../src/postgres/statement-cache.js'
import { canonicalBatch } from '../../../src/storage/canonical-batch.js'
import { increment, storageNow, type Write } from '../../../src/storage/index.js'

const dialect = { names: new Names('rw'), lowerCollation: 'pg_catalog."und-x-icu"' }
const COMMIT_ID = '11111111-1111-4111-8111-111111111111'

const condition = fc.record(
  {
    status: fc.oneof(
      fc.constantFrom('queued', 'running'),
      fc.record({ in: fc.array(fc.constantFrom('queued', 'paused'), { maxLength: 3 }) }),
    ),
    leaseFence: fc.oneof(fc.nat(), fc.record({ lt: fc.nat(), gte: fc.nat() })),
    leaseHolder: fc.oneof(fc.constant(null), fc.string(), fc.record({ isNull: fc.boolean() })),
    leaseExpiresAt: fc.oneof(
      fc.constant({ lt: storageNow({ plusMs: -100 }) }),
      fc.date({ noInvalidDate: true }).map((at) => ({ gt: at })),
    ),
  },
  { requiredKeys: [] },
)
const changes = fc.record(
  {
    status: fc.constantFrom('running', 'completed'),
    leaseFence: fc.oneof(fc.nat(), fc.constant(increment(2))),
    leaseExpiresAt: fc.oneof(fc.constant(null), fc.constant(storageNow({ plusMs: 30_000 })), fc.date({ noInvalidDate: true })),
    ownsSession: fc.boolean(),
    parameters: fc.dictionary(fc.string(), fc.jsonValue()),
    failureReason: fc.option(fc.string()),
  },
  { requiredKeys: ['status'] },
)
const blockValues = {
  currentIndex: fc.option(fc.nat()),
  output: fc.option(fc.jsonValue(), { nil: null }),
  durationMs: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
}
const blockRow = fc.record(blockValues).map((values) => ({
  organizationId: 'acme',
  workflowRunId: 'wr_1',
  label: 'a',
  type: 'code',
  status: 'running',
  attempt: 1,
  sequence: 1,
  startedAt: new Date(0),
  ...values,
}))
const others = fc.uniqueArray(
  fc.oneof(
    fc.record({ op: fc.constant('insert'), id: fc.string({ minLength: 1 }), values: blockRow, isSilent: fc.boolean() }),
    fc.record({
      op: fc.constant('update'),
      id: fc.string({ minLength: 1 }),
      values: fc.record(blockValues, { requiredKeys: [] }),
      isSilent: fc.boolean(),
    }),
    fc.record({ op: fc.constant('delete'), id: fc.string({ minLength: 1 }), values: fc.constant({}), isSilent: fc.constant(false) }),
  ),
  { maxLength: 4, selector: ({ id }) => id },
)
const otherWrites = others.map((all) =>
  all.map(({ op, id, values, isSilent }): Write => {
    const silent = isSilent ? { returning: false } : {}
    if (op === 'insert') return { op, table: 'run_blocks', row: { runBlockId: id, ...values }, ...silent } as Write
    return (op === 'update' ? { op, table: 'run_blocks', id, set: values, ...silent } : { op, table: 'run_blocks', id }) as Write
  }),
)
const events = fc.array(fc.jsonValue(), { maxLength: 6 })
const batch = fc
  .tuple(fc.string({ minLength: 1 }), condition, changes, events, fc.array(condition, { maxLength: 2 }), otherWrites, fc.boolean())
  .map(([id, where, set, payloads, any, more, isLast]): readonly Write[] => {
    const update = { op: 'update', table: 'runs', id, where: { ...where, ...(any.length === 0 ? {} : { any }) }, set } as Write
    const appended = payloads.map((payload, place) => ({ id: `evt_${place}`, type: 't', organizationId: 'acme', payload }))
    const append = { op: 'append', stream: `run:${id}`, events: appended } as Write
    return [...(isLast ? [...more, update] : [update, ...more]), ...(payloads.length > 0 ? [append] : [])]
  })

it('gives what compiling anew gives, whatever came before', () => {
  const cache = new StatementCache(dialect)
  fc.assert(
    fc.property(batch, (writes) => {
      const canonical = canonicalBatch(writes).writes
      const order = chainOrder(canonical) ?? []
      const fresh = compileChain(dialect, canonical, order, COMMIT_ID)
      const cached = cache.compile(canonical, order, COMMIT_ID)
      expect(cached?.text).toBe(fresh?.text)
      expect(cached?.values).toEqual(fresh?.values)
    }),
    { numRuns: 2_000 },
  )
})
