import assert from 'node:assert/strict'
import type { StoredEvent } from '../../storage/index.js'
import { applied, type ContractCase, seqsOf, upTo } from './kit.js'
import { anEvent, append, insertRun } from './samples.js'

/** Events: numbered without gap, stored with the commit, read from any place. */
export const streamCases: ContractCase[] = [
  {
    name: 'a stream numbers its events from 1 without gap, also for appenders at the same time',
    async run(storage) {
      const first = await applied(storage, append('run:a', 'e1', 'e2'), append('run:b', 'x1'))
      assert.deepEqual(
        first.events.map((events) => events.map((event) => event.seq)),
        [[1, 2], [1]],
      )
      await applied(storage, append('run:a'), append('run:b', 'x2'))
      const results = await Promise.all(upTo(20).map((n) => applied(storage, append('run:a', `c${n}`))))
      assert.deepEqual(await seqsOf(storage, 'run:a'), upTo(22))
      const stored = new Map((await storage.readEvents({ stream: 'run:a' })).map((event) => [event.id, event.seq]))
      for (const event of results.flatMap((result) => result.events[0] ?? [])) {
        assert.equal(event.seq, stored.get(event.id), 'an appender was told another number than is stored')
      }
    },
  },
  {
    name: 'an event is stored whole; a commit gives back its events as they are read later, all at one instant',
    async run(storage) {
      const result = await applied(
        storage,
        { op: 'append', stream: 's', events: [anEvent('e1', { a: 1 }), anEvent('e2')] },
        append('t', 'x'),
      )
      const read = [await storage.readEvents({ stream: 's' }), await storage.readEvents({ stream: 't' })]
      assert.deepEqual(result.events, read)
      const { at, ...rest } = read[0]?.[0] ?? assert.fail('the event is not stored')
      assert.ok(at instanceof Date, '`at` is a Date')
      assert.deepEqual(rest, { stream: 's', seq: 1, ...anEvent('e1', { a: 1 }) })
      assert.deepEqual(new Set(read.flat().map((event) => event.at.getTime())).size, 1)
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
          `after ${after}`,
        )
      }
      assert.deepEqual(await storage.readEvents({ stream: 'none' }), [])
    },
  },
  {
    name: 'a long stream stays in order, past 9 and 99 events',
    async run(storage) {
      await applied(storage, append('s', ...upTo(120).map((n) => `e${n}`)))
      const events: StoredEvent[] = []
      for (let after = 0; after < 120; after += 50) events.push(...(await storage.readEvents({ stream: 's', after, limit: 50 })))
      assert.deepEqual(
        events.map((event) => event.id),
        upTo(120).map((n) => `e${n}`),
      )
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
    name: 'events of the same id are two events: an id is not a key',
    async run(storage) {
      await applied(storage, append('s', 'e', 'e'), append('t', 'e'))
      assert.deepEqual([await seqsOf(storage, 's'), await seqsOf(storage, 't')], [[1, 2], [1]])
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
]
