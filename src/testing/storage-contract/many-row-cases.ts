import assert from 'node:assert/strict'
import { increment, type RunRow, type Write } from '../../storage/index.js'
import { applied, type ContractCase, getRun, idsOf, onlyRow, refused, sorted } from './kit.js'
import { insertRun } from './samples.js'

const claimFirst: Write = {
  op: 'claim',
  table: 'runs',
  where: { status: 'queued' },
  orderBy: [{ column: 'priority', direction: 'desc' }],
  set: { status: 'running', leaseFence: increment() },
}

/** Writes that find their rows: `updateAll` and `claim`. */
export const manyRowCases: ContractCase[] = [
  {
    name: 'updateAll changes every matching row, returns them, and never refuses',
    async run(storage) {
      await applied(storage, insertRun('wr_1'), insertRun('wr_2', { status: 'running' }), insertRun('wr_3'))
      const result = await applied(storage, { op: 'updateAll', table: 'runs', where: { status: 'queued' }, set: { priority: 4 } })
      assert.deepEqual(sorted(idsOf(result.rows[0])), ['wr_1', 'wr_3'])
      assert.deepEqual(
        result.rows[0]?.map((row) => (row as RunRow).priority),
        [4, 4],
      )
      assert.equal((await getRun(storage, 'wr_2')).priority, 0)
      const none = await applied(storage, { op: 'updateAll', table: 'runs', where: { status: 'paused' }, set: { priority: 5 } })
      assert.deepEqual(none.rows, [[]])
    },
  },
  {
    name: 'updateAll with rows tests each row’s own condition beside the common one',
    async run(storage) {
      const failed = { status: 'failed', leaseFence: 0 } as const
      await applied(storage, insertRun('wr_1', { leaseFence: 1 }), insertRun('wr_2', { leaseFence: 5 }), insertRun('wr_3', failed))
      const rows = [
        { id: 'wr_1', where: { leaseFence: 1 } },
        { id: 'wr_2', where: { leaseFence: 4 } },
        { id: 'wr_3', where: { leaseFence: 0 } },
        { id: 'gone', where: { leaseFence: 0 } },
      ]
      const result = await applied(storage, { op: 'updateAll', table: 'runs', where: { status: 'queued' }, rows, set: { priority: 1 } })
      assert.deepEqual(idsOf(result.rows[0]), ['wr_1'])
      assert.deepEqual([(await getRun(storage, 'wr_2')).priority, (await getRun(storage, 'wr_3')).priority], [0, 0])
      const none = await applied(storage, { op: 'updateAll', table: 'runs', rows: [], set: { priority: 1 } })
      assert.deepEqual(none.rows, [[]], 'an empty `rows` names no row')
    },
  },
  {
    name: 'updateAll takes 500 rows with their own conditions at once',
    async run(storage) {
      const ids = Array.from({ length: 500 }, (_, index) => `wr_${index}`)
      await applied(storage, ...ids.map((id, index) => insertRun(id, { leaseFence: index })))
      const rows = ids.map((id, index) => ({ id, where: { leaseFence: index % 2 === 0 ? index : -1 } }))
      const result = await applied(storage, { op: 'updateAll', table: 'runs', rows, set: { priority: 1 } })
      assert.equal(result.rows[0]?.length, 250)
      assert.equal(await storage.count('runs', { priority: 1 }), 250)
    },
  },
  {
    name: 'claim takes the first match in its order, and is missing when there is none',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { priority: 1 }), insertRun('wr_2', { priority: 2 }), insertRun('wr_3', { priority: 2 }))
      const taken: string[] = []
      for (let round = 0; round < 4; round++) {
        const result = await storage.commit([claimFirst])
        taken.push(result.ok ? (onlyRow(result.rows) as RunRow).workflowRunId : result.reason)
      }
      assert.deepEqual(taken, ['wr_2', 'wr_3', 'wr_1', 'missing'])
      assert.equal((await getRun(storage, 'wr_1')).status, 'running')
    },
  },
  {
    name: 'claim never gives a row twice, however many claim at once',
    async run(storage) {
      await applied(storage, ...Array.from({ length: 40 }, (_, index) => insertRun(`wr_${index}`, { priority: index % 3 })))
      const claims = await Promise.all(Array.from({ length: 48 }, () => storage.commit([claimFirst])))
      const taken = claims.flatMap((result) => (result.ok ? idsOf(result.rows[0]) : []))
      assert.equal(new Set(taken).size, taken.length, 'a row was claimed twice')
      assert.equal(taken.length, 40)
      assert.equal(await storage.count('runs', { leaseFence: 1, status: 'running' }), 40)
    },
  },
  {
    name: 'claim and updateAll leave alone what the batch names or takes elsewhere',
    async run(storage) {
      await applied(storage, insertRun('wr_1'), insertRun('wr_2'), insertRun('wr_3'))
      const claim: Write = { op: 'claim', table: 'runs', where: { status: 'queued' }, orderBy: [], set: { attempt: 1 } }
      const updateAll: Write = { op: 'updateAll', table: 'runs', set: { attempt: 2 } }
      const update: Write = { op: 'update', table: 'runs', id: 'wr_1', set: { attempt: 3 } }
      const result = await applied(storage, claim, updateAll, update, insertRun('wr_4'))
      assert.deepEqual(result.rows.map(idsOf), [['wr_2'], ['wr_3'], ['wr_1'], ['wr_4']])
      const runs = await storage.find({ table: 'runs' })
      assert.deepEqual(
        runs.map((run) => run.attempt),
        [3, 1, 2, 0],
      )
    },
  },
  {
    name: 'what one updateAll changed is left alone by later ones and by claims',
    async run(storage) {
      await applied(storage, insertRun('wr_1'), insertRun('wr_2', { priority: 1 }))
      const batch: Write[] = [
        { op: 'updateAll', table: 'runs', where: { priority: 1 }, set: { attempt: 1 } },
        { op: 'updateAll', table: 'runs', set: { attempt: 2 } },
      ]
      const claim: Write = { op: 'claim', table: 'runs', where: {}, orderBy: [], set: { attempt: 3 } }
      assert.equal((await refused(storage, ...batch, claim)).index, 2)
      await applied(storage, ...batch)
      assert.deepEqual(
        (await storage.find({ table: 'runs' })).map((run) => run.attempt),
        [2, 1],
      )
    },
  },
]
