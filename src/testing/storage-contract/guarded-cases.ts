import assert from 'node:assert/strict'
import type { RunRow, Storage, Write } from '../../storage/index.js'
import { applied, type ContractCase, getRun, instances, refused, seqsOf, upTo } from './kit.js'
import { append, insertBlock, insertRun } from './samples.js'

/** The run under its fence: what every commit of an execution begins with. */
const guard = (set: Partial<RunRow> = { attempt: 1 }, leaseFence = 2): Write => ({
  op: 'update',
  table: 'runs',
  id: 'wr_1',
  where: { status: 'running', leaseFence, cancelRequestedAt: null },
  set,
})
const endBlock = (id: string): Write => ({ op: 'update', table: 'run_blocks', id, set: { status: 'completed', output: { a: null } } })

const prepare = (storage: Storage) =>
  applied(
    storage,
    insertRun('wr_1', { status: 'running', leaseFence: 2 }),
    insertRun('wr_2', { idempotencyKey: 'k' }),
    insertBlock('rb_1'),
    insertBlock('rb_2'),
  )

const stateOf = async (storage: Storage) => [
  await storage.find({ table: 'runs' }),
  await storage.find({ table: 'run_blocks' }),
  await storage.readEvents({ stream: 'run:wr_1' }),
]

/** Batches as executions commit them: a condition on one row, and what is written only where it holds. */
export const guardedCases: ContractCase[] = [
  {
    name: 'a batch under the condition of one row writes everything, whatever the order',
    async run(storage) {
      await prepare(storage)
      const writes = [endBlock('rb_1'), insertBlock('rb_3'), append('run:wr_1', 'e1', 'e2')]
      const result = await applied(storage, guard(), ...writes)
      assert.deepEqual(
        result.rows.map((rows) => rows.length),
        [1, 1, 1, 0],
      )
      assert.deepEqual(
        result.events[3]?.map(({ seq, id }) => [seq, id]),
        [
          [1, 'e1'],
          [2, 'e2'],
        ],
      )
      await applied(
        storage,
        append('run:wr_1', ...upTo(6).map((n) => `f${n}`)),
        insertBlock('rb_4'),
        endBlock('rb_2'),
        guard({ attempt: 4 }),
      )
      assert.deepEqual(await seqsOf(storage, 'run:wr_1'), upTo(8))
      assert.equal((await getRun(storage, 'wr_1')).attempt, 4)
      const blocks = await storage.find({ table: 'run_blocks', where: { status: 'completed' } })
      assert.deepEqual(
        blocks.map(({ runBlockId, output }) => [runBlockId, output]),
        [
          ['rb_1', { a: null }],
          ['rb_2', { a: null }],
        ],
      )
    },
  },
  {
    name: 'whichever write of such a batch refuses is named, with its reason, and nothing is left of the others',
    async run(storage) {
      await prepare(storage)
      const before = await stateOf(storage)
      const rest = [endBlock('rb_1'), insertBlock('rb_3'), append('run:wr_1', 'e')]
      const other: Write = { op: 'update', table: 'run_blocks', id: 'rb_2', where: { label: 'x' }, set: { label: 'y' } }
      const cases: [batch: Write[], index: number, reason: string][] = [
        [[guard({ attempt: 1 }, 1), ...rest], 0, 'precondition'],
        [[...rest, guard({ attempt: 1 }, 1)], 3, 'precondition'],
        [[guard(), endBlock('none'), ...rest], 1, 'missing'],
        [[...rest, endBlock('none'), guard()], 3, 'missing'],
        [[guard(), ...rest, other], 4, 'precondition'],
        [[other, guard({ attempt: 1 }, 1)], 0, 'precondition'],
        [[guard({ attempt: 1 }, 1), other], 0, 'precondition'],
        [[other, endBlock('none'), guard({ attempt: 1 }, 1)], 0, 'precondition'],
        [[guard(), { op: 'delete', table: 'run_blocks', id: 'none' }, ...rest], 1, 'missing'],
        [[guard(), endBlock('rb_1'), insertBlock('rb_2'), append('run:wr_1', 'e')], 2, 'duplicate'],
        [[insertBlock('rb_2'), guard({ attempt: 1 }, 1)], 0, 'duplicate'],
        [[guard({ attempt: 1 }, 1), insertBlock('rb_2')], 0, 'precondition'],
        [[guard({ idempotencyKey: 'k' }), endBlock('none')], 0, 'duplicate'],
        [[endBlock('none'), guard({ idempotencyKey: 'k' })], 0, 'missing'],
      ]
      for (const [place, [batch, index, reason]] of cases.entries()) {
        const refusal = await refused(storage, ...batch)
        assert.deepEqual([refusal.index, refusal.reason], [index, reason], `batch ${place}`)
        assert.deepEqual(await stateOf(storage), before, `batch ${place}`)
      }
    },
  },
  {
    name: '`returning: false` leaves the row of an insert or update out of the result, and changes nothing else',
    async run(storage) {
      await prepare(storage)
      const silent = (write: Write) => ({ ...write, returning: false }) as Write
      const result = await applied(
        storage,
        silent(guard()),
        silent(insertBlock('rb_3')),
        endBlock('rb_1'),
        append('s', 'e'),
        append('s', 'f'),
      )
      assert.deepEqual(
        result.rows.map((rows) => rows.length),
        [0, 0, 1, 0, 0],
      )
      assert.deepEqual((await applied(storage, silent(endBlock('rb_3')))).rows, [[]])
      assert.equal((await storage.get('run_blocks', 'rb_3'))?.status, 'completed')
      assert.equal((await getRun(storage, 'wr_1')).attempt, 1)
      const refusal = await refused(storage, silent(guard({ attempt: 2 }, 1)), append('s', 'e'))
      assert.deepEqual([refusal.index, refusal.reason, (refusal.current as RunRow | undefined)?.attempt], [0, 'precondition', 1])
      assert.equal((await refused(storage, silent(insertBlock('rb_3')))).reason, 'duplicate')
      assert.deepEqual(await seqsOf(storage, 's'), [1, 2])
    },
  },
  {
    name: 'of writers that pass a fence on, each with rows of its own, every step is taken once and whole',
    async run(storage, context) {
      await prepare(storage)
      const storages = context.capabilities.shared ? await instances(storage, context, 3) : [storage]
      const steps = upTo(12)
      const step = (one: Storage, fence: number, writer: number) =>
        one.commit([
          ...(writer % 2 === 0 ? [endBlock('rb_1'), endBlock('rb_2')] : []),
          guard({ leaseFence: fence + 1 }, fence),
          ...(writer % 2 === 0 ? [] : [endBlock('rb_2'), endBlock('rb_1')]),
          insertBlock(`rb_${fence}_${writer}`, { label: String(fence) }),
          append('run:wr_1', `e${fence}`, `f${fence}`),
        ])
      for (const fence of steps.map((n) => n + 1)) {
        const results = await Promise.all(upTo(6).map((writer) => step(storages[writer % storages.length] as Storage, fence, writer)))
        assert.equal(results.filter(({ ok }) => ok).length, 1, `fence ${fence}`)
      }
      assert.equal((await getRun(storage, 'wr_1')).leaseFence, 14)
      assert.deepEqual(await seqsOf(storage, 'run:wr_1'), upTo(24))
      assert.equal(await storage.count('run_blocks', { label: { in: steps.map((n) => String(n + 1)) } }), 12)
    },
  },
]
