import assert from 'node:assert/strict'
import type { Json } from '../../errors/index.js'
import type { NewEvent, StoredEvent, Write } from '../../storage/index.js'
import { applied, type ContractCase, getRun, runIds } from './kit.js'
import { anEvent, append, insertRun, T0 } from './samples.js'

const tricky: Json = {
  unicode: 'Zoë 😀 \u2028 "quoted" \\ back',
  nested: { list: [1, [2, [3, { deep: true }]], null, ''], empty: {}, none: [] },
  numbers: [0, -1, 0.1, 1e-7, 9_007_199_254_740_991, -9_007_199_254_740_991, 1.7976931348623157e308, 5e-324],
  nothing: null,
  looksLikeDate: '2026-01-01T00:00:00.000Z',
  compute: 'increment',
  eq: 1,
}

/** Texts as pages and people give them, and as they are stored. */
const unstorable: [given: string, stored: string][] = [
  ['a\0b', 'a\ufffdb'],
  ['\ud800', '\ufffd'],
  ['x\udc00\ud83d\ude00\ud83d', 'x\ufffd\u{1f600}\ufffd'],
]

/** What goes in comes out: the same, and a copy. */
export const valueCases: ContractCase[] = [
  {
    name: 'JSON comes back as it went in: unicode, nesting, numbers, null and absent',
    async run(storage) {
      const outputs = { gone: undefined, kept: null } as never
      await applied(storage, insertRun('a', { parameters: tricky as Record<string, Json>, outputs }))
      await applied(storage, { op: 'append', stream: 's', events: [anEvent('e', tricky)] })
      const run = await getRun(storage, 'a')
      assert.deepEqual(run.parameters, tricky)
      assert.deepEqual(Object.keys(run.outputs ?? {}), ['kept'])
      assert.deepEqual((await storage.readEvents({ stream: 's' }))[0]?.payload, tricky)
    },
  },
  {
    name: 'an event’s payload and a JSON column hold any JSON: text, numbers, lists, false',
    async run(storage) {
      const values: Json[] = ['text', '', '"', '{}', 'null', 0, 1.5, true, false, [], [null], {}]
      await applied(storage, {
        op: 'append',
        stream: 's',
        events: values.map((value, index) => anEvent(`e${index}`, value)),
      })
      const payloads = (await storage.readEvents({ stream: 's' })).map((event) => event.payload)
      assert.deepEqual(payloads, values)
      await applied(storage, insertRun('a', { parameters: { values } }))
      assert.deepEqual((await getRun(storage, 'a')).parameters, { values })
    },
  },
  {
    name: 'a key named __proto__ is data, not a prototype',
    async run(storage) {
      const parameters = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}') as Record<string, Json>
      await applied(storage, insertRun('a', { parameters }))
      const stored = (await getRun(storage, 'a')).parameters
      assert.deepEqual(Object.keys(stored).sort(), ['__proto__', 'constructor'])
      assert.equal((stored as { polluted?: boolean }).polluted, undefined)
    },
  },
  {
    name: 'instants keep their milliseconds; long text, empty text and floats keep their value',
    async run(storage) {
      const workflowTitle = 'x'.repeat(100_000)
      const values = { workflowTitle, failureReason: '', durationMs: 0.1 + 0.2, startedAt: new Date(T0.getTime() + 1) }
      await applied(storage, insertRun('a', { ...values, finishedAt: new Date(-1), priority: -2_147_483_649 }))
      const run = await getRun(storage, 'a')
      assert.deepEqual([run.workflowTitle, run.failureReason, run.durationMs], [workflowTitle, '', 0.1 + 0.2])
      assert.deepEqual([run.startedAt?.getTime(), run.finishedAt?.getTime()], [T0.getTime() + 1, -1])
      assert.equal(run.priority, -2_147_483_649, 'ints are whole numbers up to 2^53')
      assert.deepEqual(await runIds(storage, { where: { startedAt: { eq: new Date(T0.getTime() + 1) } } }), ['a'])
    },
  },
  {
    name: 'text and JSON that UTF-8 cannot hold (NUL, lone surrogates) is stored with U+FFFD in their place, and found by what was given',
    async run(storage) {
      for (const [index, [given, stored]] of unstorable.entries()) {
        const id = `${given}${index}`
        await applied(storage, insertRun(id, { workflowTitle: given, parameters: { [given]: [given, { deep: given }] } }))
        const run = await getRun(storage, id)
        assert.deepEqual([run.workflowRunId, run.workflowTitle], [`${stored}${index}`, stored])
        assert.deepEqual(run.parameters, { [stored]: [stored, { deep: stored }] })
        assert.deepEqual(await runIds(storage, { where: { workflowTitle: given } }), [run.workflowRunId])
        assert.deepEqual(await runIds(storage, { where: { workflowTitle: { in: [given], contains: given } } }), [run.workflowRunId])
        const where = { workflowTitle: given }
        await applied(storage, { op: 'update', table: 'runs', id, where, set: { failureReason: given } })
        assert.equal((await getRun(storage, id)).failureReason, stored)
        const stream = `run:${id}`
        await applied(storage, { op: 'append', stream, events: [anEvent(given, { [given]: given })] })
        const [event] = await storage.readEvents({ stream })
        assert.deepEqual([event?.stream, event?.id, event?.payload], [`run:${stored}${index}`, stored, { [stored]: stored }])
      }
    },
  },
  {
    name: 'what went in is copied: changing it later changes nothing',
    async run(storage) {
      const parameters = { list: [1] }
      const createdAt = new Date(T0)
      const events = [anEvent('e', { list: [1] })]
      const batch: Write[] = [insertRun('a', { parameters, createdAt }), { op: 'append', stream: 's', events }]
      const committing = storage.commit(batch)
      parameters.list.push(2)
      createdAt.setTime(0)
      ;((events[0] as NewEvent).payload as { list: number[] }).list.push(2)
      await committing
      const run = await getRun(storage, 'a')
      assert.deepEqual([run.parameters, run.createdAt], [{ list: [1] }, T0])
      assert.deepEqual((await storage.readEvents({ stream: 's' }))[0]?.payload, { list: [1] })
    },
  },
  {
    name: 'what comes out is a copy: changing it changes nothing',
    async run(storage) {
      const events = [anEvent('e', { list: [1] })]
      const result = await applied(storage, insertRun('a', { parameters: { list: [1] } }), { op: 'append', stream: 's', events })
      const spoil = (row: { parameters: unknown; createdAt: Date }) => {
        ;(row.parameters as { list: number[] }).list.push(9)
        row.createdAt.setTime(0)
      }
      const spoilEvent = (event: StoredEvent | undefined) => {
        assert.ok(event !== undefined, 'an appended event was not given back')
        ;(event.payload as { list: number[] }).list.push(9)
        event.at.setTime(0)
      }
      spoil(result.rows[0]?.[0] as never)
      spoilEvent(result.events[1]?.[0])
      spoil((await storage.get('runs', 'a')) as never)
      spoil((await storage.find({ table: 'runs' }))[0] as never)
      spoilEvent((await storage.readEvents({ stream: 's' }))[0])
      const refusal = await storage.commit([insertRun('a')])
      spoil((refusal.ok ? undefined : refusal.current) as never)
      const run = await getRun(storage, 'a')
      assert.deepEqual([run.parameters, run.createdAt], [{ list: [1] }, T0])
      assert.deepEqual((await storage.readEvents({ stream: 's' }))[0]?.payload, { list: [1] })
      assert.equal((await applied(storage, append('s', 'e2'))).events[0]?.[0]?.seq, 2)
    },
  },
]
