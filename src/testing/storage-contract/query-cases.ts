import assert from 'node:assert/strict'
import { applied, type ContractCase, runIds } from './kit.js'
import { insertBlock, insertRun } from './samples.js'

/** Reads: by key, in order, page by page. */
export const queryCases: ContractCase[] = [
  {
    name: 'get finds by primary key, and nothing for an unknown one',
    async run(storage) {
      await applied(storage, insertRun('b', { workflowTitle: 'Äpfel' }))
      assert.equal((await storage.get('runs', 'b'))?.workflowTitle, 'Äpfel')
      assert.equal(await storage.get('runs', 'z'), undefined)
      assert.equal(await storage.get('runs', 'B'), undefined, 'keys mind case')
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
    name: 'numbers sort as numbers, instants as instants, false before true',
    async run(storage) {
      const [early, late] = [new Date(-86_400_000), new Date('2026-03-01T10:00:00.124Z')]
      await applied(
        storage,
        insertRun('a', { priority: 10, startedAt: late, ownsSession: true }),
        insertRun('b', { priority: 9, startedAt: early }),
        insertRun('c', { priority: -1 }),
      )
      assert.deepEqual(await runIds(storage, { orderBy: [{ column: 'priority' }] }), ['c', 'b', 'a'])
      assert.deepEqual(await runIds(storage, { orderBy: [{ column: 'startedAt' }] }), ['b', 'a', 'c'])
      assert.deepEqual(await runIds(storage, { orderBy: [{ column: 'ownsSession' }] }), ['b', 'c', 'a'])
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
      const twentyFive = Array.from({ length: 25 }, (_, n) =>
        insertRun(`r${String(n).padStart(2, '0')}`, n % 3 === 0 ? {} : { durationMs: n % 4 }),
      )
      await applied(storage, ...twentyFive)
      for (const direction of ['asc', 'desc'] as const) {
        const seen: string[] = []
        for (let after: string | undefined; seen.length < 100; after = seen.at(-1)) {
          const orderBy = [{ column: 'durationMs', direction }] as const
          const page = await runIds(storage, { orderBy, limit: 4, ...(after === undefined ? {} : { after }) })
          if (page.length === 0) break
          seen.push(...page)
          const first = direction === 'asc' ? -1 : 99 // sorts before what was read
          await applied(storage, insertRun(`x_${direction}_${seen.length}`, { durationMs: first }))
        }
        assert.equal(new Set(seen).size, seen.length, `${direction}: a row came twice`)
        assert.equal(seen.filter((id) => id.startsWith('r')).length, 25, `${direction}: rows were skipped`)
      }
    },
  },
  {
    name: 'a page keeps to its condition and to several columns in different directions',
    async run(storage) {
      const rows = Array.from({ length: 12 }, (_, n) => insertRun(`r${n}`, { priority: n % 2, status: n % 3 === 0 ? 'failed' : 'queued' }))
      await applied(storage, ...rows)
      const params = {
        where: { status: 'queued' },
        orderBy: [{ column: 'priority', direction: 'desc' }, { column: 'workflowRunId' }],
      } as const
      const all = await runIds(storage, params)
      assert.deepEqual(all, ['r1', 'r11', 'r5', 'r7', 'r10', 'r2', 'r4', 'r8'])
      for (const [index, after] of all.entries())
        assert.deepEqual(await runIds(storage, { ...params, after, limit: 3 }), all.slice(index + 1, index + 4))
      assert.deepEqual(await runIds(storage, { ...params, after: 'r3', limit: 1 }), ['r5'], 'after a row that does not meet the condition')
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
    name: 'find gives 100 rows unless told otherwise; count counts all',
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
