import assert from 'node:assert/strict'
import { type RunRow, storageNow, type Where } from '../../../../src/storage/index.js'
import { applied, type ContractCase, insertBlock, insertRun, runIds, T0 } from './contract.js'

const at = (seconds: number) => new Date(T0.getTime() + seconds * 1_000)

/** Conditions with the runs that meet them, of a, b, c. */
const conditions: [name: string, where: Where<RunRow>, expected: string[]][] = [
  ['a plain value', { status: 'queued' }, ['a', 'b']],
  ['plain null', { idempotencyKey: null }, ['c']],
  ['an undefined entry', { status: undefined } as unknown as Where<RunRow>, ['a', 'b', 'c']],
  ['eq on text', { workflowTitle: { eq: 'Äpfel' } }, ['b']],
  ['eq on an instant', { createdAt: { eq: at(1) } }, ['b']],
  ['eq on the primary key', { workflowRunId: 'c' }, ['c']],
  ['eq on a boolean', { ownsSession: true }, ['b']],
  ['ne, never true for null', { idempotencyKey: { ne: 'k1' } }, ['b']],
  ['in', { status: { in: ['failed', 'queued'] }, workflowRunId: { in: ['b', 'c', 'c', 'z'] } }, ['b', 'c']],
  ['an empty in', { status: { in: [] } }, []],
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
  ['storageNow', { leaseExpiresAt: { lt: storageNow() } }, ['a']],
  ['storageNow, shifted', { leaseExpiresAt: { gt: storageNow({ plusMs: 1_000 }) } }, ['b']],
  ['any', { any: [{ priority: 1 }, { status: 'failed', priority: 3 }] }, ['a', 'c']],
  ['any beside and', { status: 'queued', any: [{ priority: 2 }, { priority: 3 }] }, ['b']],
  ['an empty any', { any: [] }, []],
  ['any within any', { any: [{ any: [{ priority: 1 }] }, { any: [{ priority: 2 }] }] }, ['a', 'b']],
  ['nothing', {}, ['a', 'b', 'c']],
]

const threeRuns = async (storage: Parameters<ContractCase['run']>[0]) => {
  const now = (await storage.now()).getTime()
  const past = new Date(now - 60_000)
  const future = new Date(now + 60_000)
  await applied(
    storage,
    insertRun('b', {
      priority: 2,
      idempotencyKey: 'k2',
      workflowTitle: 'Äpfel',
      ownsSession: true,
      outputs: {},
      createdAt: at(1),
      leaseExpiresAt: future,
    }),
    insertRun('a', { priority: 1, idempotencyKey: 'k1', durationMs: 0.5, leaseExpiresAt: past }),
    insertRun('c', { priority: 3, status: 'failed', workflowTitle: '100%_sure', createdAt: at(2) }),
  )
}

export const queryCases: ContractCase[] = [
  ...conditions.map(([name, where, expected]): ContractCase => {
    return {
      name: `condition: ${name}`,
      async run(storage) {
        await threeRuns(storage)
        assert.deepEqual(await runIds(storage, { where }), expected)
        assert.equal(await storage.count('runs', where), expected.length)
      },
    }
  }),
  {
    name: 'get finds by primary key, and nothing for an unknown one',
    async run(storage) {
      await threeRuns(storage)
      assert.equal((await storage.get('runs', 'b'))?.workflowTitle, 'Äpfel')
      assert.equal(await storage.get('runs', 'z'), undefined)
      assert.equal(await storage.get('run_blocks', 'b'), undefined)
    },
  },
  {
    name: 'find orders by several columns, nulls last in both directions, then by primary key',
    async run(storage) {
      await applied(
        storage,
        insertRun('d', { durationMs: 1 }),
        insertRun('a', { durationMs: 2 }),
        insertRun('c'),
        insertRun('b'),
        insertRun('e', { durationMs: 1, priority: 5 }),
      )
      assert.deepEqual(await runIds(storage, {}), ['a', 'b', 'c', 'd', 'e'])
      assert.deepEqual(await runIds(storage, { orderBy: [{ column: 'durationMs' }] }), ['d', 'e', 'a', 'b', 'c'])
      assert.deepEqual(await runIds(storage, { orderBy: [{ column: 'durationMs', direction: 'desc' }] }), ['a', 'd', 'e', 'b', 'c'])
      const orderBy = [{ column: 'durationMs' }, { column: 'priority', direction: 'desc' }] as const
      assert.deepEqual(await runIds(storage, { orderBy }), ['e', 'd', 'a', 'b', 'c'])
      assert.deepEqual(await runIds(storage, { orderBy: [{ column: 'workflowRunId', direction: 'desc' }], limit: 2 }), ['e', 'd'])
    },
  },
  {
    name: 'text sorts by code point, whatever its script',
    async run(storage) {
      const ids = ['Z', 'a', 'ä', '\uff5e', '\u{1f600}'] // by UTF-16 unit, the emoji would come before U+FF5E
      await applied(storage, ...ids.toReversed().map((id) => insertRun(id)))
      assert.deepEqual(await runIds(storage, {}), ids)
    },
  },
  {
    name: 'paging reads every row once, also where rows tie, are null, or come and go meanwhile',
    async run(storage) {
      await applied(
        storage,
        ...Array.from({ length: 25 }, (_, n) => insertRun(`r${String(n).padStart(2, '0')}`, n % 3 === 0 ? {} : { durationMs: n % 4 })),
      )
      for (const direction of ['asc', 'desc'] as const) {
        const seen: string[] = []
        for (let after: string | undefined; ; after = seen.at(-1)) {
          const page = await runIds(storage, {
            orderBy: [{ column: 'durationMs', direction }],
            limit: 4,
            ...(after === undefined ? {} : { after }),
          })
          if (page.length === 0) break
          seen.push(...page)
          await storage.commit([insertRun(`x_${direction}_${seen.length}`, { durationMs: direction === 'asc' ? -1 : 99 })]) // sorts before what was read
        }
        const original = seen.filter((id) => id.startsWith('r'))
        assert.equal(new Set(seen).size, seen.length)
        assert.equal(original.length, 25)
      }
    },
  },
  {
    name: 'the page after a row that is gone is empty',
    async run(storage) {
      await applied(storage, insertRun('a'), insertRun('b'))
      assert.deepEqual(await runIds(storage, { after: 'a' }), ['b'])
      await applied(storage, { op: 'delete', table: 'runs', id: 'a' })
      assert.deepEqual(await runIds(storage, { after: 'a' }), [])
    },
  },
  {
    name: 'the first few of many are the first few, in both directions',
    async run(storage) {
      const shuffled = Array.from({ length: 500 }, (_, n) => (n * 37) % 500)
      await applied(storage, ...shuffled.map((n) => insertRun(`r${n}`, { priority: n })))
      const first = async (direction: 'asc' | 'desc') => {
        const runs = await storage.find({ table: 'runs', orderBy: [{ column: 'priority', direction }], limit: 3 })
        return runs.map((run) => run.priority)
      }
      assert.deepEqual(await first('asc'), [0, 1, 2])
      assert.deepEqual(await first('desc'), [499, 498, 497])
    },
  },
  {
    name: 'find gives 100 rows unless told otherwise',
    async run(storage) {
      await applied(storage, ...Array.from({ length: 130 }, (_, n) => insertBlock(`rb_${n}`)))
      assert.equal((await storage.find({ table: 'run_blocks' })).length, 100)
      assert.equal((await storage.find({ table: 'run_blocks', limit: 10_000 })).length, 130)
      assert.equal(await storage.count('run_blocks'), 130)
    },
  },
  {
    name: 'a look-up by an indexed column follows updates and deletions',
    async run(storage) {
      await applied(storage, insertRun('a', { browserSessionId: 's1' }), insertRun('b', { browserSessionId: 's1' }), insertRun('c'))
      await applied(storage, { op: 'update', table: 'runs', id: 'a', set: { browserSessionId: 's2' } })
      assert.deepEqual(await runIds(storage, { where: { browserSessionId: 's1' } }), ['b'])
      assert.deepEqual(await runIds(storage, { where: { browserSessionId: { in: ['s1', 's2'] } } }), ['a', 'b'])
      assert.deepEqual(await runIds(storage, { where: { browserSessionId: null } }), ['c'])
      await applied(storage, { op: 'delete', table: 'runs', id: 'b' })
      assert.deepEqual(await runIds(storage, { where: { browserSessionId: 's1' } }), [])
    },
  },
]
