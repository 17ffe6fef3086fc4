import assert from 'node:assert/strict'
import type { Storage, Write } from '../../storage/index.js'
import { applied, type ContractCase, idsOf, refused, seqsOf } from './kit.js'
import { append, insertBlock, insertRun } from './samples.js'

/** A write of each op that applies after the four runs are there. */
const harmless: Write[] = [
  insertRun('wr_new'),
  { op: 'update', table: 'runs', id: 'wr_1', set: { priority: 9 } },
  { op: 'updateAll', table: 'runs', where: { workflowRunId: 'wr_2' }, set: { priority: 9 } },
  { op: 'claim', table: 'runs', where: { workflowRunId: 'wr_3' }, orderBy: [{ column: 'createdAt' }], set: { status: 'running' } },
  { op: 'delete', table: 'runs', id: 'wr_4' },
  append('run:wr_1', 'evt_new'),
  { op: 'deleteStream', stream: 'run:old' },
]

/** Writes that are refused, each for another reason. */
const refusals: [name: string, write: Write, reason: string][] = [
  ['a missing row', { op: 'delete', table: 'run_blocks', id: 'none' }, 'missing'],
  ['a condition', { op: 'update', table: 'run_blocks', id: 'rb_0', where: { label: 'other' }, set: { label: 'x' } }, 'precondition'],
  ['a taken key', insertBlock('rb_0'), 'duplicate'],
  ['nothing to claim', { op: 'claim', table: 'run_blocks', where: { label: 'other' }, orderBy: [], set: { label: 'x' } }, 'missing'],
]

const prepare = (storage: Storage) =>
  applied(
    storage,
    ...['wr_1', 'wr_2', 'wr_3', 'wr_4'].map((id) => insertRun(id)),
    insertBlock('rb_0'),
    append('run:old', 'e1', 'e2'),
    append('run:wr_1', 'e3'),
  )

const stateOf = async (storage: Storage) => ({
  runs: await storage.find({ table: 'runs' }),
  blocks: await storage.find({ table: 'run_blocks' }),
  events: [await storage.readEvents({ stream: 'run:old' }), await storage.readEvents({ stream: 'run:wr_1' })],
})

/** A batch is applied as a whole or not at all. */
export const atomicityCases: ContractCase[] = [
  ...harmless.map((_, position): ContractCase => {
    return {
      name: `a refusal after write ${position} (${harmless[position]?.op}) takes all of the batch back`,
      async run(storage) {
        await prepare(storage)
        const before = await stateOf(storage)
        const batch = [...harmless.slice(0, position + 1), { op: 'delete', table: 'run_blocks', id: 'none' } as const]
        assert.equal((await refused(storage, ...batch, insertBlock('rb_1'))).index, position + 1)
        assert.deepEqual(await stateOf(storage), before)
        await applied(storage, ...harmless, insertBlock('rb_1'))
      },
    }
  }),
  ...refusals.map(([name, write, reason]): ContractCase => {
    return {
      name: `a batch refused for ${name} names its place and reason, and leaves nothing, wherever it stands`,
      async run(storage) {
        await prepare(storage)
        const before = await stateOf(storage)
        for (let index = 0; index <= harmless.length; index++) {
          const refusal = await refused(storage, ...harmless.slice(0, index), write, ...harmless.slice(index))
          assert.deepEqual([refusal.index, refusal.reason], [index, reason], `at place ${index}`)
          assert.deepEqual(await stateOf(storage), before, `at place ${index}`)
        }
      },
    }
  }),
  {
    name: 'the first write that refuses is the one that is named',
    async run(storage) {
      await prepare(storage)
      const [missing, precondition] = [refusals[0]?.[1] as Write, refusals[1]?.[1] as Write]
      const first = await refused(storage, insertBlock('rb_1'), precondition, missing)
      assert.deepEqual([first.index, first.reason], [1, 'precondition'])
      const second = await refused(storage, missing, insertBlock('rb_1'), precondition)
      assert.deepEqual([second.index, second.reason], [0, 'missing'])
    },
  },
  {
    name: 'conditions see the rows as they were before the batch',
    async run(storage) {
      await applied(storage, insertRun('wr_1'), insertRun('wr_2', { status: 'running' }))
      const result = await applied(
        storage,
        { op: 'update', table: 'runs', id: 'wr_1', where: { status: 'queued' }, set: { status: 'running' } },
        { op: 'updateAll', table: 'runs', where: { status: 'running' }, set: { priority: 1 } },
      )
      assert.deepEqual(result.rows.map(idsOf), [['wr_1'], ['wr_2']])
    },
  },
  {
    name: 'a refused append leaves no gap in its stream',
    async run(storage) {
      await applied(storage, append('s', 'e1'))
      await refused(storage, append('s', 'lost'), { op: 'delete', table: 'runs', id: 'none' })
      await refused(storage, { op: 'delete', table: 'runs', id: 'none' }, append('s', 'lost'))
      await applied(storage, append('s', 'e2'))
      assert.deepEqual(await seqsOf(storage, 's'), [1, 2])
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
    name: 'a batch of 300 writes is one commit',
    async run(storage) {
      const inserts = Array.from({ length: 300 }, (_, index) => insertRun(`wr_${index}`))
      const result = await applied(storage, ...inserts)
      assert.equal(result.rows.length, 300)
      const deletes = inserts.map((_, index): Write => ({ op: 'delete', table: 'runs', id: `wr_${index}` }))
      assert.equal((await refused(storage, ...deletes, { op: 'delete', table: 'runs', id: 'none' })).index, 300)
      assert.equal(await storage.count('runs'), 300)
    },
  },
  {
    name: 'an empty batch is applied',
    async run(storage) {
      assert.deepEqual(await storage.commit([]), { ok: true, rows: [], events: [] })
    },
  },
]
