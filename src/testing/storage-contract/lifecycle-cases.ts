import assert from 'node:assert/strict'
import { applied, type ContractCase, getRun, rejectsWith } from './kit.js'
import { insertRun } from './samples.js'

/** Open, close, and what an adapter says of itself. */
export const lifecycleCases: ContractCase[] = [
  {
    name: 'the adapter claims the capabilities that the suite was told',
    async run(_, { adapter, capabilities }) {
      assert.deepEqual({ ...adapter.capabilities }, { ...capabilities })
      if (capabilities.notify) assert.equal(typeof adapter.subscribe, 'function', 'notify is claimed, and there is no subscribe()')
    },
  },
  {
    name: 'open and close can be repeated, also at the same time; after close every call is refused',
    async run(storage) {
      await Promise.all([storage.open(), storage.open()])
      await applied(storage, insertRun('a'))
      await Promise.all([storage.close(), storage.close()])
      await storage.close()
      const calls: [name: string, call: () => Promise<unknown>][] = [
        ['now', () => storage.now()],
        ['get', () => storage.get('runs', 'a')],
        ['find', () => storage.find({ table: 'runs' })],
        ['count', () => storage.count('runs')],
        ['commit', () => storage.commit([])],
        ['readEvents', () => storage.readEvents({ stream: 's' })],
        ['subscribe', () => storage.subscribe?.(() => {}) ?? storage.now()],
      ]
      for (const [name, call] of calls) await rejectsWith('STORAGE_CLOSED', `${name}() after close()`, call)
    },
  },
  {
    name: 'the adapter’s own open and close are idempotent, without the guard too',
    startsClosed: true,
    async run(_, { adapter }) {
      await Promise.all([adapter.open(), adapter.open()])
      await adapter.open()
      assert.ok((await adapter.now()) instanceof Date)
      await Promise.all([adapter.close(), adapter.close()])
      await adapter.close()
    },
  },
  {
    name: 'close waits for the calls under way',
    async run(storage) {
      await applied(storage, insertRun('a'))
      const underWay = Promise.all([storage.commit([insertRun('b')]), storage.find({ table: 'runs' }), storage.get('runs', 'a')])
      await storage.close()
      const [result, , run] = await underWay
      assert.deepEqual([result.ok, run?.workflowRunId], [true, 'a'])
    },
  },
  {
    name: 'a closed storage can be opened again and works',
    async run(storage) {
      await storage.close()
      await storage.open()
      await applied(storage, insertRun('again'))
      assert.equal((await getRun(storage, 'again')).status, 'queued')
    },
  },
]
