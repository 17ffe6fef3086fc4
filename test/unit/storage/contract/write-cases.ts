import assert from 'node:assert/strict'
import { increment, type RunRow, storageNow, type Write } from '../../../../src/storage/index.js'
import { append, applied, aRun, type ContractCase, getRun, insertBlock, insertRun, onlyRow, refused, runIds, T0 } from './contract.js'

/** A write of each op that applies after `insertRun('wr_1')`. */
const harmless: Write[] = [
  insertRun('wr_new'),
  { op: 'update', table: 'runs', id: 'wr_1', set: { priority: 9 } },
  { op: 'updateAll', table: 'runs', where: { workflowRunId: 'wr_2' }, set: { priority: 9 } },
  { op: 'claim', table: 'runs', where: { workflowRunId: 'wr_3' }, orderBy: [{ column: 'createdAt' }], set: { status: 'running' } },
  { op: 'delete', table: 'runs', id: 'wr_4' },
  append('run:wr_1', 'evt_new'),
  { op: 'deleteStream', stream: 'run:old' },
]

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
      await applied(storage, insertRun('wr_1', { idempotencyKey: 'k' }), insertRun('wr_2'), insertRun('wr_3'))
      const refusal = await refused(storage, insertRun('wr_4', { idempotencyKey: 'k' }))
      assert.deepEqual([refusal.index, refusal.reason, refusal.constraint], [0, 'duplicate', 'runs_idempotency_key'])
      assert.equal((refusal.current as RunRow).workflowRunId, 'wr_1')
      await applied(storage, insertRun('wr_5', { idempotencyKey: 'k', organizationId: 'other' }))
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
    name: 'an update with an empty set only tests its condition',
    async run(storage) {
      await applied(storage, insertRun('wr_1'))
      await applied(storage, { op: 'update', table: 'runs', id: 'wr_1', where: { status: 'queued' }, set: {} }, append('s', 'e'))
      await refused(storage, { op: 'update', table: 'runs', id: 'wr_1', where: { status: 'running' }, set: {} }, append('s', 'e'))
      assert.equal((await storage.readEvents({ stream: 's' })).length, 1)
    },
  },
  {
    name: 'increment adds to what is stored and leaves null alone; storageNow is the storage’s clock',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { priority: 3, durationMs: 1.5 }))
      const before = (await storage.now()).getTime()
      const set = {
        priority: increment(2),
        durationMs: increment(-0.5),
        maxSteps: increment(),
        leaseExpiresAt: storageNow({ plusMs: 5_000 }),
      }
      await applied(
        storage,
        { op: 'update', table: 'runs', id: 'wr_1', set },
        {
          op: 'insert',
          table: 'runs',
          row: { ...aRun('wr_2'), createdAt: storageNow() },
        },
      )
      const run = await getRun(storage, 'wr_1')
      assert.deepEqual([run.priority, run.durationMs, run.maxSteps], [5, 1, null])
      const expires = run.leaseExpiresAt?.getTime() ?? 0
      assert.ok(expires >= before + 5_000 && expires <= (await storage.now()).getTime() + 5_000)
      assert.ok((await getRun(storage, 'wr_2')).createdAt.getTime() >= before)
    },
  },
  {
    name: 'updateAll changes every matching row, returns them, and never refuses',
    async run(storage) {
      await applied(storage, insertRun('wr_1'), insertRun('wr_2', { status: 'running' }), insertRun('wr_3'))
      const result = await applied(storage, { op: 'updateAll', table: 'runs', where: { status: 'queued' }, set: { priority: 4 } })
      assert.deepEqual(result.rows[0]?.map((row) => (row as RunRow).workflowRunId).sort(), ['wr_1', 'wr_3'])
      assert.equal((await getRun(storage, 'wr_2')).priority, 0)
      const none = await applied(storage, { op: 'updateAll', table: 'runs', where: { status: 'paused' }, set: { priority: 5 } })
      assert.deepEqual(none.rows, [[]])
    },
  },
  {
    name: 'updateAll with rows tests each row’s own condition beside the common one',
    async run(storage) {
      await applied(
        storage,
        insertRun('wr_1', { leaseFence: 1 }),
        insertRun('wr_2', { leaseFence: 5 }),
        insertRun('wr_3', { status: 'failed' }),
      )
      const rows = [
        { id: 'wr_1', where: { leaseFence: 1 } },
        { id: 'wr_2', where: { leaseFence: 4 } },
        { id: 'wr_3', where: { leaseFence: 0 } },
        { id: 'gone', where: { leaseFence: 0 } },
      ]
      const result = await applied(storage, { op: 'updateAll', table: 'runs', where: { status: 'queued' }, rows, set: { priority: 1 } })
      assert.deepEqual(
        result.rows[0]?.map((row) => (row as RunRow).workflowRunId),
        ['wr_1'],
      )
      const none = await applied(storage, { op: 'updateAll', table: 'runs', rows: [], set: { priority: 1 } })
      assert.deepEqual(none.rows, [[]])
    },
  },
  {
    name: 'claim takes the first match in its order, each row once, and is missing when there is none',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { priority: 1 }), insertRun('wr_2', { priority: 2 }), insertRun('wr_3', { priority: 2 }))
      const claim: Write = {
        op: 'claim',
        table: 'runs',
        where: { status: 'queued' },
        orderBy: [{ column: 'priority', direction: 'desc' }],
        set: { status: 'running', leaseFence: increment() },
      }
      const taken = await Promise.all([1, 2, 3, 4].map(() => storage.commit([claim])))
      const ids = taken.map((result) => (result.ok ? (onlyRow(result.rows) as RunRow).workflowRunId : result.reason))
      assert.deepEqual(ids.toSorted(), ['missing', 'wr_1', 'wr_2', 'wr_3'])
      assert.equal(ids[0], 'wr_2')
    },
  },
  {
    name: 'claim and updateAll leave alone what the batch names or takes elsewhere',
    async run(storage) {
      await applied(storage, insertRun('wr_1'), insertRun('wr_2'), insertRun('wr_3'))
      const claim: Write = { op: 'claim', table: 'runs', where: { status: 'queued' }, orderBy: [], set: { attempt: 1 } }
      const result = await applied(
        storage,
        claim,
        { op: 'updateAll', table: 'runs', set: { attempt: 2 } },
        { op: 'update', table: 'runs', id: 'wr_1', set: { attempt: 3 } },
        insertRun('wr_4'),
      )
      assert.deepEqual(
        result.rows.map((rows) => rows.map((row) => (row as RunRow).workflowRunId)),
        [['wr_2'], ['wr_3'], ['wr_1'], ['wr_4']],
      )
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
  {
    name: 'a unique key that changed hands within a refused batch stays where it was',
    async run(storage) {
      await applied(storage, insertRun('wr_1', { idempotencyKey: 'k' }), insertRun('wr_2'))
      const pass: Write[] = [
        { op: 'update', table: 'runs', id: 'wr_1', set: { idempotencyKey: null } },
        { op: 'update', table: 'runs', id: 'wr_2', set: { idempotencyKey: 'k' } },
      ]
      await refused(storage, ...pass, { op: 'delete', table: 'runs', id: 'none' })
      assert.equal((await refused(storage, insertRun('wr_3', { idempotencyKey: 'k' }))).constraint, 'runs_idempotency_key')
      await applied(storage, ...pass)
      assert.equal((await refused(storage, insertRun('wr_3', { idempotencyKey: 'k' }))).constraint, 'runs_idempotency_key')
    },
  },
  {
    name: 'delete takes the row and its keys away, only while its condition holds',
    async run(storage) {
      await applied(storage, insertRun('wr_1'))
      assert.equal(
        (await refused(storage, { op: 'delete', table: 'runs', id: 'wr_1', where: { status: 'failed' } })).reason,
        'precondition',
      )
      const result = await applied(storage, { op: 'delete', table: 'runs', id: 'wr_1', where: { status: 'queued' } })
      assert.deepEqual(result.rows, [[]])
      assert.equal(await storage.get('runs', 'wr_1'), undefined)
      await applied(storage, insertRun('wr_1'))
    },
  },
  ...harmless.map((_, position): ContractCase => {
    return {
      name: `a refusal after write ${position} (${harmless[position]?.op}) takes all of the batch back`,
      async run(storage) {
        await applied(
          storage,
          ...['wr_1', 'wr_2', 'wr_3', 'wr_4'].map((id) => insertRun(id)),
          append('run:old', 'e1', 'e2'),
          append('run:wr_1', 'e3'),
        )
        const state = async () => ({
          runs: await storage.find({ table: 'runs' }),
          events: [await storage.readEvents({ stream: 'run:old' }), await storage.readEvents({ stream: 'run:wr_1' })],
        })
        const before = await state()
        const batch = [...harmless.slice(0, position + 1), { op: 'delete', table: 'run_blocks', id: 'none' } as const]
        assert.equal((await refused(storage, ...batch, insertBlock('rb_1'))).index, position + 1)
        assert.deepEqual(await state(), before)
        await applied(storage, ...harmless, insertBlock('rb_1'))
      },
    }
  }),
  {
    name: 'of 64 writers that race for 8 rows, exactly one wins each',
    async run(storage) {
      await applied(storage, ...Array.from({ length: 8 }, (_, row) => insertRun(`wr_${row}`)))
      const races = Array.from({ length: 64 }, async (_, writer) => {
        const wins: number[] = []
        for (let row = 0; row < 8; row++) {
          const set = { leaseHolder: `host_${writer}`, leaseFence: increment() }
          const result = await storage.commit([{ op: 'update', table: 'runs', id: `wr_${row}`, where: { leaseHolder: null }, set }])
          if (result.ok) wins.push(row)
        }
        return wins
      })
      const wins = (await Promise.all(races)).flat()
      assert.deepEqual(wins.toSorted(), [0, 1, 2, 3, 4, 5, 6, 7])
      assert.deepEqual(new Set((await storage.find({ table: 'runs' })).map((run) => run.leaseFence)), new Set([1]))
      assert.equal((await runIds(storage, { where: { leaseHolder: null } })).length, 0)
    },
  },
  {
    name: 'an empty batch is applied',
    async run(storage) {
      assert.deepEqual(await storage.commit([]), { ok: true, rows: [], events: [] })
    },
  },
]
