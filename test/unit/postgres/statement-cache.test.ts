import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compileSingle } from '../../../src/postgres/compile-single.js'
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
const batch = fc
  .tuple(fc.string({ minLength: 1 }), condition, changes, fc.boolean(), fc.jsonValue(), fc.array(condition, { maxLength: 2 }))
  .map(([id, where, set, hasEvent, payload, any]): readonly Write[] => [
    { op: 'update', table: 'runs', id, where: { ...where, ...(any.length === 0 ? {} : { any }) }, set } as Write,
    ...(hasEvent
      ? [{ op: 'append', stream: `run:${id}`, events: [{ id: 'evt_1', type: 't', organizationId: 'acme', payload }] } as Write]
      : []),
  ])

it('gives what compiling anew gives, whatever came before', () => {
  const cache = new StatementCache(dialect)
  fc.assert(
    fc.property(batch, (writes) => {
      const canonical = canonicalBatch(writes).writes
      const fresh = compileSingle(dialect, canonical, COMMIT_ID)
      const cached = cache.compile(canonical, COMMIT_ID)
      expect(cached?.text).toBe(fresh?.text)
      expect(cached?.values).toEqual(fresh?.values)
    }),
    { numRuns: 2_000 },
  )
})
