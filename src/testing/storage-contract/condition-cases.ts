import assert from 'node:assert/strict'
import { type RunRow, type Storage, storageNow, type Where } from '../../storage/index.js'
import { applied, type ContractCase, idsOf, refused, runIds, sorted } from './kit.js'
import { insertRun, T0 } from './samples.js'

const at = (seconds: number) => new Date(T0.getTime() + seconds * 1_000)

/** Conditions with the runs that meet them, of a, b, c. */
const conditions: [name: string, where: Where<RunRow>, expected: string[]][] = [
  ['a plain value', { status: 'queued' }, ['a', 'b']],
  ['plain null', { idempotencyKey: null }, ['c']],
  ['an undefined entry', { status: undefined } as unknown as Where<RunRow>, ['a', 'b', 'c']],
  ['eq on text', { workflowTitle: { eq: 'Äpfel' } }, ['b']],
  ['eq on text minds case', { workflowTitle: { eq: 'äpfel' } }, []],
  ['eq on an instant', { createdAt: { eq: at(1) } }, ['b']],
  ['eq on the primary key', { workflowRunId: 'c' }, ['c']],
  ['eq on a boolean', { ownsSession: true }, ['b']],
  ['eq on a float', { durationMs: 0.5 }, ['a']],
  ['ne, never true for null', { idempotencyKey: { ne: 'k1' } }, ['b']],
  ['in', { status: { in: ['failed', 'queued'] }, workflowRunId: { in: ['b', 'c', 'c', 'z'] } }, ['b', 'c']],
  ['in on instants', { createdAt: { in: [at(1), at(2), at(9)] } }, ['b', 'c']],
  ['an empty in', { status: { in: [] } }, []],
  ['a long in', { priority: { in: Array.from({ length: 1_000 }, (_, index) => index + 3) } }, ['c']],
  ['notIn, never true for null', { idempotencyKey: { notIn: ['k1'] } }, ['b']],
  ['an empty notIn, not for null either', { idempotencyKey: { notIn: [] } }, ['a', 'b']],
  ['lt', { priority: { lt: 2 } }, ['a']],
  ['lte on an instant', { createdAt: { lte: at(1) } }, ['a', 'b']],
  ['gt', { priority: { gt: 2 } }, ['c']],
  ['gte and lt together', { priority: { gte: 2, lt: 3 } }, ['b']],
  ['gt on null', { durationMs: { gt: -1 } }, ['a']],
  ['text in order of code points', { workflowTitle: { gt: 'z' } }, ['b']],
  ['isNull', { outputs: { isNull: false } }, ['b']],
  ['contains, in any case', { workflowTitle: { contains: 'ÄP' } }, ['b']],
  ['contains takes % and _ as they are', { workflowTitle: { contains: '%_' } }, ['c']],
  ['contains takes a backslash as it is', { workflowTitle: { contains: '\\' } }, ['c']],
  ['contains of nothing, but not for null', { idempotencyKey: { contains: '' } }, ['a', 'b']],
  ['storageNow', { leaseExpiresAt: { lt: storageNow() } }, ['a']],
  ['storageNow, shifted', { leaseExpiresAt: { gt: storageNow({ plusMs: 1_000 }) } }, ['b']],
  ['any', { any: [{ priority: 1 }, { status: 'failed', priority: 3 }] }, ['a', 'c']],
  ['any beside and', { status: 'queued', any: [{ priority: 2 }, { priority: 3 }] }, ['b']],
  ['an empty any', { any: [] }, []],
  ['an alternative without conditions', { any: [{}] }, ['a', 'b', 'c']],
  ['any within any', { any: [{ any: [{ priority: 1 }] }, { any: [{ priority: 2 }] }] }, ['a', 'b']],
  ['two alternatives of nested and', { any: [{ status: 'queued', any: [{ priority: 1 }, { priority: 3 }] }, { priority: 9 }] }, ['a']],
  ['nothing', {}, ['a', 'b', 'c']],
]

async function threeRuns(storage: Storage): Promise<void> {
  const now = (await storage.now()).getTime()
  const past = new Date(now - 60_000)
  const future = new Date(now + 60_000)
  const b = { workflowTitle: 'Äpfel', ownsSession: true, outputs: {}, createdAt: at(1), leaseExpiresAt: future }
  await applied(
    storage,
    insertRun('b', { priority: 2, idempotencyKey: 'k2', ...b }),
    insertRun('a', { priority: 1, idempotencyKey: 'k1', durationMs: 0.5, leaseExpiresAt: past }),
    insertRun('c', { priority: 3, status: 'failed', workflowTitle: '100%_sure\\', createdAt: at(2) }),
  )
}

/** Every operator, in queries and in writes: an adapter that has them in two places can have them wrong in one. */
export const conditionCases: ContractCase[] = [
  ...conditions.map(([name, where, expected]): ContractCase => {
    return {
      name: `condition: ${name}`,
      async run(storage) {
        await threeRuns(storage)
        assert.deepEqual(await runIds(storage, { where }), expected, 'find')
        assert.equal(await storage.count('runs', where), expected.length, 'count')
        const all = await applied(storage, { op: 'updateAll', table: 'runs', where, set: { attempt: 1 } })
        assert.deepEqual(sorted(idsOf(all.rows[0])), expected, 'updateAll')
        for (const id of ['a', 'b', 'c']) {
          const result = await storage.commit([{ op: 'update', table: 'runs', id, where, set: { attempt: 2 } }])
          assert.equal(result.ok, expected.includes(id), `update of ${id}`)
        }
        const claim = { op: 'claim', table: 'runs', where, orderBy: [], set: { attempt: 3 } } as const
        if (expected.length === 0) assert.equal((await refused(storage, claim)).reason, 'missing', 'claim')
        else assert.deepEqual(idsOf((await applied(storage, claim)).rows[0]), expected.slice(0, 1), 'claim')
      },
    }
  }),
  {
    name: 'a condition on the organisation keeps the rows of others out of every call',
    async run(storage) {
      await applied(storage, insertRun('a', { organizationId: 'org_1' }), insertRun('b', { organizationId: 'org_2' }))
      const where = { organizationId: 'org_1' }
      assert.deepEqual(await runIds(storage, { where }), ['a'])
      assert.equal(await storage.count('runs', where), 1)
      const set = { priority: 1 }
      assert.equal((await refused(storage, { op: 'update', table: 'runs', id: 'b', where, set })).reason, 'precondition')
      assert.equal((await refused(storage, { op: 'delete', table: 'runs', id: 'b', where })).reason, 'precondition')
      const all = await applied(storage, { op: 'updateAll', table: 'runs', where, set })
      const named = await applied(storage, { op: 'updateAll', table: 'runs', where, rows: [{ id: 'a' }, { id: 'b' }], set })
      const claimed = await applied(storage, { op: 'claim', table: 'runs', where, orderBy: [{ column: 'priority' }], set })
      assert.deepEqual(
        [all, named, claimed].flatMap((result) => idsOf(result.rows[0])),
        ['a', 'a', 'a'],
      )
      assert.equal((await storage.get('runs', 'b'))?.priority, 0)
    },
  },
]
