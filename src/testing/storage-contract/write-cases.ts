import assert from 'node:assert/strict'
import { increment, type RunRow, type Write } from '../../storage/index.js'
import { applied, type ContractCase, getRun, onlyRow, refused } from './kit.js'
import { append, insertRun, T0 } from './samples.js'

/** Writes of one row: insert, update, delete, and the keys that they move. */
export const writeCases: ContractCase[] = [
  {
    name: 'insert stores the whole row, absent nullable columns as null, and returns it',
    async run(storage) {
      const result = await applied(storage, insertRun('wr_1', { idempotencyKey: 'k', parameters: { a: [1, { b: null }] } }))
      const row = onlyRow(result.rows) as RunRow
      assert.equal(row.idempotencyKey, 'k')
      assert.equal(row.outputs, null)
      assert.deepEqual(row.createdAt, T0)
      assert.deepEqual(await storage.get('runs', 'wr_1'), row)
    },
  },
  {
    name: 'insert of a present primary key is refused as duplicate of `primary`',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { priority: 7 }))
      const refusal = await refused(storage, append('s', 'e'), insertRun('wr_1'))
      assert.deepEqual([refusal.index, refusal.reason, refusal.constraint], [1, 'duplicate', 'primary'])
      assert.equal((refusal.current as RunRow).priority, 7)
    },
  },
  {
    name: 'a unique key refuses, names itself and shows its holder; null never collides',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { idempotencyKey: 'k' }), insertRun('wr_2'))
      await applied(storage, insertRun('wr_3'))
      const refusal = await refused(storage, insertRun('wr_4', { idempotencyKey: 'k' }))
      assert.deepEqual([refusal.index, refusal.reason, refusal.constraint], [0, 'duplicate', 'runs_idempotency_key'])
      assert.equal((refusal.current as RunRow).workflowRunId, 'wr_1')
      await applied(storage, insertRun('wr_5', { idempotencyKey: 'k', organizationId: 'other' }))
    },
  },
  {
    name: 'two inserts of one batch collide with each other; the second is named',
    async run(storage) {
      const refusal = await refused(storage, insertRun('wr_1', { idempotencyKey: 'k' }), insertRun('wr_2', { idempotencyKey: 'k' }))
      assert.deepEqual([refusal.index, refusal.reason, refusal.constraint], [1, 'duplicate', 'runs_idempotency_key'])
      assert.equal(await storage.count('runs'), 0)
    },
  },
  {
    name: 'an update can run into a unique key, and leaves its own key free when it moves away',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { idempotencyKey: 'a' }), insertRun('wr_2', { idempotencyKey: 'b' }))
      const refusal = await refused(storage, { op: 'update', table: 'runs', id: 'wr_2', set: { idempotencyKey: 'a' } })
      assert.equal(refusal.constraint, 'runs_idempotency_key')
      await applied(storage, { op: 'update', table: 'runs', id: 'wr_1', set: { idempotencyKey: 'c', priority: 1 } })
      await applied(storage, { op: 'update', table: 'runs', id: 'wr_2', set: { idempotencyKey: 'a' } })
      await applied(storage, { op: 'delete', table: 'runs', id: 'wr_2' })
      await applied(storage, insertRun('wr_3', { idempotencyKey: 'a' }))
    },
  },
  {
    name: 'update applies only while the condition holds; a refusal shows the row as it is',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { leaseFence: 2 }))
      const update = (fence: number): Write => ({
        op: 'update',
        table: 'runs',
        id: 'wr_1',
        where: { leaseFence: fence, status: { in: ['queued', 'running'] } },
        set: { status: 'running' },
      })
      const refusal = await refused(storage, update(1))
      assert.deepEqual([refusal.index, refusal.reason, (refusal.current as RunRow).leaseFence], [0, 'precondition', 2])
      assert.equal((onlyRow((await applied(storage, update(2))).rows) as RunRow).status, 'running')
      assert.equal((await getRun(storage, 'wr_1')).createdAt.getTime(), T0.getTime())
    },
  },
  {
    name: 'update and delete of a row that is not there are refused as missing',
    async run(storage) {
      assert.equal((await refused(storage, { op: 'update', table: 'runs', id: 'none', set: { priority: 1 } })).reason, 'missing')
      assert.equal((await refused(storage, { op: 'delete', table: 'runs', id: 'none' })).reason, 'missing')
    },
  },
  {
    name: 'an update with an empty set only tests its condition, and returns the row',
    async run(storage) {
      await applied(storage, insertRun('wr_1'))
      const test = (status: RunRow['status']): Write => ({ op: 'update', table: 'runs', id: 'wr_1', where: { status }, set: {} })
      const result = await applied(storage, test('queued'), append('s', 'e'))
      assert.equal((onlyRow(result.rows) as RunRow).workflowRunId, 'wr_1')
      await refused(storage, test('running'), append('s', 'e'))
      assert.equal((await storage.readEvents({ stream: 's' })).length, 1)
    },
  },
  {
    name: 'increment adds to what is stored, also for writers at the same time, and leaves null alone',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { priority: 3, durationMs: 1.5 }))
      const set = { priority: increment(2), durationMs: increment(-0.5), maxSteps: increment() }
      await applied(storage, { op: 'update', table: 'runs', id: 'wr_1', set })
      const run = await getRun(storage, 'wr_1')
      assert.deepEqual([run.priority, run.durationMs, run.maxSteps], [5, 1, null])
      const increments = Array.from({ length: 20 }, () =>
        applied(storage, { op: 'update', table: 'runs', id: 'wr_1', set: { attempt: increment() } }),
      )
      await Promise.all(increments)
      assert.equal((await getRun(storage, 'wr_1')).attempt, 20, 'increments of concurrent writers got lost')
    },
  },
  {
    name: 'a set can write null, and what it does not name stays',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { idempotencyKey: 'k', failureReason: 'x', outputs: { a: 1 } }))
      const result = await applied(storage, { op: 'update', table: 'runs', id: 'wr_1', set: { failureReason: null, outputs: null } })
      const { failureReason, outputs, idempotencyKey } = onlyRow(result.rows) as RunRow
      assert.deepEqual([failureReason, outputs, idempotencyKey], [null, null, 'k'])
      assert.deepEqual(await getRun(storage, 'wr_1'), onlyRow(result.rows))
    },
  },
  {
    name: 'delete takes the row and its keys away, only while its condition holds',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { idempotencyKey: 'k' }))
      const refusal = await refused(storage, { op: 'delete', table: 'runs', id: 'wr_1', where: { status: 'failed' } })
      assert.equal(refusal.reason, 'precondition')
      const result = await applied(storage, { op: 'delete', table: 'runs', id: 'wr_1', where: { status: 'queued' } })
      assert.deepEqual(result.rows, [[]])
      assert.equal(await storage.get('runs', 'wr_1'), undefined)
      await applied(storage, insertRun('wr_1', { idempotencyKey: 'k' }))
    },
  },
]
