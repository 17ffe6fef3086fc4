import assert from 'node:assert/strict'
import type { Json } from '../../../../src/errors/index.js'
import type { NewEvent, StoredEvent, Wake, Write } from '../../../../src/storage/index.js'
import { anEvent, append, applied, aRun, type ContractCase, getRun, insertRun, rejectsWith, T0 } from './contract.js'

const tricky: Json = {
  unicode: 'Zoë 😀 \u2028 "quoted" \\ back',
  nested: { list: [1, [2, [3, { deep: true }]], null, ''], empty: {}, none: [] },
  numbers: [0, -1, 0.1, 1e-7, 9_007_199_254_740_991, -9_007_199_254_740_991, 1.7976931348623157e308],
  nothing: null,
  looksLikeDate: '2026-01-01T00:00:00.000Z',
  compute: 'increment',
  eq: 1,
}

const notJson: [name: string, value: unknown][] = [
  ['undefined in an array', [1, undefined]],
  ['a function', { call: () => 1 }],
  ['NaN', { n: Number.NaN }],
  ['infinity', [Number.POSITIVE_INFINITY]],
  ['a BigInt', { n: 1n }],
  ['a Date', { at: new Date(0) }],
  [
    'a class instance',
    new (class Point {
      x = 1
    })(),
  ],
  ['a Map', new Map()],
  ['a symbol', { s: Symbol('s') }],
  [
    'a cycle',
    (() => {
      const cycle: Record<string, unknown> = {}
      cycle.self = cycle
      return cycle
    })(),
  ],
]

export const valueCases: ContractCase[] = [
  {
    name: 'JSON comes back as it went in: unicode, nesting, numbers, null and absent',
    async run(storage) {
      await applied(
        storage,
        insertRun('a', { parameters: tricky as Record<string, Json>, outputs: { gone: undefined, kept: null } as never }),
      )
      await applied(storage, { op: 'append', stream: 's', events: [anEvent('e', tricky)] })
      const run = await getRun(storage, 'a')
      assert.deepEqual(run.parameters, tricky)
      assert.deepEqual(Object.keys(run.outputs ?? {}), ['kept'])
      assert.deepEqual((await storage.readEvents({ stream: 's' }))[0]?.payload, tricky)
    },
  },
  {
    name: 'a key named __proto__ is data, not a prototype',
    async run(storage) {
      const parameters = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}') as Record<string, Json>
      await applied(storage, insertRun('a', { parameters }))
      const stored = (await getRun(storage, 'a')).parameters
      assert.equal(JSON.stringify(stored), '{"__proto__":{"polluted":true},"constructor":1}')
      assert.equal((stored as { polluted?: boolean }).polluted, undefined)
    },
  },
  {
    name: 'instants keep their milliseconds; long text, empty text and floats keep their value',
    async run(storage) {
      const workflowTitle = 'x'.repeat(100_000)
      await applied(
        storage,
        insertRun('a', { workflowTitle, failureReason: '', durationMs: 0.1 + 0.2, startedAt: new Date(T0.getTime() + 1) }),
      )
      const run = await getRun(storage, 'a')
      assert.deepEqual([run.workflowTitle, run.failureReason, run.durationMs], [workflowTitle, '', 0.1 + 0.2])
      assert.equal(run.startedAt?.getTime(), T0.getTime() + 1)
    },
  },
  ...notJson.map(([name, value]): ContractCase => {
    return {
      name: `${name} is no JSON: refused before anything is written`,
      async run(storage) {
        const row = { ...aRun('a'), parameters: { value } as never }
        const error = await rejectsWith('STORAGE_INVALID_ROW', () =>
          storage.commit([append('s', 'e'), { op: 'insert', table: 'runs', row }]),
        )
        assert.deepEqual([error.details.table, error.details.column], ['runs', 'parameters'])
        const events = [anEvent('e', { value } as never)]
        await rejectsWith('STORAGE_INVALID_ROW', () => storage.commit([{ op: 'append', stream: 's', events }]))
        assert.deepEqual(await storage.readEvents({ stream: 's' }), [])
      },
    }
  }),
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
      const result = await applied(storage, insertRun('a', { parameters: { list: [1] } }), {
        op: 'append',
        stream: 's',
        events: [anEvent('e', { list: [1] })],
      })
      const spoil = (row: { parameters: unknown; createdAt: Date }) => {
        ;(row.parameters as { list: number[] }).list.push(9)
        row.createdAt.setTime(0)
      }
      const spoilEvent = (event: StoredEvent | undefined) => {
        assert.ok(event !== undefined)
        ;(event.payload as { list: number[] }).list.push(9)
        event.at.setTime(0)
      }
      spoil(result.rows[0]?.[0] as never)
      spoilEvent(result.events[1]?.[0])
      spoil((await storage.get('runs', 'a')) as never)
      spoil((await storage.find({ table: 'runs' }))[0] as never)
      spoilEvent((await storage.readEvents({ stream: 's' }))[0])
      const run = await getRun(storage, 'a')
      assert.deepEqual([run.parameters, run.createdAt], [{ list: [1] }, T0])
      assert.deepEqual((await storage.readEvents({ stream: 's' }))[0]?.payload, { list: [1] })
    },
  },
  {
    name: 'a stream numbers its events from 1 without gap, at the storage’s time',
    async run(storage) {
      const first = await applied(storage, append('run:a', 'e1', 'e2'), append('run:b', 'x1'))
      assert.deepEqual(
        first.events.map((events) => events.map((event) => event.seq)),
        [[1, 2], [1]],
      )
      await applied(storage, append('run:a'), append('run:b', 'x2'))
      await Promise.all(Array.from({ length: 20 }, (_, n) => storage.commit([append('run:a', `c${n}`)])))
      const events = await storage.readEvents({ stream: 'run:a' })
      assert.deepEqual(
        events.map((event) => event.seq),
        Array.from({ length: 22 }, (_, n) => n + 1),
      )
      const { at, ...rest } = events[0] ?? assert.fail()
      assert.ok(Math.abs(at.getTime() - (await storage.now()).getTime()) < 60_000)
      assert.deepEqual(rest, { stream: 'run:a', seq: 1, ...anEvent('e1') })
    },
  },
  {
    name: 'a stream is read from any place, up to a limit',
    async run(storage) {
      await applied(storage, append('s', 'e1', 'e2', 'e3', 'e4', 'e5'))
      for (let after = 0; after <= 6; after++) {
        const events = await storage.readEvents({ stream: 's', after, limit: 2 })
        assert.deepEqual(
          events.map((event) => event.seq),
          [after + 1, after + 2].filter((seq) => seq <= 5),
        )
      }
      assert.deepEqual(await storage.readEvents({ stream: 'none' }), [])
    },
  },
  {
    name: 'appends to one stream in one batch are merged in order, and each is answered for itself',
    async run(storage) {
      const result = await applied(storage, append('s', 'e1'), insertRun('a'), append('s', 'e2', 'e3'), append('t', 'x'), append('s'))
      assert.deepEqual(
        result.events.map((events) => events.map((event) => `${event.id}:${event.seq}`)),
        [['e1:1'], [], ['e2:2', 'e3:3'], ['x:1'], []],
      )
      assert.deepEqual(
        result.rows.map((rows) => rows.length),
        [0, 1, 0, 0, 0],
      )
      const refusal = await storage.commit([append('s', 'e4'), append('s', 'e5'), insertRun('a')])
      assert.equal(refusal.ok ? undefined : refusal.index, 2)
    },
  },
  {
    name: 'a deleted stream is empty and begins again at 1',
    async run(storage) {
      await applied(storage, append('s', 'e1', 'e2'), append('t', 'x'))
      await applied(storage, { op: 'deleteStream', stream: 's' }, { op: 'deleteStream', stream: 'none' })
      assert.deepEqual(await storage.readEvents({ stream: 's' }), [])
      assert.equal((await storage.readEvents({ stream: 't' })).length, 1)
      assert.equal((await applied(storage, append('s', 'e3'))).events[0]?.[0]?.seq, 1)
    },
  },
  {
    name: 'subscribers hear of what was committed, not of what was refused, and not after they left',
    async run(storage) {
      if (storage.subscribe === undefined || !storage.capabilities.notify) return
      const wakes: Wake[] = []
      const unsubscribe = await storage.subscribe((wake) => wakes.push(wake))
      const until = async (isMet: () => boolean) => {
        for (let turn = 0; turn < 2_000 && !isMet(); turn++) await storage.now()
        assert.ok(isMet(), `wakes: ${JSON.stringify(wakes)}`)
      }
      await storage.commit([append('refused', 'e'), { op: 'delete', table: 'runs', id: 'none' }])
      await applied(storage, insertRun('a'), append('run:a', 'e'))
      await until(() => wakes.some((wake) => wake.stream === 'run:a') && wakes.some((wake) => wake.table === 'runs' && wake.id === 'a'))
      assert.ok(!wakes.some((wake) => wake.stream === 'refused'))
      await unsubscribe()
      await unsubscribe()
      wakes.length = 0
      await applied(storage, insertRun('b'))
      await storage.now()
      assert.deepEqual(wakes, [])
    },
  },
]
